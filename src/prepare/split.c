/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/split.h"

#include "base/rng.h"
#include "prepare/quantiles.h"

#include <math.h>
#include <string.h>

/* The rule of a split. */
typedef struct rule {
    const dip_config *config;
    int by; /* DIP_SPLIT_COLUMN: the pairs have their parts */
    dip_rng part_rng;
    dip_rng fraction_rng;
    double test_time; /* pairs at or after it test; +infinity for none */
    double held_out_time;
} rule;

typedef struct unit {
    uint64_t a;
    uint64_t b;
} unit;

/* What is drawn for, as a 128-bit counter: everything with the same counter lands in the same
 * part. */
static unit unit_of(const int32_t rows[2], int by) {
    const uint32_t query = (uint32_t)rows[0];
    const uint32_t item = (uint32_t)rows[1];
    if (by == DIP_SPLIT_QUERY) {
        return (unit){query, UINT64_MAX};
    }
    if (by == DIP_SPLIT_UNORDERED_PAIR && item < query) {
        return (unit){item, query};
    }
    return (unit){query, item};
}

static double draw(dip_rng rng, unit key) {
    return dip_unit(dip_rng_at(rng, key.a, key.b).word[0]);
}

static uint8_t part_at_random(const rule *r, const int32_t rows[2]) {
    const double u = draw(r->part_rng, unit_of(rows, r->config->split.by));
    return u < r->config->split.test                                 ? DIP_PART_TEST
           : u < r->config->split.test + r->config->split.validation ? DIP_PART_VALIDATION
                                                                     : DIP_PART_TRAIN;
}

static uint8_t part_by_time(const rule *r, double time) {
    return time >= r->test_time       ? DIP_PART_TEST
           : time >= r->held_out_time ? DIP_PART_VALIDATION
                                      : DIP_PART_TRAIN;
}

static void assign(const rule *r, const dip_pairs_chunk *chunk, int threads) {
    const int by = r->by;
    const double fraction = r->config->split.train_fraction;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t i = 0; i < chunk->n; i++) {
        if (by == DIP_SPLIT_TIME) {
            chunk->parts[i] = part_by_time(r, chunk->times[i]);
        } else if (by != DIP_SPLIT_COLUMN) {
            chunk->parts[i] = part_at_random(r, chunk->rows[i]);
        }
        if (fraction < 1 && chunk->parts[i] == DIP_PART_TRAIN &&
            draw(r->fraction_rng, unit_of(chunk->rows[i], DIP_SPLIT_PAIR)) >= fraction) {
            chunk->parts[i] = DIP_PART_UNUSED;
        }
    }
}

/* The time at or after which the last `share` of the pairs lies; +infinity for none. */
static dip_status cut_time(const dip_pairs *pairs, double share, double *time, dip_error *err) {
    const uint64_t held_out = (uint64_t)((double)pairs->n * share + 0.5);
    *time = INFINITY;
    if (held_out == 0) {
        return DIP_OK;
    }
    const uint64_t rank = pairs->n - held_out;
    return dip_quantiles(&pairs->times, NULL, &rank, 1, time, err);
}

static dip_status assign_all(dip_pairs *pairs, const rule *r, const dip_means *means,
                             int64_t *counts, dip_spool *parts, dip_error *err) {
    dip_pairs_cursor cursor;
    dip_status status = dip_pairs_begin(&cursor, pairs, err);
    while (status == DIP_OK) {
        status = dip_pairs_next(&cursor, err);
        if (status != DIP_OK || cursor.chunk.n == 0) {
            break;
        }
        assign(r, &cursor.chunk, means->threads);
        for (size_t i = 0; i < cursor.chunk.n; i++) {
            counts[cursor.chunk.parts[i]]++;
        }
        status = dip_spool_put(parts, cursor.chunk.parts, cursor.chunk.n, err);
    }
    dip_pairs_end(&cursor);
    return status;
}

dip_status dip_split(dip_pairs *pairs, const dip_config *config, const dip_means *means,
                     int64_t counts[DIP_PART_UNUSED + 1], dip_error *err) {
    const uint64_t seed = (uint64_t)config->split.seed;
    memset(counts, 0, (DIP_PART_UNUSED + 1) * sizeof *counts);
    rule r = {.config = config,
              .by = pairs->stored != NULL ? DIP_SPLIT_COLUMN : config->split.by,
              .part_rng = dip_rng_make(seed, DIP_DRAW_SPLIT),
              .fraction_rng = dip_rng_make(seed, DIP_DRAW_FRACTION)};
    if (r.by == DIP_SPLIT_TIME) {
        const double test = config->split.test;
        DIP_TRY(cut_time(pairs, test, &r.test_time, err));
        DIP_TRY(cut_time(pairs, test + config->split.validation, &r.held_out_time, err));
    }
    dip_spool parts = {.scratch = pairs->rows.scratch};
    const dip_status status = assign_all(pairs, &r, means, counts, &parts, err);
    dip_spool_free(&pairs->parts);
    pairs->parts = parts;
    pairs->has_part = true;
    DIP_TRY(status);
    if (counts[DIP_PART_TRAIN] == 0 && pairs->stored == NULL) {
        return dip_fail(err, DIP_ERR_FAILED,
                        "the split leaves none of the %llu pairs for training; lower split.test, "
                        "split.validation, or raise split.train_fraction",
                        (unsigned long long)pairs->n);
    }
    return DIP_OK;
}
