/* SPDX-License-Identifier: Apache-2.0 */
#include "data/stream.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { INPUT_BYTES = 1 << 17, GZIP_WINDOW = 15 + 16, MAGIC_BYTES = 4 };

typedef enum codec { CODEC_PLAIN, CODEC_GZIP, CODEC_ZSTD } codec;

struct dip_stream {
    int fd;                     /* -1 for a stream over memory */
    const unsigned char *bytes; /* [size] of a stream over memory */
    codec codec;
    char *path;
    uint64_t position;
    uint64_t size;
    unsigned char *input; /* compressed bytes, of which [at, filled) are not yet used */
    size_t input_bytes;
    size_t at;
    size_t filled;
    bool input_ended;
    bool inside; /* a gzip member or zstd frame has begun and has not ended */
    z_stream gzip;
    bool gzip_is_ready;
    ZSTD_DCtx *zstd;
    size_t magic_at; /* bytes of the frame's magic number seen so far */
    bool is_skipped; /* the frame holds no data */
};

bool dip_name_ends_with(const char *name, const char *ending) {
    const size_t length = strlen(name);
    const size_t size = strlen(ending);
    return length >= size && strcmp(name + length - size, ending) == 0;
}

static dip_status open_codec(dip_stream *stream, dip_error *err) {
    if (stream->codec == CODEC_PLAIN) {
        return DIP_OK;
    }
    stream->input_bytes =
        0 < stream->size && stream->size < INPUT_BYTES ? (size_t)stream->size : INPUT_BYTES;
    stream->input = dip_alloc(stream->input_bytes, 1, "compressed input", err);
    if (stream->input == NULL) {
        return DIP_ERR_MEMORY;
    }
    if (stream->codec == CODEC_GZIP) {
        stream->gzip_is_ready = inflateInit2(&stream->gzip, GZIP_WINDOW) == Z_OK;
    } else {
        stream->zstd = ZSTD_createDCtx();
    }
    if (!stream->gzip_is_ready && stream->zstd == NULL) {
        return dip_fail(err, DIP_ERR_MEMORY, "out of memory for a decompressor");
    }
    return DIP_OK;
}

static dip_status open_file(dip_stream *stream, const char *path, dip_error *err) {
    stream->fd = dip_vfs_get()->open(path, O_RDONLY | O_CLOEXEC, 0);
    if (stream->fd < 0) {
        return dip_fail_errno(err, errno, "open", path);
    }
    struct stat status;
    if (dip_vfs_get()->fstat(stream->fd, &status) != 0) {
        return dip_fail_errno(err, errno, "stat", path);
    }
    if (S_ISDIR(status.st_mode)) {
        return dip_fail(err, DIP_ERR_IO, "cannot read %s: it is a folder", path);
    }
    stream->size = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
    return open_codec(stream, err);
}

/* A stream that is not open yet, or NULL. */
static dip_stream *new_stream(const char *path, dip_error *err) {
    dip_stream *stream = dip_alloc(1, sizeof *stream, "an input stream", err);
    if (stream == NULL) {
        return NULL;
    }
    stream->fd = -1;
    stream->codec = dip_name_ends_with(path, ".gz")    ? CODEC_GZIP
                    : dip_name_ends_with(path, ".zst") ? CODEC_ZSTD
                                                       : CODEC_PLAIN;
    stream->path = dip_copy_text(path, strlen(path), "a path", err);
    if (stream->path == NULL) {
        dip_stream_close(stream);
        return NULL;
    }
    return stream;
}

static dip_status hand_out(dip_stream **out, dip_stream *stream, dip_status status) {
    if (status != DIP_OK) {
        dip_stream_close(stream);
        return status;
    }
    *out = stream;
    return DIP_OK;
}

dip_status dip_stream_open(dip_stream **out, const char *path, dip_error *err) {
    dip_stream *stream = new_stream(path, err);
    return stream != NULL ? hand_out(out, stream, open_file(stream, path, err)) : DIP_ERR_MEMORY;
}

dip_status dip_stream_open_bytes(dip_stream **out, const void *data, size_t bytes, const char *name,
                                 dip_error *err) {
    dip_stream *stream = new_stream(name, err);
    if (stream == NULL) {
        return DIP_ERR_MEMORY;
    }
    stream->bytes = data;
    stream->size = bytes;
    return hand_out(out, stream, open_codec(stream, err));
}

/* The next bytes of the file or the memory: fewer than asked for only at the end. */
static dip_status read_source(dip_stream *stream, void *data, size_t capacity, size_t *got,
                              dip_error *err) {
    if (stream->fd >= 0) {
        DIP_TRY(dip_read_full(stream->fd, data, capacity, got, stream->path, err));
    } else {
        const size_t left = (size_t)(stream->size - stream->position);
        *got = capacity < left ? capacity : left;
        if (*got > 0) {
            memcpy(data, stream->bytes + stream->position, *got);
        }
    }
    stream->position += *got;
    return DIP_OK;
}

static dip_status refill(dip_stream *stream, dip_error *err) {
    if (stream->at < stream->filled || stream->input_ended) {
        return DIP_OK;
    }
    stream->at = 0;
    DIP_TRY(read_source(stream, stream->input, stream->input_bytes, &stream->filled, err));
    stream->input_ended = stream->filled < stream->input_bytes;
    return DIP_OK;
}

static dip_status corrupt(const dip_stream *stream, const char *kind, const char *why,
                          dip_error *err) {
    const uint64_t byte = stream->position - (stream->filled - stream->at);
    return dip_fail(err, DIP_ERR_FORMAT, "%s: damaged %s data near compressed byte %llu: %s",
                    stream->path, kind, (unsigned long long)byte, why);
}

static dip_status gzip_step(dip_stream *stream, void *data, size_t capacity, size_t *got,
                            dip_error *err) {
    z_stream *z = &stream->gzip;
    if (!stream->inside) {
        inflateReset(z);
        stream->inside = true;
    }
    z->next_in = stream->input + stream->at;
    z->avail_in = (uInt)(stream->filled - stream->at);
    z->next_out = data;
    z->avail_out = (uInt)capacity;
    const int outcome = inflate(z, Z_NO_FLUSH);
    stream->at = stream->filled - z->avail_in;
    *got = capacity - z->avail_out;
    if (outcome == Z_STREAM_END) {
        stream->inside = false;
        return DIP_OK;
    }
    if (outcome != Z_OK && outcome != Z_BUF_ERROR) {
        return corrupt(stream, "gzip", z->msg != NULL ? z->msg : "not a gzip member", err);
    }
    return DIP_OK;
}

/* Whether the bytes at hand can begin a frame, or go on with its beginning: of zstd, or one to be
 * skipped. The library would take the formats from before zstd 1.0 as well, and not notice when
 * such a file is cut off. */
static bool is_zstd_frame(dip_stream *stream) {
    static const unsigned char DATA[MAGIC_BYTES] = {0x28, 0xB5, 0x2F, 0xFD};
    static const unsigned char SKIPPED[MAGIC_BYTES] = {0x50, 0x2A, 0x4D, 0x18};
    for (size_t i = stream->at; i < stream->filled && stream->magic_at < MAGIC_BYTES; i++) {
        unsigned char byte = stream->input[i];
        if (stream->magic_at == 0) {
            stream->is_skipped = byte != DATA[0];
            byte = stream->is_skipped ? byte & 0xF0 : byte;
        }
        if (byte != (stream->is_skipped ? SKIPPED : DATA)[stream->magic_at]) {
            return false;
        }
        stream->magic_at++;
    }
    return true;
}

static dip_status zstd_step(dip_stream *stream, void *data, size_t capacity, size_t *got,
                            dip_error *err) {
    if (!is_zstd_frame(stream)) {
        return corrupt(stream, "zstd", "not a zstd frame", err);
    }
    ZSTD_inBuffer input = {stream->input, stream->filled, stream->at};
    ZSTD_outBuffer output = {data, capacity, 0};
    const size_t outcome = ZSTD_decompressStream(stream->zstd, &output, &input);
    stream->at = input.pos;
    *got = output.pos;
    if (ZSTD_isError(outcome)) {
        return corrupt(stream, "zstd", ZSTD_getErrorName(outcome), err);
    }
    stream->inside = outcome != 0;
    stream->magic_at = stream->inside ? stream->magic_at : 0;
    return DIP_OK;
}

static dip_status read_compressed(dip_stream *stream, void *data, size_t capacity, size_t *got,
                                  dip_error *err) {
    const size_t limit = capacity < (1u << 30) ? capacity : (1u << 30);
    *got = 0;
    while (*got == 0) {
        DIP_TRY(refill(stream, err));
        const bool no_input = stream->at == stream->filled;
        if (no_input && !stream->inside) {
            return DIP_OK;
        }
        DIP_TRY(stream->codec == CODEC_GZIP ? gzip_step(stream, data, limit, got, err)
                                            : zstd_step(stream, data, limit, got, err));
        if (no_input && *got == 0 && stream->inside) {
            return corrupt(stream, stream->codec == CODEC_GZIP ? "gzip" : "zstd",
                           "the file ends in the middle; it is truncated", err);
        }
    }
    return DIP_OK;
}

dip_status dip_stream_read(dip_stream *stream, void *data, size_t capacity, size_t *got,
                           dip_error *err) {
    if (stream->codec != CODEC_PLAIN) {
        return read_compressed(stream, data, capacity, got, err);
    }
    return read_source(stream, data, capacity, got, err);
}

uint64_t dip_stream_position(const dip_stream *stream) {
    return stream->position;
}

uint64_t dip_stream_size(const dip_stream *stream) {
    return stream->size;
}

void dip_stream_close(dip_stream *stream) {
    if (stream == NULL) {
        return;
    }
    if (stream->fd >= 0) {
        dip_vfs_get()->close(stream->fd);
    }
    if (stream->gzip_is_ready) {
        inflateEnd(&stream->gzip);
    }
    ZSTD_freeDCtx(stream->zstd);
    dip_free(stream->input);
    dip_free(stream->path);
    dip_free(stream);
}
