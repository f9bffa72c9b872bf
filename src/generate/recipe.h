/* SPDX-License-Identifier: Apache-2.0
 *
 * What a generated catalogue is to be like: one table of settings, as the public header, the
 * command and truth.json show them.
 */
#ifndef DIP_GENERATE_RECIPE_H
#define DIP_GENERATE_RECIPE_H

#include "base/json.h"
#include "base/options.h"

typedef enum dip_recipe_format { DIP_RECIPE_TSV, DIP_RECIPE_DATASET } dip_recipe_format;

struct dip_recipe {
    int64_t items;
    int64_t pairs;
    int64_t queries; /* 0: queries are items */
    int format;      /* dip_recipe_format */
    int64_t seed;
    int64_t threads;
    double zipf;
    double within_cluster;
    double within_group;
    int64_t groups;
    int64_t clusters;
    double noise;
    double test;
    double validation;
    int64_t judge;
    bool truth;
};

extern const dip_option_table dip_recipe_table;

/* Chooses what the recipe leaves open (groups, clusters, judge) and checks what no single setting
 * can say. */
dip_status dip_recipe_settle(dip_recipe *recipe, dip_error *err);

/* {"items": "1000", ...} in table order, without what does not change the result. */
dip_status dip_recipe_to_json(const dip_recipe *recipe, json_t **json, dip_error *err);

#endif
