/* SPDX-License-Identifier: Apache-2.0
 *
 * What the manifest and the report say about a preparation: schema, configuration, counts,
 * warnings.
 */
#ifndef DIP_PREPARE_SUMMARY_H
#define DIP_PREPARE_SUMMARY_H

#include "base/json.h"
#include "prepare/leaks.h"

typedef struct dip_summary {
    const dip_config *config;
    const dip_schema *schema;
    const dip_fit *fit;
    int64_t n_items;
    int64_t n_queries; /* unused when queries are items */
    const dip_pairs *pairs;
    const dip_unknown *unknown; /* the first of pairs->n_unknown */
    const dip_leaks *leaks;
    const int64_t *counts;    /* of pairs by dip_part */
    int64_t n_unused;         /* further ones that are not in pairs */
    double information_share; /* of the training rows that the mutual information was measured on */
    int64_t n_gone;           /* rows of a dataset that grew which the files no longer have */
    const json_t *before; /* NULL, or the warnings of the dataset that this one is made of: those
                               * about its files go on */
} dip_summary;

/* *summary is the caller's to json_decref(). */
dip_status dip_summary_fill(const dip_summary *s, json_t **summary, dip_error *err);

#endif
