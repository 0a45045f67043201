/* A plane of pixels made smaller, each new pixel the mean of the area that it covers.
 *
 * libwebp does that too, in 32 bits and one pixel at a time. In 16 bits the compiler takes eight at once down the
 * columns, and a word holds four rows: a third of the time.
 */
#ifndef SHRINK_H
#define SHRINK_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define STEP_MAX 4   /* so many pixels become less than one; two of brightness, so four of colours */
#define SHARES_MAX 5 /* of them lie under it */
#define ALL 256      /* so that a sum of shares of bytes has 16 bits */
#define ROWS 4       /* made at once: so many sums fit into a word */

struct size {
    int width, height;
};

struct plane {
    uint8_t *bytes;
    size_t stride;
    struct size size;
};

static int smaller(int one, int other)
{
    return one < other ? one : other;
}

/* A line of `from` pixels and its shorter image: `count` pixels, each over `step` parts of the line, `unit` of
 * which are a pixel. The last one may reach beyond the end.
 */
struct line {
    int from, step, unit, count;
};

/* The pixels that lie under one of the shorter line, and the share of each in its mean. */
struct share {
    int first;
    uint16_t of[SHARES_MAX]; /* ALL together; of nothing for what lies further on */
};

static void share_out(struct line line, struct share *shares)
{
    int64_t length = (int64_t)line.from * line.unit;

    for (int i = 0; i < line.count; i++) {
        int64_t begin = (int64_t)i * line.step, end = begin + line.step < length ? begin + line.step : length;
        int given = 0;

        shares[i].first = (int)(begin / line.unit);
        for (int k = 0; k < SHARES_MAX; k++) {
            int64_t until = (int64_t)(shares[i].first + k + 1) * line.unit;
            int64_t under = (until < end ? until : end) - begin;
            int due = (int)((under * ALL + (end - begin) / 2) / (end - begin));

            shares[i].of[k] = (uint16_t)(due - given);
            given = due;
        }
    }
}

/* From all of 0..255, as JPEG has it, to `range` of WebP, which begins at 16. The quotient by 255 is made in 16
 * bits, so that the compiler can do eight pixels at once.
 */
static inline uint8_t as_webp(uint16_t value, uint16_t range)
{
    uint16_t dividend = (uint16_t)(value * range + 16 * 255 + 255 / 2);
    return (uint8_t)((uint16_t)(dividend + 1 + (dividend >> 8)) >> 8);
}

/* One row of the shorter image, as wide as `from` still: the means of those under it, in the values of WebP. */
static void shrink_down(const struct plane *from, const struct share *share, int range, uint16_t *restrict sums,
                        uint8_t *restrict means)
{
    int width = from->size.width;

    memset(sums, 0, (size_t)width * sizeof *sums);
    for (int k = 0, left = ALL; left > 0; k++) { /* beyond the last share there may be no row */
        const uint8_t *restrict row = from->bytes + from->stride * (size_t)(share->first + k);
        uint16_t part = share->of[k];
        for (int x = 0; x < width; x++)
            sums[x] = (uint16_t)(sums[x] + row[x] * part);
        left -= part;
    }
    for (int x = 0; x < width; x++)
        means[x] = as_webp((uint16_t)(sums[x] + ALL / 2) / ALL, (uint16_t)range);
}

/* Puts the pixels of the rows side by side, column after column. */
static void interleave(const uint8_t *restrict means, int width, uint16_t *restrict columns)
{
    for (int x = 0; x < width; x++)
        for (int row = 0; row < ROWS; row++)
            columns[ROWS * x + row] = means[width * row + x];
}

/* The rows as wide as they are to be. Their sums are made in one word, in which none can reach the next. */
static inline void shrink_across(const uint16_t *restrict columns, const struct share *restrict shares,
                                 int width, const int count, uint8_t *const *targets)
{
    for (int x = 0; x < width; x++) {
        uint64_t sums = (UINT64_MAX / UINT16_MAX) * (ALL / 2), pixels;
        uint16_t each[ROWS];

        for (int k = 0; k < count; k++) {
            memcpy(&pixels, columns + ROWS * (shares[x].first + k), sizeof pixels);
            sums += pixels * shares[x].of[k];
        }
        memcpy(each, &sums, sizeof each);
        for (int row = 0; row < ROWS; row++)
            targets[row][x] = (uint8_t)(each[row] / ALL);
    }
}

/* What `shrink` works with. columns: with room for what shares of nothing look at behind the end. */
struct scratch {
    struct share *across, *down;
    uint16_t *sums, *columns;
    uint8_t *means;
};

static void shrink_with(const struct scratch *scratch, const struct plane *from, struct line across,
                        struct line down, int range, uint8_t *to, ptrdiff_t stride)
{
    int width = from->size.width;

    share_out(across, scratch->across);
    share_out(down, scratch->down);
    for (int first = 0; first < down.count; first += ROWS) {
        uint8_t *targets[ROWS];

        for (int i = 0; i < ROWS; i++) {
            int row = smaller(first + i, down.count - 1); /* at the end, the last one again */
            uint8_t *means = scratch->means + (ptrdiff_t)width * i;
            shrink_down(from, &scratch->down[row], range, scratch->sums, means);
            targets[i] = to + stride * row;
        }
        interleave(scratch->means, width, scratch->columns);
        if (across.step < 2 * across.unit) /* with a number that the compiler knows it is twice as fast */
            shrink_across(scratch->columns, scratch->across, across.count, 3, targets);
        else
            shrink_across(scratch->columns, scratch->across, across.count, SHARES_MAX, targets);
    }
}

/* `to`, of across.count x down.count, shows all of `from`. 0: that is too small for it, or there is no memory. */
static int shrink(const struct plane *from, struct line across, struct line down, int range, uint8_t *to,
                  ptrdiff_t stride)
{
    size_t width = (size_t)from->size.width;
    struct scratch scratch = {
        .across = malloc((size_t)across.count * sizeof *scratch.across),
        .down = malloc((size_t)down.count * sizeof *scratch.down),
        .sums = malloc(width * sizeof *scratch.sums),
        .columns = calloc(width + SHARES_MAX, ROWS * sizeof *scratch.columns),
        .means = malloc(width * ROWS),
    };
    int may_be = across.step < STEP_MAX * across.unit && down.step < STEP_MAX * down.unit;
    int has_room = scratch.across != NULL && scratch.down != NULL && scratch.sums != NULL &&
                   scratch.columns != NULL && scratch.means != NULL;

    if (may_be && has_room)
        shrink_with(&scratch, from, across, down, range, to, stride);
    free(scratch.across);
    free(scratch.down);
    free(scratch.sums);
    free(scratch.columns);
    free(scratch.means);
    return may_be && has_room;
}

#endif
