/* SPDX-License-Identifier: Apache-2.0
 *
 * What the splits leak, from the pairs themselves. The held-out pairs go into a hash table, and the
 * training pairs are walked past it. When the table would be larger than a constant, the pairs are
 * cut into parts by their hash, and each part takes a walk of its own over all pairs: memory stays
 * the same, and nothing is sorted.
 */
#include "base/mem.h"
#include "check/parts.h"

#include <string.h>

/* What is known of a held-out pair. */
enum { SEEN_IN_TRAIN = 1, REVERSE_IN_TRAIN = 2, SEEN_IN_VALIDATION = 4 };

#define FREE UINT64_MAX /* no pair: rows are below 2^31 */

typedef struct table {
    uint64_t *key; /* [slots] */
    uint8_t *seen; /* [slots] */
    size_t slots;  /* a power of two */
    uint64_t part;
    uint64_t n_parts;
} table;

typedef struct leaks {
    int64_t distinct;
    int64_t repeated; /* pairs that stand in the split already */
    int64_t in_train;
    int64_t reversed;
    int64_t in_validation;
} leaks;

static uint64_t key_of(int32_t query, int32_t item) {
    return ((uint64_t)(uint32_t)query << 32) | (uint32_t)item;
}

/* SplitMix64's finaliser: the high bits choose the part, the low ones the slot. */
static uint64_t mix(uint64_t key) {
    key = (key ^ (key >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    key = (key ^ (key >> 27)) * UINT64_C(0x94D049BB133111EB);
    return key ^ (key >> 31);
}

static bool is_mine(const table *t, uint64_t hash) {
    return (hash >> 40) % t->n_parts == t->part;
}

/* The slot of a key, or the free one where it belongs. */
static size_t find_slot(const table *t, uint64_t key, uint64_t hash) {
    size_t slot = (size_t)hash & (t->slots - 1);
    while (t->key[slot] != FREE && t->key[slot] != key) {
        slot = (slot + 1) & (t->slots - 1);
    }
    return slot;
}

/* Slots take 9 bytes, and half of them are used. */
static dip_status make_table(table *t, int64_t n, size_t most, dip_error *err) {
    t->slots = 16;
    while (t->slots < most && t->slots < 2 * (uint64_t)n) {
        t->slots *= 2;
    }
    /* On average a part fills half of the slots at most, and parts of a hash differ little. */
    t->n_parts = t->slots < most ? 1 : (uint64_t)n / (most / 2) + 1;
    t->key = dip_alloc(t->slots, sizeof *t->key, "held-out pairs", err);
    t->seen = dip_alloc(t->slots, 1, "held-out pairs", err);
    return t->key != NULL && t->seen != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static void fill_table(const dip_checkup *check, table *t, size_t split, leaks *found) {
    const dip_dataset *dataset = check->dataset;
    memset(t->key, 0xFF, t->slots * sizeof *t->key);
    memset(t->seen, 0, t->slots);
    for (int64_t i = 0; i < dataset->n_pairs[split]; i++) {
        const int32_t *pair = dataset->pairs[split] + 2 * i;
        const uint64_t key = key_of(pair[0], pair[1]);
        const uint64_t hash = mix(key);
        if (dip_walk_ends(i)) {
            dip_dataset_pass(dataset, pair);
        }
        if (!is_mine(t, hash)) {
            continue;
        }
        const size_t slot = find_slot(t, key, hash);
        found->repeated += t->key[slot] == key;
        found->distinct += t->key[slot] == FREE;
        t->key[slot] = key;
    }
}

static void mark(table *t, int32_t query, int32_t item, uint8_t what) {
    const uint64_t key = key_of(query, item);
    const uint64_t hash = mix(key);
    if (is_mine(t, hash)) {
        const size_t slot = find_slot(t, key, hash);
        t->seen[slot] |= t->key[slot] == key ? what : 0;
    }
}

static dip_status walk_past(const dip_checkup *check, table *t, size_t split, size_t held_out,
                            dip_error *err) {
    const dip_dataset *dataset = check->dataset;
    const bool can_reverse = dataset->schema.queries_are_items && split == 0;
    const int64_t n = dataset->n_pairs[split];
    dip_progress progress = {.phase = "looking for leaks",
                             .unit = "pairs",
                             .detail = dip_split_names[held_out],
                             .total = (uint64_t)n * t->n_parts};
    for (int64_t i = 0; i < n; i++) {
        const int32_t *pair = dataset->pairs[split] + 2 * i;
        mark(t, pair[0], pair[1], split == 0 ? SEEN_IN_TRAIN : SEEN_IN_VALIDATION);
        if (can_reverse) {
            mark(t, pair[1], pair[0], REVERSE_IN_TRAIN);
        }
        if (dip_walk_ends(i)) {
            dip_dataset_pass(dataset, pair);
            progress.done = (uint64_t)n * t->part + (uint64_t)i;
            DIP_TRY(dip_tell(check->watch, &progress, err));
        }
    }
    return DIP_OK;
}

static void count_marks(const table *t, leaks *found) {
    for (size_t i = 0; i < t->slots; i++) {
        found->in_train += (t->seen[i] & SEEN_IN_TRAIN) != 0;
        found->reversed += (t->seen[i] & REVERSE_IN_TRAIN) != 0;
        found->in_validation += (t->seen[i] & SEEN_IN_VALIDATION) != 0;
    }
}

static dip_status look_for(const dip_checkup *check, size_t split, leaks *found, dip_error *err) {
    table t = {0};
    *found = (leaks){0};
    dip_status status = make_table(&t, check->dataset->n_pairs[split], check->slots_most, err);
    for (; status == DIP_OK && t.part < t.n_parts; t.part++) {
        fill_table(check, &t, split, found);
        status = walk_past(check, &t, 0, split, err);
        if (status == DIP_OK && split == 2) {
            status = walk_past(check, &t, 1, split, err);
        }
        count_marks(&t, found);
    }
    dip_free(t.key);
    dip_free(t.seen);
    return status;
}

/* ---- the report ------------------------------------------------------------------------------ */

typedef struct asked {
    int64_t untrained_queries; /* held-out queries that are the query of no training pair */
    int64_t untrained_pairs;
    int64_t cold_pairs; /* held-out pairs whose item is the item of no training pair */
} asked;

static int64_t count_self_pairs(const dip_checkup *check, size_t split) {
    const dip_dataset *dataset = check->dataset;
    int64_t count = 0;
    for (int64_t i = 0; dataset->schema.queries_are_items && i < dataset->n_pairs[split]; i++) {
        const int32_t *pair = dataset->pairs[split] + 2 * i;
        count += pair[0] == pair[1];
        if (dip_walk_ends(i)) {
            dip_dataset_pass(dataset, pair);
        }
    }
    return count;
}

static asked count_asked(const dip_checkup *check, size_t split) {
    const dip_dataset *dataset = check->dataset;
    const uint8_t fact = split == 2 ? DIP_FACT_TESTED : DIP_FACT_VALIDATED;
    asked a = {0};
    for (int64_t q = 0; q < dip_check_queries(check); q++) {
        a.untrained_queries += (check->query_facts[q] & (fact | DIP_FACT_ASKS)) == fact;
    }
    for (int64_t i = 0; i < dataset->n_pairs[split]; i++) {
        const int32_t *pair = dataset->pairs[split] + 2 * i;
        a.untrained_pairs += (check->query_facts[pair[0]] & DIP_FACT_ASKS) == 0;
        a.cold_pairs += check->item_count[pair[1]] == 0;
        if (dip_walk_ends(i)) {
            dip_dataset_pass(dataset, pair);
        }
    }
    return a;
}

static dip_status put_split(const dip_checkup *check, json_t *splits, size_t split,
                            const leaks *found, const asked *a, dip_error *err) {
    json_t *object = NULL;
    DIP_TRY(dip_json_put_object(splits, dip_split_names[split], &object, err));
    DIP_TRY(dip_put_integer(object, "pairs", check->dataset->n_pairs[split], err));
    DIP_TRY(dip_put_integer(object, "repeated_pairs", found->repeated, err));
    DIP_TRY(dip_put_integer(object, "pairs_that_train", found->in_train, err));
    if (check->dataset->schema.queries_are_items) {
        DIP_TRY(dip_put_integer(object, "reversed_pairs_that_train", found->reversed, err));
    }
    if (split == 2) {
        DIP_TRY(dip_put_integer(object, "pairs_that_validate", found->in_validation, err));
    }
    DIP_TRY(dip_put_integer(object, "queries_without_training", a->untrained_queries, err));
    DIP_TRY(dip_put_integer(object, "pairs_of_queries_without_training", a->untrained_pairs, err));
    DIP_TRY(dip_put_integer(object, "pairs_with_cold_items", a->cold_pairs, err));
    return dip_put_integer(object, "self_pairs", count_self_pairs(check, split), err);
}

static dip_status find_in_split(const dip_checkup *check, size_t split, const leaks *found,
                                dip_error *err) {
    static const char *const ABOUT[] = {"", "validation split", "test split"};
    const char *name = dip_split_names[split];
    const long long n = (long long)check->dataset->n_pairs[split];
    if (found->in_train > 0) {
        DIP_TRY(dip_find(check, DIP_PROBLEM, ABOUT[split],
                         "Remove repeated rows, or let prepare split the pairs.", err,
                         "%lld of %lld %s pairs are training pairs too: metrics would measure "
                         "memory.",
                         (long long)found->in_train, n, name));
    }
    if (found->reversed > 0) {
        const bool is_grave = (double)found->reversed >= 0.01 * (double)n;
        DIP_TRY(
            dip_find(check, is_grave ? DIP_PROBLEM : DIP_WARNING, ABOUT[split],
                     "Prepare with split.by: unordered_pair, which keeps a pair and its reverse "
                     "together.",
                     err, "For %lld of %lld %s pairs the reverse pair trains.",
                     (long long)found->reversed, n, name));
    }
    if (found->in_validation > 0) {
        DIP_TRY(dip_find(check, DIP_WARNING, ABOUT[split],
                         "Remove repeated rows, or let prepare split the pairs.", err,
                         "%lld of %lld test pairs are validation pairs too: the epoch is chosen by "
                         "what tests it.",
                         (long long)found->in_validation, n));
    }
    return DIP_OK;
}

static dip_status find_untrained(const dip_checkup *check, const asked *a, dip_error *err) {
    const dip_entity *entity = dip_schema_entity(&check->dataset->schema, DIP_SIDE_QUERY);
    bool has_only_ids = true;
    for (size_t f = 0; f < entity->n_features; f++) {
        has_only_ids = has_only_ids && entity->features[f].type == DIP_FEATURE_ID;
    }
    if (a->untrained_queries == 0) {
        return DIP_OK;
    }
    return dip_find(
        check, has_only_ids ? DIP_WARNING : DIP_NOTE, "test split",
        has_only_ids ? "Give the queries features, or split by pair so that each query trains."
                     : "Nothing to do: their features answer for them.",
        err, "%lld of %lld test queries, with %lld pairs, have no training pair%s",
        (long long)a->untrained_queries, (long long)check->n_test_asked,
        (long long)a->untrained_pairs,
        has_only_ids ? ", and no feature but their id: the model cannot tell them apart." : ".");
}

/* What prepare left out, which only the manifest knows. */
static dip_status put_counts(const dip_checkup *check, json_t *splits, dip_error *err) {
    static const struct {
        const char *key;
        dip_level level;
        const char *text;
        const char *advice;
    } ROWS[] = {
        {"duplicates", DIP_NOTE, "repeated pairs were kept once by prepare.", "Nothing to do."},
        {"self_pairs", DIP_NOTE, "pairs of an item with itself were left out by prepare.",
         "Nothing to do."},
        {"unknown_ids", DIP_WARNING,
         "interactions name an id that is in no file, and were left out by prepare.",
         "Look at the warnings of prepare for examples; prepare.unknown_ids: stop makes them an "
         "error."},
        {"unused", DIP_NOTE, "training pairs were left out by split.train_fraction.",
         "Nothing to do when this is the low-supervision test."},
    };
    const json_t *counts = json_object_get(check->dataset->folder.manifest, "counts");
    json_t *object = NULL;
    DIP_TRY(dip_json_put_object(splits, "left_out", &object, err));
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const int64_t n = json_integer_value(json_object_get(counts, ROWS[i].key));
        DIP_TRY(dip_put_integer(object, ROWS[i].key, n, err));
        if (n > 0) {
            DIP_TRY(dip_find(check, ROWS[i].level, "interactions", ROWS[i].advice, err, "%lld %s",
                             (long long)n, ROWS[i].text));
        }
    }
    return DIP_OK;
}

static dip_status find_method(const dip_checkup *check, json_t *splits, dip_error *err) {
    char by[DIP_VALUE_MAX];
    const int kind = check->dataset->config.split.by;
    dip_options_get(dip_options_find(&dip_config_table, "split.by"), &check->dataset->config, by);
    DIP_TRY(dip_put_text(splits, "by", by, err));
    if (kind == DIP_SPLIT_TIME || kind == DIP_SPLIT_COLUMN) {
        return DIP_OK;
    }
    return dip_find(check, DIP_NOTE, "splits",
                    "With a time column, split.by: time is the honest cut for forecasting.", err,
                    "The split is by %s, not by time: training may know pairs that are newer than "
                    "test pairs.",
                    by);
}

static dip_status find_self_pairs(const dip_checkup *check, json_t *splits, dip_error *err) {
    const int64_t count = count_self_pairs(check, 0);
    json_t *object = NULL;
    DIP_TRY(dip_json_put_object(splits, "train", &object, err));
    DIP_TRY(dip_put_integer(object, "pairs", check->dataset->n_pairs[0], err));
    DIP_TRY(dip_put_integer(object, "self_pairs", count, err));
    if (count == 0) {
        return DIP_OK;
    }
    return dip_find(check, DIP_WARNING, "training split",
                    "Prepare the dataset again: prepare leaves such pairs out.", err,
                    "%lld training pairs are of an item with itself.", (long long)count);
}

dip_status dip_check_leaks(dip_checkup *check, dip_error *err) {
    json_t *splits = NULL;
    DIP_TRY(dip_json_put_object(check->report, "splits", &splits, err));
    DIP_TRY(find_method(check, splits, err));
    DIP_TRY(find_self_pairs(check, splits, err));
    for (size_t split = 1; split < DIP_N_SPLITS; split++) {
        leaks found;
        const asked a = count_asked(check, split);
        DIP_TRY(look_for(check, split, &found, err));
        DIP_TRY(put_split(check, splits, split, &found, &a, err));
        DIP_TRY(find_in_split(check, split, &found, err));
        if (split == 2) {
            DIP_TRY(find_untrained(check, &a, err));
        }
    }
    return put_counts(check, splits, err);
}
