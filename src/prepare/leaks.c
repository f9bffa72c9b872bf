/* SPDX-License-Identifier: Apache-2.0
 *
 * Reversed pairs are found by a hash table of test pairs, as many at a time as fit into the memory,
 * and a walk over the training pairs for each table.
 */
#include "prepare/leaks.h"

#include "base/mem.h"

#include <string.h>

enum { SLOTS_A_KEY = 2, FEWEST_KEYS = 1 << 16 };

typedef struct key_set {
    uint64_t *slots; /* key + 1, or 0 */
    size_t n_slots;  /* a power of two */
    size_t n;
    size_t most;
} key_set;

static size_t slot_of(const key_set *set, uint64_t key) {
    size_t slot = (size_t)dip_pair_hash(key) & (set->n_slots - 1);
    while (set->slots[slot] != 0 && set->slots[slot] != key + 1) {
        slot = (slot + 1) & (set->n_slots - 1);
    }
    return slot;
}

static dip_status make_set(key_set *set, int64_t n_test, const dip_means *means, dip_error *err) {
    const size_t room = means->memory / 4 / (sizeof *set->slots * SLOTS_A_KEY * 2);
    set->most = (size_t)n_test;
    if (set->most > room) {
        set->most = room > FEWEST_KEYS ? room : FEWEST_KEYS;
    }
    set->n_slots = 64;
    while (set->n_slots < SLOTS_A_KEY * set->most) {
        set->n_slots *= 2;
    }
    set->slots = dip_alloc(set->n_slots, sizeof *set->slots, "test pairs", err);
    return set->slots != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

/* How many training pairs are in the set. */
static dip_status count_in_set(const key_set *set, const dip_pairs *pairs, int64_t *count,
                               dip_error *err) {
    dip_pairs_cursor cursor;
    dip_status status = dip_pairs_begin(&cursor, pairs, err);
    while (status == DIP_OK) {
        status = dip_pairs_next(&cursor, err);
        if (status != DIP_OK || cursor.chunk.n == 0) {
            break;
        }
        for (size_t i = 0; i < cursor.chunk.n; i++) {
            const int32_t *rows = cursor.chunk.rows[i];
            if (cursor.chunk.parts[i] == DIP_PART_TRAIN) {
                *count += set->slots[slot_of(set, dip_pair_key(rows[0], rows[1]))] != 0;
            }
        }
    }
    dip_pairs_end(&cursor);
    return status;
}

/* Adds the reverse of a test pair; a full set is counted and emptied. */
static dip_status add_reverse(key_set *set, const dip_pairs *pairs, const int32_t rows[2],
                              int64_t *count, dip_error *err) {
    if (set->n == set->most) {
        DIP_TRY(count_in_set(set, pairs, count, err));
        memset(set->slots, 0, set->n_slots * sizeof *set->slots);
        set->n = 0;
    }
    const uint64_t key = dip_pair_key(rows[1], rows[0]);
    set->slots[slot_of(set, key)] = key + 1;
    set->n++;
    return DIP_OK;
}

static dip_status walk(const dip_pairs *pairs, const dip_fit *fit, key_set *set, dip_leaks *leaks,
                       dip_pairs_cursor *cursor, dip_error *err) {
    for (;;) {
        DIP_TRY(dip_pairs_next(cursor, err));
        if (cursor->chunk.n == 0) {
            break;
        }
        for (size_t i = 0; i < cursor->chunk.n; i++) {
            const int32_t *rows = cursor->chunk.rows[i];
            if (cursor->chunk.parts[i] != DIP_PART_TEST) {
                continue;
            }
            leaks->test_pairs_of_trained_queries += fit->asks[rows[0]];
            leaks->cold_test_pairs += fit->item_count[rows[1]] == 0;
            if (set != NULL) {
                DIP_TRY(add_reverse(set, pairs, rows, &leaks->reversed_test_pairs, err));
            }
        }
    }
    return set != NULL && set->n > 0 ? count_in_set(set, pairs, &leaks->reversed_test_pairs, err)
                                     : DIP_OK;
}

dip_status dip_leaks_count(const dip_pairs *pairs, const dip_fit *fit, bool queries_are_items,
                           int64_t n_test, const dip_means *means, dip_leaks *leaks,
                           dip_error *err) {
    key_set set = {0};
    dip_pairs_cursor cursor;
    *leaks = (dip_leaks){0};
    if (n_test == 0) {
        return DIP_OK;
    }
    if (queries_are_items) {
        DIP_TRY(make_set(&set, n_test, means, err));
    }
    dip_status status = dip_pairs_begin(&cursor, pairs, err);
    if (status == DIP_OK) {
        status = walk(pairs, fit, queries_are_items ? &set : NULL, leaks, &cursor, err);
    }
    dip_pairs_end(&cursor);
    dip_free(set.slots);
    return status;
}
