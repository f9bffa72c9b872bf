/* SPDX-License-Identifier: Apache-2.0 */
#include "compress.h"

#include "check.h"

#include <zlib.h>
#include <zstd.h>

/* gzip asks for 16 more than the window's bits. */
enum { GZIP_WINDOW = 15 + 16, MEMORY_LEVEL = 8 };

static void put(FILE *file, const void *data, size_t bytes) {
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
}

static void put_gzip(FILE *file, const char *text, size_t bytes) {
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL,
                                  Z_DEFAULT_STRATEGY),
                     Z_OK);
    const size_t capacity = deflateBound(&z, bytes);
    unsigned char *packed = malloc(capacity);
    assert_non_null(packed);
    z.next_in = (unsigned char *)(uintptr_t)text;
    z.avail_in = (unsigned)bytes;
    z.next_out = packed;
    z.avail_out = (unsigned)capacity;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    put(file, packed, capacity - z.avail_out);
    deflateEnd(&z);
    free(packed);
}

static void put_zstd(FILE *file, const char *text, size_t bytes) {
    const size_t capacity = ZSTD_compressBound(bytes);
    char *packed = malloc(capacity);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    assert_non_null(packed);
    assert_non_null(context);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    const size_t size = ZSTD_compress2(context, packed, capacity, text, bytes);
    assert_false(ZSTD_isError(size));
    put(file, packed, size);
    ZSTD_freeCCtx(context);
    free(packed);
}

static int ends_with(const char *path, const char *ending) {
    const size_t length = strlen(path);
    return length >= strlen(ending) && strcmp(path + length - strlen(ending), ending) == 0;
}

void compress_to(const char *path, const char *text, size_t bytes, size_t members) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (size_t m = 0; m < members; m++) {
        const size_t begin = bytes * m / members;
        const size_t end = bytes * (m + 1) / members;
        if (ends_with(path, ".gz")) {
            put_gzip(file, text + begin, end - begin);
        } else if (ends_with(path, ".zst")) {
            put_zstd(file, text + begin, end - begin);
        } else {
            put(file, text + begin, end - begin);
        }
    }
    assert_int_equal(fclose(file), 0);
}
