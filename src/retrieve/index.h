/* SPDX-License-Identifier: Apache-2.0
 *
 * The encoded catalogue and exact search in it.
 */
#ifndef DIP_RETRIEVE_INDEX_H
#define DIP_RETRIEVE_INDEX_H

#include "base/progress.h"
#include "model/model.h"

struct dip_index {
    const dip_model *model;
    const dip_dataset *dataset;
    float *items; /* [items x D] */
    int threads;
};

dip_status dip_index_make(dip_index *index, const dip_model *model, const dip_dataset *dataset,
                          const dip_watch *watch, dip_error *err);

/* For a known query: its own item is left out when queries are items. */
dip_status dip_index_for_query(const dip_index *index, const char *query_id, size_t k,
                               int64_t *items, float *scores, size_t *found, dip_error *err);

void dip_index_release(dip_index *index);

#endif
