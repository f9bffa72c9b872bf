/* SPDX-License-Identifier: Apache-2.0
 *
 * One run of generate: the world, the folder being written, and what is known of the training
 * pairs. The only memory in proportion to the size is 4 bytes an item and, where queries are not
 * items, 1 byte a query.
 */
#ifndef DIP_GENERATE_GENERATION_H
#define DIP_GENERATE_GENERATION_H

#include "base/folder.h"
#include "base/spool.h"
#include "base/text.h"
#include "generate/cells.h"
#include "generate/chunks.h"

enum { DIP_ROWS_A_CHUNK = 4096, DIP_N_PARTS = 3 };

/* The top bit of an item's count: the item trains as a query. */
#define DIP_TRAINS_AS_QUERY (UINT32_C(1) << 31)

typedef struct dip_generation {
    const dip_recipe *recipe;
    dip_world world;
    int threads;
    const dip_watch *watch;
    dip_folder_writer folder;
    dip_links *links;             /* [threads] */
    uint32_t *count;              /* [items] training pairs, and DIP_TRAINS_AS_QUERY */
    uint8_t *query_trains;        /* [queries]; NULL when queries are items */
    int64_t n_pairs[DIP_N_PARTS]; /* training, validation, test */
    int64_t test_pairs_of_trained_queries;
    int64_t seen;     /* items with training pairs */
    uint32_t head_at; /* items with more training pairs than this are the head, and ... */
    int64_t head_row; /* ... those that have as many, in rows before this one */
} dip_generation;

static inline uint32_t dip_generation_count(const dip_generation *g, int64_t item) {
    return g->count[item] & ~DIP_TRAINS_AS_QUERY;
}

/* Whether an item is in a training pair, on either side where queries are items. */
static inline bool dip_generation_item_trains(const dip_generation *g, int64_t item) {
    return g->count[item] != 0;
}

static inline bool dip_generation_query_trains(const dip_generation *g, int64_t query) {
    return g->query_trains != NULL ? g->query_trains[query] != 0 : g->count[query] != 0;
}

static inline bool dip_generation_is_head(const dip_generation *g, int64_t item) {
    const uint32_t count = dip_generation_count(g, item);
    return count > g->head_at || (count == g->head_at && item < g->head_row);
}

/* Makes all pairs once and counts training pairs. They become lines put into `text`, or int32
 * query, item put into the spool of each part; the other is NULL. */
dip_status dip_generation_pairs(dip_generation *g, dip_writer *text, dip_spool *spools,
                                dip_error *err);

/* The project file that goes with the world. */
dip_status dip_generation_project(const dip_generation *g, dip_text *yaml, dip_error *err);

/* Names of columns. */
const char *dip_generation_query_column(const dip_generation *g);
const char *dip_generation_item_column(const dip_generation *g);
extern const char *const dip_item_feature_names[DIP_ITEM_FEATURES];
extern const char *const dip_query_feature_names[DIP_QUERY_FEATURES];
extern const dip_space dip_item_spaces[DIP_ITEM_FEATURES];   /* not of the price */
extern const dip_space dip_query_spaces[DIP_QUERY_FEATURES]; /* not of the age */

/* items.tsv, queries.tsv, interactions.tsv. */
dip_status dip_generation_tables(dip_generation *g, dip_error *err);

/* The parts of a dataset; the content of its manifest is added to an object. */
dip_status dip_generation_dataset(dip_generation *g, json_t *manifest, dip_error *err);

/* truth-items.tsv, truth-queries.tsv. */
dip_status dip_generation_truth_tables(dip_generation *g, dip_error *err);

/* The best possible metrics, for truth.json. */
dip_status dip_generation_best(dip_generation *g, json_t **best, dip_error *err);

/* The mutual information that the features have in the limit of many items; for truth.json. */
void dip_generation_planted(const dip_generation *g,
                            double matrix[DIP_ITEM_FEATURES][DIP_ITEM_FEATURES]);
dip_status dip_generation_information(const dip_generation *g, json_t **information,
                                      dip_error *err);

/* The whole run. */
dip_status dip_generate_world(const dip_recipe *recipe, const char *output, bool replace,
                              const dip_watch *watch, json_t **summary, dip_error *err);

#endif
