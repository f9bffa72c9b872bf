/* SPDX-License-Identifier: Apache-2.0
 *
 * The features of the generated items and queries. What a feature shares with the others is known
 * exactly (information.h), because each tells of the cluster through a channel of its own: with
 * probability 1 - noise it tells of the own cluster, otherwise of one drawn uniformly.
 *
 *   category   the cluster it tells of                           brand   Zipf(100), tells nothing
 *   group      the group, uniform instead with probability noise
 *   tags       3 of the 8 tags of the cluster it tells of, and 2 popular ones of two Zipf(100)
 *   title      3 of the 12 words of the cluster it tells of, and 3 common ones of three Zipf(300)
 *   price      the cluster's mean, plus the sum of two uniform numbers, in cents
 *
 * Queries with features of their own have a country, which is as an item's group; interests, as
 * tags with one popular value; and an age, which tells nothing.
 *
 * Values are numbers here. In the numbering of tags and words the popular ones come first, then
 * those of cluster 0, of cluster 1 and so on.
 */
#ifndef DIP_GENERATE_CELLS_H
#define DIP_GENERATE_CELLS_H

#include "generate/world.h"

enum {
    DIP_OWN_TAGS = 3,
    DIP_CLUSTER_TAGS = 8,
    DIP_TAG_LISTS = 2,
    DIP_TAGS = DIP_OWN_TAGS + DIP_TAG_LISTS,
    DIP_OWN_WORDS = 3,
    DIP_CLUSTER_WORDS = 12,
    DIP_WORD_LISTS = 3,
    DIP_WORDS = DIP_OWN_WORDS + DIP_WORD_LISTS,
    DIP_INTERESTS = DIP_OWN_TAGS + 1,
    DIP_CENTS_LOW = 2000, /* of the means of clusters */
    DIP_CENTS_SPAN = 6000,
    DIP_CENTS_NOISE = 1500, /* the noise lies between this and its negative */
    DIP_CENTS_MAX = DIP_CENTS_LOW + DIP_CENTS_SPAN + DIP_CENTS_NOISE,
    DIP_AGE_LOW = 18,
    DIP_AGES = 63,
    DIP_AGE_BUCKETS = 10
};

/* The features in the order of the schema. */
typedef enum dip_item_feature {
    DIP_ITEM_ID,
    DIP_ITEM_CATEGORY,
    DIP_ITEM_GROUP,
    DIP_ITEM_BRAND,
    DIP_ITEM_TAGS,
    DIP_ITEM_TITLE,
    DIP_ITEM_PRICE,
    DIP_ITEM_FEATURES
} dip_item_feature;

typedef enum dip_query_feature {
    DIP_QUERY_ID,
    DIP_QUERY_COUNTRY,
    DIP_QUERY_INTERESTS,
    DIP_QUERY_AGE,
    DIP_QUERY_FEATURES
} dip_query_feature;

/* What values are called: the spaces in which their numbers live. */
typedef enum dip_space {
    DIP_SPACE_ITEM,
    DIP_SPACE_CATEGORY,
    DIP_SPACE_GROUP,
    DIP_SPACE_BRAND,
    DIP_SPACE_TAG,
    DIP_SPACE_WORD,
    DIP_SPACE_QUERY,
    DIP_SPACE_COUNTRY
} dip_space;

/* The values of one row: one number, or the distinct numbers of a bag in the order written. */
enum { DIP_CELL_MAX = DIP_WORDS };
typedef struct dip_cell {
    int n;
    int32_t value[DIP_CELL_MAX];
} dip_cell;

/* One feature of one row. The price is in cents. */
dip_cell dip_item_cell(const dip_world *world, int64_t row, dip_item_feature feature);
dip_cell dip_query_cell(const dip_world *world, int64_t row, dip_query_feature feature);

/* The mean price of a cluster, in cents, before the noise. */
double dip_cluster_cents(const dip_world *world, int64_t cluster);

/* How many numbers a space has. */
int64_t dip_space_size(const dip_world *world, dip_space space);

/* The text of a value, not NUL-terminated; returns the end. Ids have equal length within a space,
 * so that their order by bytes is that of the rows. */
enum { DIP_VALUE_TEXT_MAX = 24 };
char *dip_value_text(const dip_world *world, dip_space space, int64_t value, char *out);

/* A whole number without blanks or zeros before it; returns the end. */
char *dip_put_number(char *out, uint64_t number);

/* The values of a bag with a mark between them, or a single value; returns the end. */
char *dip_cell_text(const dip_world *world, dip_space space, const dip_cell *cell, char mark,
                    char *out);

#endif
