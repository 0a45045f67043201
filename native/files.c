/* Several files written, or moved, in one call during which the interpreter serves others.
 *
 * Python's own calls let others run once for each open, write, sync and close, and each time the caller waits
 * for the interpreter again: with pictures coming in at full speed longer than for the disk. What is done, and
 * in which order, is what sessionsite/common/files/places.py does without this library.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NO_REPLACE 1 /* RENAME_NOREPLACE of linux/fs.h */

/* sessionsite/common/native.py takes no library of another number. */
const int interface = 2;

static int write_whole(int fd, const char *data, size_t left)
{
    while (left > 0) { /* a signal, or the last free block, makes a write shorter */
        ssize_t written = write(fd, data, left);
        if (written < 0) {
            if (errno == EINTR)
                continue;
            return errno;
        }
        data += written;
        left -= (size_t)written;
    }
    return 0;
}

static int sync_file(int fd)
{
    while (fsync(fd) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

/* Every path, which did not exist, holds its data; with `is_synced` also after a power cut. All are written
 * before the first is synced: that sync then takes most of the others' way with it.
 *
 * Returns 0, or the errno of the first failure: parts of the files may be there then, and *failed is the index of
 * the file that it was about. No descriptor stays open.
 */
int write_files(int count, const char *const *paths, const char *const *data, const size_t *sizes, int mode,
                int is_synced, int *failed)
{
    int opened = 0, error = 0;
    int *fds = malloc((size_t)count * sizeof *fds);

    if (fds == NULL)
        return ENOMEM;
    while (opened < count && error == 0) {
        *failed = opened;
        int fd = open(paths[opened], O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode);
        if (fd < 0) {
            error = errno;
            break;
        }
        fds[opened] = fd;
        error = write_whole(fd, data[opened], sizes[opened]);
        opened++;
    }
    for (int i = 0; is_synced && error == 0 && i < opened; i++) {
        *failed = i;
        error = sync_file(fds[i]);
    }
    for (int i = 0; i < opened; i++)
        if (close(fds[i]) != 0 && error == 0) { /* a network file system says only here that it is full */
            *failed = i;
            error = errno;
        }
    free(fds);
    return error;
}

/* The entries of every folder survive a power cut. Returns 0, or the errno of the first failure, which is about
 * the folder of index *failed.
 */
int sync_folders(int count, const char *const *folders, int *failed)
{
    for (int i = 0; i < count; i++) {
        int fd = open(folders[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC), error;

        *failed = i;
        if (fd < 0)
            return errno;
        error = sync_file(fd);
        close(fd);
        if (error != 0)
            return error;
    }
    return 0;
}

/* Returns how many files have their new names, from the first on. A name that something has is never taken:
 * there, and at any other difficulty, it stops.
 */
int move_files(int count, const char *const *sources, const char *const *targets)
{
    for (int i = 0; i < count; i++)
        if (syscall(SYS_renameat2, AT_FDCWD, sources[i], AT_FDCWD, targets[i], NO_REPLACE) != 0)
            return i;
    return count;
}
