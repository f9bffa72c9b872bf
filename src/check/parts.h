/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of a check share: the dataset, facts on its rows that one file finds and others
 * use, and the list of findings.
 */
#ifndef DIP_CHECK_PARTS_H
#define DIP_CHECK_PARTS_H

#include "base/json.h"
#include "base/progress.h"
#include "data/dataset.h"

/* Facts on a row, as bits. */
enum {
    DIP_FACT_TRAINS = 1,     /* it is in a training pair, on any side */
    DIP_FACT_ASKS = 2,       /* it is the query of a training pair */
    DIP_FACT_TESTED = 4,     /* it is the query of a test pair */
    DIP_FACT_VALIDATED = 8,  /* ... of a validation pair */
    DIP_FACT_HEAD = 16,      /* an item of the head */
    DIP_FACT_TEST_ITEM = 32, /* it is the item of a test pair */
};

typedef enum dip_level { DIP_NOTE, DIP_WARNING, DIP_PROBLEM } dip_level;

/* One feature of one side. */
typedef struct dip_feature_facts {
    double coverage;    /* share of rows with a value */
    double mean_values; /* values a row */
    bool is_silent;     /* it is the same for all rows: no value anywhere, or one */
} dip_feature_facts;

typedef struct dip_checkup {
    const dip_dataset *dataset;
    const dip_config *config;
    const dip_watch *watch;
    bool measures;
    size_t slots_most; /* of the table in which leaks are looked up, a power of two */
    json_t *report;
    json_t *findings;
    int64_t *item_count;  /* [items] training pairs of each item, counted from the pairs */
    uint8_t *item_facts;  /* [items] */
    uint8_t *query_facts; /* [queries]; item_facts when queries are items */
    int64_t n_test_asked; /* distinct queries of the validation split, and of the test split */
    int64_t n_valid_asked;
    dip_feature_facts items[DIP_FEATURES_MAX];
    dip_feature_facts queries[DIP_FEATURES_MAX];
} dip_checkup;

/* Adds a finding: what it is about ("feature title"), and a sentence; advice is what to do. */
dip_status dip_find(const dip_checkup *check, dip_level level, const char *about,
                    const char *advice, dip_error *err, const char *format, ...) DIP_PRINTF(6, 7);

/* object[key] = number. */
dip_status dip_put_integer(json_t *object, const char *key, int64_t number, dip_error *err);
dip_status dip_put_real(json_t *object, const char *key, double number, dip_error *err);
dip_status dip_put_text(json_t *object, const char *key, const char *text, dip_error *err);

enum { DIP_LEAK_SLOTS = 1 << 23 };

/* The parts of a check, in this order. */
dip_status dip_check_pairs(dip_checkup *check, dip_error *err);      /* pairs.c: rows, facts */
dip_status dip_check_leaks(dip_checkup *check, dip_error *err);      /* leaks.c: splits */
dip_status dip_check_popularity(dip_checkup *check, dip_error *err); /* popularity.c */
dip_status dip_check_features(dip_checkup *check,
                              dip_error *err);                  /* features.c: features, tables */
dip_status dip_check_masks(dip_checkup *check, dip_error *err); /* masks.c: information */
dip_status dip_check_forecast(dip_checkup *check, dip_error *err); /* forecast.c */

/* "fewer than" share of two counts, 0 when there are none. */
static inline double dip_share_of(int64_t part, int64_t whole) {
    return whole > 0 ? (double)part / (double)whole : 0;
}

static inline int64_t dip_check_queries(const dip_checkup *check) {
    return dip_dataset_rows(check->dataset, DIP_SIDE_QUERY)->n;
}

#endif
