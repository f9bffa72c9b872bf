/* SPDX-License-Identifier: Apache-2.0
 *
 * Pairs keep their order, but for the training pairs of a large dataset, which get a random one in
 * two passes: each draws a bucket, and each bucket is shuffled in memory. An epoch reads windows of
 * the file and shuffles within them (train/), so a window must not be a stretch of the raw file.
 */
#include "prepare/write_pairs.h"

#include "base/mem.h"
#include "base/npy.h"
#include "base/rng.h"
#include "data/dataset.h"

#include <stdio.h>
#include <string.h>

/* Buckets of 2^22 pairs, 32 MiB, where a window has 2^26. */
enum { BUCKETS_A_WINDOW = 16 };

/* The pairs of one part, in order. */
static dip_status put_part(const dip_parts *parts, uint8_t part, dip_writer *writer,
                           dip_error *err) {
    dip_pairs_cursor cursor;
    dip_status status = dip_pairs_begin(&cursor, parts->pairs, err);
    while (status == DIP_OK) {
        status = dip_pairs_next(&cursor, err);
        if (status != DIP_OK || cursor.chunk.n == 0) {
            break;
        }
        size_t kept = 0;
        for (size_t i = 0; i < cursor.chunk.n; i++) {
            if (cursor.chunk.parts[i] == part) {
                cursor.chunk.rows[kept][0] = cursor.chunk.rows[i][0];
                cursor.chunk.rows[kept][1] = cursor.chunk.rows[i][1];
                kept++;
            }
        }
        status = dip_writer_put(writer, cursor.chunk.rows, kept * sizeof *cursor.chunk.rows, err);
    }
    dip_pairs_end(&cursor);
    return status;
}

static dip_status divide(const dip_parts *parts, dip_spool *buckets, size_t n, dip_rng rng,
                         dip_error *err) {
    dip_pairs_cursor cursor;
    dip_status status = dip_pairs_begin(&cursor, parts->pairs, err);
    uint64_t place = 0;
    while (status == DIP_OK) {
        status = dip_pairs_next(&cursor, err);
        if (status != DIP_OK || cursor.chunk.n == 0) {
            break;
        }
        for (size_t i = 0; status == DIP_OK && i < cursor.chunk.n; i++) {
            if (cursor.chunk.parts[i] == DIP_PART_TRAIN) {
                const dip_draw draw = dip_rng_at(rng, place++, 0);
                status = dip_spool_put(&buckets[dip_below(draw.word[0], draw.word[1], n)],
                                       cursor.chunk.rows[i], sizeof *cursor.chunk.rows, err);
            }
        }
    }
    dip_pairs_end(&cursor);
    return status;
}

/* Fisher and Yates' shuffle of a bucket in memory. */
static void shuffle(int32_t (*rows)[2], size_t n, dip_rng rng, uint64_t bucket) {
    for (size_t i = n; i > 1; i--) {
        const dip_draw draw = dip_rng_at(rng, i, bucket + 1);
        const size_t other = (size_t)dip_below(draw.word[0], draw.word[1], i);
        const int32_t row[2] = {rows[i - 1][0], rows[i - 1][1]};
        memcpy(rows[i - 1], rows[other], sizeof row);
        memcpy(rows[other], row, sizeof row);
    }
}

static dip_status put_bucket(const dip_spool *bucket, dip_rng rng, uint64_t number,
                             dip_writer *writer, dip_error *err) {
    const size_t bytes = (size_t)dip_spool_bytes(bucket);
    dip_spool_cursor cursor = {.spool = bucket};
    int32_t(*rows)[2] = dip_alloc(bytes, 1, "a bucket of pairs", err);
    dip_status status = rows != NULL ? dip_spool_get(&cursor, rows, bytes, err) : DIP_ERR_MEMORY;
    dip_spool_cursor_free(&cursor);
    if (status == DIP_OK) {
        shuffle(rows, bytes / sizeof *rows, rng, number);
        status = dip_writer_put(writer, rows, bytes, err);
    }
    dip_free(rows);
    return status;
}

static dip_status put_scattered(const dip_parts *parts, size_t n, dip_writer *writer,
                                dip_error *err) {
    dip_spool *buckets = dip_alloc(n, sizeof *buckets, "buckets of pairs", err);
    if (buckets == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t b = 0; b < n; b++) {
        buckets[b].scratch = parts->pairs->rows.scratch;
    }
    const dip_rng rng = dip_rng_make(parts->seed, DIP_DRAW_SCATTER);
    dip_status status = divide(parts, buckets, n, rng, err);
    for (size_t b = 0; status == DIP_OK && b < n; b++) {
        status = put_bucket(&buckets[b], rng, b, writer, err);
        dip_spool_free(&buckets[b]);
    }
    for (size_t b = 0; b < n; b++) {
        dip_spool_free(&buckets[b]);
    }
    dip_free(buckets);
    return status;
}

dip_status dip_write_split(const dip_parts *parts, size_t s, dip_folder_writer *folder,
                           dip_error *err) {
    char name[DIP_PART_NAME_MAX];
    dip_writer *writer = NULL;
    const int64_t n = parts->counts[s];
    const size_t windows =
        parts->scatter > 0 ? ((size_t)n + parts->scatter - 1) / parts->scatter : 0;
    snprintf(name, sizeof name, "pairs-%s.npy", dip_split_names[s]);
    DIP_TRY(dip_npy_begin(folder, name, DIP_NPY_I32, n, 2, &writer, err));
    DIP_TRY(s == DIP_PART_TRAIN && windows > 1
                ? put_scattered(parts, windows * BUCKETS_A_WINDOW, writer, err)
                : put_part(parts, (uint8_t)s, writer, err));
    return dip_folder_end(folder, err);
}

dip_status dip_write_pairs(const dip_parts *parts, dip_folder_writer *folder, dip_error *err) {
    for (size_t s = 0; s < DIP_N_SPLITS; s++) {
        DIP_TRY(dip_write_split(parts, s, folder, err));
    }
    return DIP_OK;
}
