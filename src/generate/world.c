/* SPDX-License-Identifier: Apache-2.0 */
#include "generate/world.h"

#include "base/mem.h"

#include <string.h>

/* Counters of DIP_DRAW_WORLD, second half. */
enum { STREAM_ORDER = 0, STREAM_QUERY_CLUSTER = 1 };

/* A query's activity is 1 / (u + LEAST), u uniform: a heavy tail that ends at 1 / LEAST. */
#define LEAST 0.05

/* A query has at most this part of the catalogue, so that drawing distinct items ends soon. */
enum { MOST_OF_ITEMS = 2, LEAST_SLOTS = 64 };

dip_world dip_world_make(const dip_recipe *recipe, int64_t split_seed) {
    const uint64_t seed = (uint64_t)recipe->seed;
    dip_world world = {
        .items = recipe->items,
        .queries = recipe->queries > 0 ? recipe->queries : recipe->items,
        .pairs = recipe->pairs,
        .clusters = recipe->clusters,
        .groups = recipe->groups,
        .queries_are_items = recipe->queries == 0,
        .w_cluster = recipe->within_cluster,
        .w_group = recipe->within_group,
        .w_all = 1 - recipe->within_cluster - recipe->within_group,
        .test = recipe->test,
        .held_out = recipe->test + recipe->validation,
        .noise = recipe->noise,
        .all = dip_zipf_make(recipe->items, recipe->zipf),
        .brand_law = dip_zipf_make(DIP_BRANDS, 1),
        .tag_law = dip_zipf_make(DIP_POPULAR_TAGS, 1),
        .word_law = dip_zipf_make(DIP_COMMON_WORDS, 1),
        .facts = dip_rng_make(seed, DIP_DRAW_WORLD),
        .activity = dip_rng_make(seed, DIP_DRAW_ACTIVITY),
        .link = dip_rng_make(seed, DIP_DRAW_LINK),
        .link_time = dip_rng_make(seed, DIP_DRAW_LINK_TIME),
        .item_cells = dip_rng_make(seed, DIP_DRAW_ITEM_CELLS),
        .query_cells = dip_rng_make(seed, DIP_DRAW_QUERY_CELLS),
        .split = dip_rng_make((uint64_t)split_seed, DIP_DRAW_SPLIT),
    };
    for (int i = 0; i < 2; i++) {
        world.group[i] = dip_zipf_make(world.items / world.groups + i, recipe->zipf);
        world.cluster[i] = dip_zipf_make(world.items / world.clusters + i, recipe->zipf);
    }
    world.order = dip_scatter_make(world.facts, STREAM_ORDER, world.items);
    return world;
}

static const dip_zipf *cluster_law(const dip_world *world, int64_t cluster) {
    return &world->cluster[cluster < world->items % world->clusters];
}

static const dip_zipf *group_law(const dip_world *world, int64_t group) {
    return &world->group[group < world->items % world->groups];
}

int64_t dip_world_query_cluster(const dip_world *world, int64_t query) {
    if (world->queries_are_items) {
        return dip_world_cluster(world, dip_scatter_from(&world->order, query));
    }
    const dip_draw draw = dip_rng_at(world->facts, (uint64_t)query, STREAM_QUERY_CLUSTER);
    return (int64_t)dip_below(draw.word[0], draw.word[1], (uint64_t)world->clusters);
}

double dip_world_probability(const dip_world *world, int64_t cluster, int64_t place) {
    const int64_t group = cluster % world->groups;
    double p = world->w_all * dip_zipf_probability(&world->all, place);
    if (dip_world_group(world, place) == group) {
        p += world->w_group * dip_zipf_probability(group_law(world, group), place / world->groups);
    }
    if (dip_world_cluster(world, place) == cluster) {
        p += world->w_cluster *
             dip_zipf_probability(cluster_law(world, cluster), place / world->clusters);
    }
    return p;
}

/* Word 0 chooses the part of the mixture, words 1 and 2 the rank in it. */
int64_t dip_world_draw(const dip_world *world, int64_t cluster, int64_t query, uint64_t t) {
    const uint64_t counter = (uint64_t)query;
    const dip_draw draw = dip_rng_at(world->link, counter, t);
    const double u = ((double)draw.word[0] + 0.5) * 0x1p-32;
    if (u < world->w_cluster) {
        const dip_zipf *law = cluster_law(world, cluster);
        return cluster + world->clusters * dip_zipf_draw(law, world->link, counter, t, draw);
    }
    if (u < world->w_cluster + world->w_group) {
        const int64_t group = cluster % world->groups;
        const dip_zipf *law = group_law(world, group);
        return group + world->groups * dip_zipf_draw(law, world->link, counter, t, draw);
    }
    return dip_zipf_draw(&world->all, world->link, counter, t, draw);
}

/* ---- how many pairs a query has -------------------------------------------------------------- */

int64_t dip_world_blocks(const dip_world *world) {
    return (world->queries + DIP_WORLD_BLOCK - 1) / DIP_WORLD_BLOCK;
}

int64_t dip_world_pairs_before(const dip_world *world, int64_t block) {
    __extension__ typedef __int128 wide;
    const int64_t first = block * DIP_WORLD_BLOCK;
    const int64_t query = first < world->queries ? first : world->queries;
    return (int64_t)((wide)world->pairs * query / world->queries);
}

int64_t dip_world_most_pairs(const dip_world *world) {
    return world->items / MOST_OF_ITEMS;
}

/* Systematic sampling: the block's pairs are marks one apart on a line that the queries cut into
 * pieces as long as their share; a random offset makes the expectation of a small share exact. */
int64_t dip_world_degrees(const dip_world *world, int64_t block, int64_t degree[DIP_WORLD_BLOCK]) {
    const int64_t first = block * DIP_WORLD_BLOCK;
    const int64_t rest = world->queries - first;
    const int64_t n = rest < DIP_WORLD_BLOCK ? rest : DIP_WORLD_BLOCK;
    const int64_t total =
        dip_world_pairs_before(world, block + 1) - dip_world_pairs_before(world, block);
    const int64_t most = dip_world_most_pairs(world);
    double reach[DIP_WORLD_BLOCK];
    double sum = 0;
    for (int64_t q = 0; q < n; q++) {
        const dip_draw draw = dip_rng_at(world->activity, (uint64_t)(first + q), 0);
        sum += 1 / (dip_unit(draw.word[0]) + LEAST);
        reach[q] = sum;
    }
    const double offset = dip_unit(dip_rng_at(world->activity, (uint64_t)block, 1).word[0]);
    int64_t done = 0;
    int64_t carry = 0;
    for (int64_t q = 0; q < n; q++) {
        const double mark = reach[q] / sum * (double)total + offset;
        const int64_t until = q + 1 < n ? (int64_t)mark : total;
        const int64_t wanted = until - done + carry;
        degree[q] = wanted < most ? wanted : most;
        carry = wanted - degree[q];
        done = until;
    }
    for (int64_t q = 0; carry > 0; q++) {
        const int64_t more = most - degree[q] < carry ? most - degree[q] : carry;
        degree[q] += more;
        carry -= more;
    }
    return n;
}

/* ---- the pairs of a query -------------------------------------------------------------------- */

dip_status dip_links_create(dip_links *links, const dip_world *world, dip_error *err) {
    const size_t most = (size_t)dip_world_most_pairs(world);
    const size_t mean = (size_t)(world->pairs / world->queries) + 1;
    /* Activity is at most 1 / LEAST and never below 1 / (1 + LEAST). */
    const size_t bound = mean * DIP_WORLD_BLOCK;
    const size_t capacity = bound < most ? bound : most;
    *links = (dip_links){.n_slots = LEAST_SLOTS};
    while (links->n_slots < 2 * capacity) {
        links->n_slots *= 2;
    }
    links->place = dip_alloc(capacity, sizeof *links->place, "the pairs of a query", err);
    links->slot = dip_alloc(links->n_slots, sizeof *links->slot, "the pairs of a query", err);
    if (links->place == NULL || links->slot == NULL) {
        dip_links_free(links);
        return DIP_ERR_MEMORY;
    }
    return DIP_OK;
}

void dip_links_free(dip_links *links) {
    dip_free(links->place);
    dip_free(links->slot);
    memset(links, 0, sizeof *links);
}

/* Whether the place was not there yet. */
static bool note(int32_t *slot, size_t mask, int64_t place) {
    size_t at = ((size_t)place * 0x9E3779B1u >> 7) & mask;
    while (slot[at] != 0) {
        if (slot[at] == (int32_t)place + 1) {
            return false;
        }
        at = (at + 1) & mask;
    }
    slot[at] = (int32_t)place + 1;
    return true;
}

void dip_world_links(const dip_world *world, int64_t query, int64_t degree, dip_links *links) {
    const int64_t cluster = dip_world_query_cluster(world, query);
    const int64_t self = world->queries_are_items ? dip_scatter_from(&world->order, query) : -1;
    size_t slots = LEAST_SLOTS;
    while (slots < 2 * (size_t)degree) {
        slots *= 2;
    }
    memset(links->slot, 0, slots * sizeof *links->slot);
    int64_t n = 0;
    for (uint64_t t = 0; n < degree; t++) {
        const int64_t place = dip_world_draw(world, cluster, query, t);
        if (place != self && note(links->slot, slots - 1, place)) {
            links->place[n++] = (int32_t)place;
        }
    }
}

unsigned dip_world_part(const dip_world *world, int64_t query, int64_t item) {
    const bool is_swapped = world->queries_are_items && item < query;
    const uint64_t a = (uint64_t)(is_swapped ? item : query);
    const uint64_t b = (uint64_t)(is_swapped ? query : item);
    const double u = dip_unit(dip_rng_at(world->split, a, b).word[0]);
    return u < world->test ? 2 : u < world->held_out ? 1 : 0;
}
