/* A JPEG decoded to its end, its thumbnail encoded as WebP and its bytes hashed, in one call during which the
 * interpreter serves others.
 *
 * Takes the plain JPEG of a camera and nothing else. At the first oddity, a mere warning of libjpeg included, it
 * returns 0 and has done nothing: then monitoring/imaging.py looks at the picture with Pillow, and what that
 * says counts. So a picture is never refused here. The libraries are those that Pillow itself has loaded.
 *
 * JPEG and WebP both keep brightness and colours in planes of their own. They go from one to the other without
 * a detour over RGB, made smaller on the way (shrink.h).
 */
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <webp/encode.h>

#include "shrink.h"

#if JPEG_LIB_VERSION >= 70
#error "only the interface 6.2 of libjpeg is known here, as Pillow's libjpeg-turbo has it"
#endif

#define PLANES 3
#define ROWS_MAX (MAX_SAMP_FACTOR * DCTSIZE)
#define BRIGHTNESS_RANGE 219 /* of ITU-R BT.601 */
#define COLOUR_RANGE 224
/* Markers of ITU-T T.81, table B.1. */
#define SOI 0xD8
#define SOF0 0xC0 /* baseline */
#define DHT 0xC4
#define DQT 0xDB
#define DRI 0xDD
#define COM 0xFE
#define SOS 0xDA
#define APP0 0xE0
#define APP0_BYTES 16 /* of JFIF; Pillow refuses shorter ones */
#define SOF_BYTES 17  /* for three components */

/* sessionsite/common/native.py takes no library of another number. */
const int interface = 2;

/* SHA256 of OpenSSL, which Python has loaded: NULL is its failure. */
typedef uint8_t *hash_function(const uint8_t *data, size_t size, uint8_t *digest);

struct wish {
    int longest_px;
    long max_pixels;
    float quality;
    int method;
};

/* Y, Cb and Cr as libjpeg decodes them: the colours as large as Y, or half as large in one direction or both. */
struct pixels {
    struct plane planes[PLANES];
};

struct way_out {
    struct jpeg_error_mgr manager;
    jmp_buf here;
};

static void leave(j_common_ptr jpeg)
{
    longjmp(((struct way_out *)jpeg->err)->here, 1);
}

static void leave_at_warning(j_common_ptr jpeg, int level)
{
    if (level < 0) /* the others are remarks */
        leave(jpeg);
}

static int at_least_one(double value)
{
    return value < 1 ? 1 : (int)value;
}

/* The size of the thumbnail, never larger than the picture (imaging._fitting). */
static struct size fitting(struct size picture, int longest_px)
{
    int longest = picture.width > picture.height ? picture.width : picture.height;
    double scale = longest > longest_px ? (double)longest_px / longest : 1.0;
    struct size found = {at_least_one(rint(picture.width * scale)), at_least_one(rint(picture.height * scale))};

    return found;
}

/* How often `small` goes into `large`, in whole numbers. */
static int times(struct size large, struct size small)
{
    return smaller(large.width / small.width, large.height / small.height);
}

/* How many times smaller libjpeg is to decode: the most that leaves the thumbnail its size (Image.draft). */
static unsigned int reduction(struct size picture, struct size thumbnail)
{
    int most = times(picture, thumbnail);
    return most >= 8 ? 8 : most >= 4 ? 4 : most >= 2 ? 2 : 1;
}

static int number_at(const uint8_t *bytes)
{
    return bytes[0] << 8 | bytes[1];
}

/* Whether the picture begins with nothing but what any reader knows, one segment right after the other, up to
 * the coded data: no EXIF or XMP that may turn it, no second picture, no colours but three of 8 bits.
 */
static int has_plain_header(const uint8_t *data, size_t size, struct size *whole)
{
    size_t at = 2;
    int frames = 0;

    if (size < 4 || data[0] != 0xFF || data[1] != SOI)
        return 0;
    while (at + 4 <= size && data[at] == 0xFF) {
        int marker = data[at + 1], length = number_at(data + at + 2);
        const uint8_t *body = data + at + 4;

        at += 2 + (size_t)length;
        if (length < 2 || at > size)
            return 0;
        switch (marker) {
        case SOS:
            return frames == 1;
        case SOF0:
            if (length != SOF_BYTES || body[0] != 8 || body[5] != 3)
                return 0;
            *whole = (struct size){number_at(body + 3), number_at(body + 1)};
            frames++;
            break;
        case APP0:
            if (length < APP0_BYTES)
                return 0;
            break;
        case DHT:
        case DQT:
        case DRI:
        case COM:
            break;
        default:
            return 0;
        }
    }
    return 0;
}

/* Whether libjpeg has read the same of it, in colours that it can turn into RGB. */
static int is_plain(const struct jpeg_decompress_struct *jpeg, struct size whole)
{
    return (int)jpeg->image_width == whole.width && (int)jpeg->image_height == whole.height &&
           jpeg->jpeg_color_space == JCS_YCbCr && jpeg->comps_in_scan == 3 && !jpeg->progressive_mode;
}

static int is_whole_or_half(int part, int whole)
{
    return part == whole || part == (whole + 1) / 2;
}

/* Makes room for the planes of `jpeg`, whole blocks and rows of blocks. */
static int make_room(const struct jpeg_decompress_struct *jpeg, struct pixels *pixels)
{
    for (int i = 0; i < PLANES; i++) {
        const jpeg_component_info *from = &jpeg->comp_info[i];
        struct plane *plane = &pixels->planes[i];
        size_t rows = (size_t)jpeg->total_iMCU_rows * from->v_samp_factor * from->DCT_scaled_size;

        plane->size = (struct size){(int)from->downsampled_width, (int)from->downsampled_height};
        plane->stride = (size_t)from->width_in_blocks * from->DCT_scaled_size;
        plane->bytes = malloc(plane->stride * rows);
        if (plane->bytes == NULL || !is_whole_or_half(plane->size.width, (int)jpeg->output_width) ||
            !is_whole_or_half(plane->size.height, (int)jpeg->output_height))
            return 0;
    }
    return pixels->planes[0].size.width == (int)jpeg->output_width &&
           pixels->planes[0].size.height == (int)jpeg->output_height;
}

static int read_planes(struct jpeg_decompress_struct *jpeg, struct pixels *pixels)
{
    JSAMPROW rows[PLANES][ROWS_MAX];
    JSAMPARRAY planes[PLANES] = {rows[0], rows[1], rows[2]};
    JDIMENSION lines = (JDIMENSION)(jpeg->max_v_samp_factor * jpeg->min_DCT_scaled_size);

    for (size_t strip = 0; jpeg->output_scanline < jpeg->output_height; strip++) {
        for (int i = 0; i < PLANES; i++) {
            const jpeg_component_info *from = &jpeg->comp_info[i];
            size_t count = (size_t)from->v_samp_factor * from->DCT_scaled_size;
            for (size_t row = 0; row < count; row++)
                rows[i][row] = pixels->planes[i].bytes + pixels->planes[i].stride * (strip * count + row);
        }
        if (jpeg_read_raw_data(jpeg, planes, lines) == 0)
            return 0;
    }
    return 1;
}

/* `pixels` are the caller's to free whatever happens. */
static int decode(struct jpeg_decompress_struct *jpeg, const uint8_t *data, size_t size, struct size whole,
                  const struct wish *wish, struct pixels *pixels)
{
    struct size decoded;

    jpeg_create_decompress(jpeg);
    jpeg_mem_src(jpeg, (unsigned char *)data, (unsigned long)size);
    jpeg_read_header(jpeg, TRUE);
    if (!is_plain(jpeg, whole))
        return 0;
    jpeg->scale_num = 1;
    jpeg->scale_denom = reduction(whole, fitting(whole, wish->longest_px));
    jpeg->out_color_space = JCS_YCbCr;
    jpeg->raw_data_out = TRUE;
    jpeg_start_decompress(jpeg);
    decoded = (struct size){(int)jpeg->output_width, (int)jpeg->output_height};
    if (times(decoded, fitting(decoded, wish->longest_px)) > 1) /* there Pillow averages first */
        return 0;
    return make_room(jpeg, pixels) && read_planes(jpeg, pixels) && jpeg_finish_decompress(jpeg);
}

/* The same as `decode`, with libjpeg's errors and warnings as 0. */
static int decode_or_leave(const uint8_t *data, size_t size, struct size whole, const struct wish *wish,
                           struct pixels *pixels)
{
    struct jpeg_decompress_struct jpeg;
    struct way_out way_out;
    int is_done;

    memset(&jpeg, 0, sizeof jpeg); /* so that it can be destroyed before it is made */
    jpeg.err = jpeg_std_error(&way_out.manager);
    way_out.manager.error_exit = leave;
    way_out.manager.emit_message = leave_at_warning;
    if (setjmp(way_out.here) != 0) {
        jpeg_destroy_decompress(&jpeg);
        return 0;
    }
    is_done = decode(&jpeg, data, size, whole, wish, pixels);
    jpeg_destroy_decompress(&jpeg);
    return is_done;
}

static int shrink_brightness(const struct plane *y, WebPPicture *picture)
{
    struct line across = {y->size.width, y->size.width, picture->width, picture->width};
    struct line down = {y->size.height, y->size.height, picture->height, picture->height};

    return shrink(y, across, down, BRIGHTNESS_RANGE, picture->y, picture->y_stride);
}

/* A colour of WebP stands for two by two pixels, one of JPEG for one or two in each direction. */
static int shrink_colour(const struct plane *from, struct size decoded, const WebPPicture *picture, uint8_t *to)
{
    int is_wide = from->size.width == decoded.width, is_high = from->size.height == decoded.height;
    struct line across = {from->size.width, decoded.width << is_wide, picture->width, (picture->width + 1) / 2};
    struct line down = {from->size.height, decoded.height << is_high, picture->height, (picture->height + 1) / 2};

    return shrink(from, across, down, COLOUR_RANGE, to, picture->uv_stride);
}

static int encode_picture(WebPPicture *picture, const struct pixels *pixels, const struct wish *wish)
{
    const struct plane *planes = pixels->planes;
    struct size decoded = planes[0].size, size = fitting(decoded, wish->longest_px);
    WebPConfig config;

    if (!WebPConfigPreset(&config, WEBP_PRESET_DEFAULT, wish->quality))
        return 0;
    config.method = wish->method;
    config.segments = 1; /* as monitoring/webp.py, which says why */
    config.sns_strength = 0;
    picture->width = size.width;
    picture->height = size.height;
    return WebPPictureAlloc(picture) && shrink_brightness(&planes[0], picture) &&
           shrink_colour(&planes[1], decoded, picture, picture->u) &&
           shrink_colour(&planes[2], decoded, picture, picture->v) && WebPEncode(&config, picture);
}

/* Copies the WebP into `room`. Returns its size, 0 when it is not made or has no room. */
static size_t encode(const struct pixels *pixels, const struct wish *wish, uint8_t *room, size_t room_bytes)
{
    WebPPicture picture;
    WebPMemoryWriter made;
    size_t size = 0;

    if (!WebPPictureInit(&picture))
        return 0;
    WebPMemoryWriterInit(&made);
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = &made;
    if (encode_picture(&picture, pixels, wish) && made.size <= room_bytes) {
        memcpy(room, made.mem, made.size);
        size = made.size;
    }
    WebPMemoryWriterClear(&made);
    WebPPictureFree(&picture);
    return size;
}

static int may_be_decoded(struct size whole, const struct wish *wish)
{
    return whole.width > 0 && whole.height > 0 && (long)whole.width * whole.height <= wish->max_pixels;
}

/* The picture, of `*width` x `*height`, is whole and `room` holds its thumbnail, whose long side has at most
 * `longest_px`: returns its size in bytes. `digest` has room for what `hash` writes; a `hash` of NULL writes
 * nothing. 0: it is for Pillow to say. Any number of threads may call it.
 */
size_t jpeg_thumbnail(const uint8_t *data, size_t size, int longest_px, long max_pixels, float quality, int method,
                      uint8_t *room, size_t room_bytes, int *width, int *height, hash_function *hash,
                      uint8_t *digest)
{
    struct wish wish = {longest_px, max_pixels, quality, method};
    struct pixels pixels = {0};
    struct size whole = {0, 0};
    size_t made = 0;

    if (size <= ULONG_MAX && has_plain_header(data, size, &whole) && may_be_decoded(whole, &wish) &&
        decode_or_leave(data, size, whole, &wish, &pixels))
        made = encode(&pixels, &wish, room, room_bytes);
    if (made > 0 && hash != NULL && hash(data, size, digest) == NULL)
        made = 0;
    for (int i = 0; i < PLANES; i++)
        free(pixels.planes[i].bytes);
    *width = whole.width;
    *height = whole.height;
    return made;
}
