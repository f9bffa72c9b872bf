/* SPDX-License-Identifier: Apache-2.0
 *
 * The raw files of a project in scratch space, with every id and feature value replaced by a number
 * in the order of first sight. Nothing is fitted here: counts, vocabularies and normalisers come
 * from fit.h, after the split has said which rows train.
 *
 * Files are read in rounds of some blocks. Threads cut the blocks of a round into cells, then
 * number the cells part by part (intern.h), then append to the columns; so memory is that of a
 * round and of the distinct texts, and the latter is spilled when it grows too large.
 */
#ifndef DIP_PREPARE_INGEST_H
#define DIP_PREPARE_INGEST_H

#include "base/progress.h"
#include "data/project.h"
#include "prepare/column.h"

enum { DIP_SHOWN_UNKNOWN = 5 };

typedef struct dip_raw_entity {
    uint64_t n;
    dip_intern *ids;          /* code = row */
    dip_column_data id_rows;  /* the row of each id as it was read */
    dip_intern_stream seed;   /* ids of a dataset that grows */
    dip_spool lines;          /* uint64 a row: number of the file << DIP_LINE_BITS | line */
    dip_spool names;          /* the ids, where some were taken out; as dip_intern_texts has them */
    dip_spool titles;         /* a row: uint32 length, bytes; empty when there are none */
    dip_column_data *columns; /* [n_features] */
    size_t n_columns;
} dip_raw_entity;

enum { DIP_LINE_BITS = 40 };
#define DIP_LINE_MASK ((UINT64_C(1) << DIP_LINE_BITS) - 1)

typedef struct dip_unknown {
    char shown[DIP_SHOWN_UNKNOWN][160]; /* "file:line: item "x"" of the first ones */
} dip_unknown;

typedef struct dip_raw {
    dip_scratch scratch;
    dip_raw_entity items;
    dip_raw_entity queries;   /* empty when queries are items */
    dip_intern **values;      /* [n_tables] every value seen; NULL where a table is no vocabulary */
    dip_intern_stream *seeds; /* [n_tables] values of a dataset that grows */
    size_t n_tables;
    uint64_t n_records;         /* interactions as they were read */
    dip_column_data query_rows; /* of each of them; unknown ones included */
    dip_column_data item_rows;
    dip_spool times;     /* double, with a time column */
    dip_spool parts;     /* uint8 dip_part, when a column says it */
    char *pairs_name;    /* of the interactions, for messages */
    dip_unknown unknown; /* dip_pairs counts them */
    char **files;        /* [n_files] names as they came */
    size_t n_files;
    size_t file_capacity;
} dip_raw;

typedef enum dip_part {
    DIP_PART_TRAIN,
    DIP_PART_VALIDATION,
    DIP_PART_TEST,
    DIP_PART_UNUSED
} dip_part;

struct dip_growth;

/* What an ingestion may use. */
typedef struct dip_means {
    size_t memory; /* bytes of known texts before they are spilled */
    size_t kept;   /* bytes of temporary data that stay in memory */
    int threads;
    size_t round_blocks;             /* 0: by the threads */
    const struct dip_growth *growth; /* the dataset whose rows stay; NULL: none */
    const dip_watch *watch;
} dip_means;

/* Reads everything. schema->tables must be laid out (dip_tables_lay_out). scratch_folder is
 * kept. */
dip_status dip_ingest(dip_raw *raw, const dip_project *project, const dip_schema *schema,
                      const char *scratch_folder, const dip_means *means, dip_error *err);

/* Ends the numbering of feature values.
 *
 * used   of queries without a file: [queries] those that are kept; NULL keeps all. What is not kept
 *        is no row any more. */
dip_status dip_ingest_finish(dip_raw *raw, const dip_schema *schema, const uint8_t *used,
                             const dip_means *means, dip_error *err);

/* The ids in the order of their rows, each as a uint32 length and its bytes. */
static inline const dip_spool *dip_raw_names(const dip_raw_entity *side) {
    return dip_spool_bytes(&side->names) > 0 ? &side->names : dip_intern_texts(side->ids);
}

static inline const dip_raw_entity *dip_raw_side(const dip_raw *raw, const dip_schema *schema,
                                                 dip_side side) {
    return side == DIP_SIDE_QUERY && !schema->queries_are_items ? &raw->queries : &raw->items;
}

/* Spills the largest numberings until the rest fits. */
dip_status dip_raw_spill(dip_raw *raw, const dip_means *means, dip_error *err);

void dip_raw_free(dip_raw *raw);

#endif
