/* SPDX-License-Identifier: Apache-2.0
 *
 * The raw files of a project in memory, with every id and feature value replaced by a number in the
 * order of first sight. Nothing is fitted here: counts, vocabularies and normalisers come from
 * fit.h, after the split has said which rows train.
 */
#ifndef DIP_PREPARE_INGEST_H
#define DIP_PREPARE_INGEST_H

#include "base/progress.h"
#include "data/project.h"
#include "data/values.h"
#include "data/vocab.h"

enum { DIP_SHOWN_UNKNOWN = 5 };

/* One feature of all rows: codes of row i are [offsets[i], offsets[i + 1]); or numbers, NaN when
 * missing. */
typedef struct dip_raw_column {
    int64_t *offsets;
    size_t offset_capacity;
    int32_t *codes;
    size_t n_codes;
    size_t code_capacity;
    double *numbers;
    size_t number_capacity;
} dip_raw_column;

typedef struct dip_raw_entity {
    dip_vocab ids;
    dip_text titles;
    size_t *title_start; /* [rows + 1] */
    size_t title_capacity;
    dip_raw_column *columns; /* [n_features] */
} dip_raw_entity;

typedef enum dip_part {
    DIP_PART_TRAIN,
    DIP_PART_VALIDATION,
    DIP_PART_TEST,
    DIP_PART_UNUSED
} dip_part;

/* Distinct pairs in file order. */
typedef struct dip_pairs {
    size_t n;
    int32_t *query;
    int32_t *item;
    double *time;  /* NULL without a time column */
    uint8_t *part; /* dip_part */
    size_t capacity[4];
} dip_pairs;

typedef struct dip_unknown {
    int64_t n;
    char shown[DIP_SHOWN_UNKNOWN][160]; /* "file:line: item "x"" of the first ones */
} dip_unknown;

typedef struct dip_raw {
    dip_raw_entity items;
    dip_raw_entity queries; /* empty when queries are items */
    dip_vocab *values;      /* [n_tables] every value seen, counts 0 */
    dip_pairs pairs;
    dip_unknown unknown;
    int64_t n_duplicates;
    int64_t n_self; /* pairs of an item with itself, left out */
} dip_raw;

/* Reads everything. schema->tables must be laid out (dip_fit_tables). */
dip_status dip_ingest(dip_raw *raw, const dip_project *project, const dip_schema *schema,
                      const dip_watch *watch, dip_error *err);

static inline const dip_raw_entity *dip_raw_side(const dip_raw *raw, const dip_schema *schema,
                                                 dip_side side) {
    return side == DIP_SIDE_QUERY && !schema->queries_are_items ? &raw->queries : &raw->items;
}

void dip_raw_free(dip_raw *raw, const dip_schema *schema);

#endif
