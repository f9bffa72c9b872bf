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
    const dip_raw *raw;
    const dip_pairs *pairs;
    const dip_leaks *leaks;
    const int64_t *counts;    /* of pairs by dip_part */
    double information_share; /* of the training rows that the mutual information was measured on */
    int64_t n_gone;           /* rows of a dataset that grew which the files no longer have */
} dip_summary;

/* *summary is the caller's to json_decref(). */
dip_status dip_summary_fill(const dip_summary *s, json_t **summary, dip_error *err);

#endif
