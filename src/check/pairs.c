/* SPDX-License-Identifier: Apache-2.0
 *
 * One walk over the pairs of each split: how many rows there are of each kind, and whether the
 * counts that the dataset carries are those of its pairs.
 */
#include "base/mem.h"
#include "check/parts.h"

static dip_status alloc_facts(dip_checkup *check, dip_error *err) {
    const size_t n = (size_t)check->dataset->items.n;
    check->item_count = dip_alloc(n, sizeof *check->item_count, "item counts", err);
    check->item_facts = dip_alloc(n, 1, "facts on items", err);
    if (check->item_count == NULL || check->item_facts == NULL) {
        return DIP_ERR_MEMORY;
    }
    check->query_facts =
        check->dataset->schema.queries_are_items
            ? check->item_facts
            : dip_alloc((size_t)dip_check_queries(check), 1, "facts on queries", err);
    return check->query_facts != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

static void note_pair(const dip_checkup *check, size_t split, const int32_t *pair) {
    static const uint8_t ASKED[DIP_N_SPLITS] = {DIP_FACT_ASKS | DIP_FACT_TRAINS, DIP_FACT_VALIDATED,
                                                DIP_FACT_TESTED};
    static const uint8_t GIVEN[DIP_N_SPLITS] = {DIP_FACT_TRAINS, 0, DIP_FACT_TEST_ITEM};
    check->query_facts[pair[0]] |= ASKED[split];
    check->item_facts[pair[1]] |= GIVEN[split];
    check->item_count[pair[1]] += split == 0;
}

static dip_status walk_pairs(dip_checkup *check, size_t split, dip_error *err) {
    const dip_dataset *dataset = check->dataset;
    dip_progress progress = {.phase = "counting pairs",
                             .unit = "pairs",
                             .detail = dip_split_names[split],
                             .total = (uint64_t)dataset->n_pairs[split]};
    for (int64_t i = 0; i < dataset->n_pairs[split]; i++) {
        note_pair(check, split, dataset->pairs[split] + 2 * i);
        if (dip_walk_ends(i)) {
            dip_dataset_pass(dataset, dataset->pairs[split] + 2 * i);
            progress.done = (uint64_t)i + 1;
            DIP_TRY(dip_tell(check->watch, &progress, err));
        }
    }
    return DIP_OK;
}

static int64_t count_facts(const uint8_t *facts, int64_t n, uint8_t wanted, uint8_t unwanted) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        count += (facts[i] & wanted) == wanted && (facts[i] & unwanted) == 0;
    }
    return count;
}

static dip_status put_rows(dip_checkup *check, dip_error *err) {
    const dip_dataset *dataset = check->dataset;
    const int64_t n = dataset->items.n;
    const int64_t n_queries = dip_check_queries(check);
    json_t *rows = NULL;
    json_t *pairs = NULL;
    check->n_test_asked = count_facts(check->query_facts, n_queries, DIP_FACT_TESTED, 0);
    check->n_valid_asked = count_facts(check->query_facts, n_queries, DIP_FACT_VALIDATED, 0);
    DIP_TRY(dip_json_put_object(check->report, "rows", &rows, err));
    DIP_TRY(dip_put_integer(rows, "items", n, err));
    DIP_TRY(dip_put_integer(rows, "queries", n_queries, err));
    DIP_TRY(dip_json_set(rows, "queries_are_items", json_boolean(dataset->schema.queries_are_items),
                         err));
    DIP_TRY(dip_put_integer(rows, "training_items",
                            count_facts(check->item_facts, n, DIP_FACT_TRAINS, 0), err));
    DIP_TRY(dip_put_integer(rows, "training_queries",
                            count_facts(check->query_facts, n_queries, DIP_FACT_ASKS, 0), err));
    DIP_TRY(dip_put_integer(rows, "test_queries", check->n_test_asked, err));
    DIP_TRY(dip_put_integer(rows, "validation_queries", check->n_valid_asked, err));
    DIP_TRY(dip_json_put_object(rows, "pairs", &pairs, err));
    for (size_t s = 0; s < DIP_N_SPLITS; s++) {
        DIP_TRY(dip_put_integer(pairs, dip_split_names[s], dataset->n_pairs[s], err));
    }
    return DIP_OK;
}

/* What prepare counted must be what the pairs give. */
static dip_status compare_counts(const dip_checkup *check, dip_error *err) {
    const dip_dataset *dataset = check->dataset;
    int64_t other_count = 0;
    int64_t other_trains = 0;
    for (int64_t i = 0; i < dataset->items.n; i++) {
        const bool trains = (check->item_facts[i] & DIP_FACT_TRAINS) != 0;
        other_count += check->item_count[i] != dataset->item_count[i];
        other_trains += trains != (dataset->item_trains[i] != 0);
    }
    static const char AGAIN[] = "Prepare the dataset again: whatever wrote it is at odds with "
                                "docs/formats.md.";
    if (other_count > 0) {
        DIP_TRY(dip_find(check, DIP_PROBLEM, "item-count.npy", AGAIN, err,
                         "%lld items have another number of training pairs in item-count.npy than "
                         "in pairs-train.npy",
                         (long long)other_count));
    }
    if (other_trains > 0) {
        DIP_TRY(dip_find(check, DIP_PROBLEM, "item-trains.npy", AGAIN, err,
                         "%lld items are marked in item-trains.npy otherwise than pairs-train.npy "
                         "says",
                         (long long)other_trains));
    }
    return DIP_OK;
}

static dip_status find_sizes(const dip_checkup *check, dip_error *err) {
    const int64_t *n = check->dataset->n_pairs;
    if (n[2] == 0) {
        DIP_TRY(dip_find(check, DIP_WARNING, "test split",
                         "Set split.test above 0 and prepare "
                         "again.",
                         err, "There are no test pairs: evaluate has nothing to measure."));
    }
    if (n[1] == 0) {
        DIP_TRY(dip_find(check, DIP_NOTE, "validation split",
                         "Set split.validation above 0 to stop at the best epoch.", err,
                         "There are no validation pairs: training keeps the last epoch, whether "
                         "it is the best or not."));
    }
    if (n[0] > 0 && n[0] < check->config->train.batch) {
        DIP_TRY(dip_find(check, DIP_NOTE, "train.batch",
                         "Nothing to do; a smaller train.batch makes more steps an epoch.", err,
                         "The batch of %lld is cut to the %lld training pairs that there are: an "
                         "epoch is one step.",
                         (long long)check->config->train.batch, (long long)n[0]));
    }
    return DIP_OK;
}

dip_status dip_check_pairs(dip_checkup *check, dip_error *err) {
    DIP_TRY(alloc_facts(check, err));
    for (size_t s = 0; s < DIP_N_SPLITS; s++) {
        DIP_TRY(walk_pairs(check, s, err));
    }
    DIP_TRY(put_rows(check, err));
    DIP_TRY(compare_counts(check, err));
    return find_sizes(check, err);
}
