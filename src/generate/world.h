/* SPDX-License-Identifier: Apache-2.0
 *
 * The generated world: every fact about an item, a query or a pair is a pure function of the recipe
 * and of its number, so that any part of any size can be made by itself, in any order.
 *
 * An item has a place s = 0 ... items - 1 in the order of popularity. Clusters take turns along
 * that order, and so do groups, because their number divides that of the clusters:
 *
 *   cluster(s) = s mod clusters        place in the cluster = s / clusters
 *   group(s)   = s mod groups          place in the group   = s / groups
 *
 * The row of an item in the files is a pseudo-random order of the places (scatter.h). A query has a
 * cluster as well: its own when queries are items, otherwise a uniform one. It links to an item by
 *
 *   P(s | query) = w_all     Zipf(items, s)
 *                + w_group   Zipf(size of the query's group, s / groups)       in its group
 *                + w_cluster Zipf(size of the query's cluster, s / clusters)   in its cluster
 *
 * and draws until it has as many distinct items as it is to have, an item never linking to itself.
 */
#ifndef DIP_GENERATE_WORLD_H
#define DIP_GENERATE_WORLD_H

#include "generate/recipe.h"
#include "generate/scatter.h"
#include "generate/zipf.h"

/* Values of features that tell nothing of the cluster, in each list of them. */
enum { DIP_BRANDS = 100, DIP_POPULAR_TAGS = 100, DIP_COMMON_WORDS = 300 };

/* Pairs are shared out to blocks of this many queries, and within a block by activity. */
enum { DIP_WORLD_BLOCK = 256 };

typedef struct dip_world {
    int64_t items;
    int64_t queries; /* rows of the query side */
    int64_t pairs;
    int64_t clusters;
    int64_t groups;
    bool queries_are_items;
    double w_cluster;
    double w_group;
    double w_all;
    double test;
    double held_out; /* test + validation */
    double noise;
    dip_zipf all;
    dip_zipf group[2];   /* of the smaller and of the larger groups */
    dip_zipf cluster[2]; /* likewise */
    dip_zipf brand_law;  /* of features: cells.h */
    dip_zipf tag_law;
    dip_zipf word_law;
    dip_scatter order;
    dip_rng facts;
    dip_rng activity;
    dip_rng link;
    dip_rng link_time;
    dip_rng item_cells;
    dip_rng query_cells;
    dip_rng split;
} dip_world;

/* The recipe is settled; split_seed is the option split.seed. */
dip_world dip_world_make(const dip_recipe *recipe, int64_t split_seed);

static inline int64_t dip_world_cluster(const dip_world *world, int64_t place) {
    return place % world->clusters;
}

static inline int64_t dip_world_group(const dip_world *world, int64_t place) {
    return place % world->groups;
}

/* The cluster of a query row. */
int64_t dip_world_query_cluster(const dip_world *world, int64_t query);

/* P(place | a query of this cluster), before an item's link to itself is refused. */
double dip_world_probability(const dip_world *world, int64_t cluster, int64_t place);

/* The t-th place that a query draws, t < 2^32. */
int64_t dip_world_draw(const dip_world *world, int64_t cluster, int64_t query, uint64_t t);

int64_t dip_world_blocks(const dip_world *world);

/* How many pairs come before query q * DIP_WORLD_BLOCK, q <= dip_world_blocks(). */
int64_t dip_world_pairs_before(const dip_world *world, int64_t block);

/* How many pairs each query of a block has; returns how many queries the block has. */
int64_t dip_world_degrees(const dip_world *world, int64_t block, int64_t degree[DIP_WORLD_BLOCK]);

/* An upper bound of a query's pairs. */
int64_t dip_world_most_pairs(const dip_world *world);

/* Scratch memory of dip_world_links. */
typedef struct dip_links {
    int32_t *place; /* [capacity] places in the order drawn */
    int32_t *slot;  /* open addressing: place + 1, or 0 */
    size_t n_slots; /* a power of two, at least twice the capacity */
} dip_links;

dip_status dip_links_create(dip_links *links, const dip_world *world, dip_error *err);
void dip_links_free(dip_links *links);

/* The distinct places that a query links to, into links->place[degree]. */
void dip_world_links(const dip_world *world, int64_t query, int64_t degree, dip_links *links);

/* 0 training, 1 validation, 2 test: the split that prepare makes, by unordered pair when queries
 * are items and by pair otherwise. */
unsigned dip_world_part(const dip_world *world, int64_t query, int64_t item);

#endif
