/* SPDX-License-Identifier: Apache-2.0
 *
 * The figures of a report, as data: what the page draws is what results.json says.
 */
#ifndef DIP_EXPERIMENT_FIGURES_H
#define DIP_EXPERIMENT_FIGURES_H

#include "base/json.h"
#include "experiment/outcome.h"

typedef struct dip_figure_sources {
    const dip_study *study;
    const dip_outcome *outcomes; /* [conditions] */
    const json_t *const *checks; /* [data] what dip_check_dataset says of each dataset */
    const char *category;        /* the feature that colours the map; "" takes the first fit */
    int64_t map_items;           /* items drawn at most */
    const dip_watch *watch;
} dip_figure_sources;

/* Adds the figures of one entry of the plan: one, or one a condition. */
dip_status dip_figure_add(const dip_figure_sources *sources, const dip_plan_figure *plan,
                          json_t *figures, dip_error *err);

/* The map of item vectors (experiment/map.c). */
dip_status dip_figure_map(const dip_figure_sources *sources, const dip_plan_figure *plan,
                          size_t condition, json_t *figure, dip_error *err);

/* The feature whose values colour the map: `wanted`, or the first categorical one, or the first
 * bag; -1 for none. DIP_ERR_USAGE when there is no feature of that name, or it has no values. */
dip_status dip_map_category(const dip_dataset *dataset, const char *wanted, int *feature,
                            dip_error *err);

#endif
