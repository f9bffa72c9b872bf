/* SPDX-License-Identifier: Apache-2.0 */
#include "generate/oracle.h"

#include "base/order.h"

#include <stdlib.h>

enum { IN_CLUSTER, IN_GROUP, ELSEWHERE, N_SEQUENCES };

typedef struct sequence {
    int64_t place; /* its best item that was not taken yet; items or more at the end */
    double p;
} sequence;

typedef struct ranking {
    const dip_world *world;
    int64_t cluster;
    const int32_t *skip;
    size_t n_skip;
    sequence at[N_SEQUENCES];
} ranking;

static bool belongs(const ranking *r, int which, int64_t place) {
    if (which == IN_GROUP) {
        return dip_world_cluster(r->world, place) != r->cluster;
    }
    return which == IN_CLUSTER || dip_world_group(r->world, place) != r->cluster % r->world->groups;
}

static bool is_skipped(const ranking *r, int64_t place) {
    const int32_t key = (int32_t)place;
    return r->n_skip > 0 && bsearch(&key, r->skip, r->n_skip, sizeof key, dip_order_i32) != NULL;
}

/* Moves a sequence on to its next item, from `place` on. */
static void settle(ranking *r, int which, int64_t place) {
    const dip_world *world = r->world;
    const int64_t step = which == IN_CLUSTER ? world->clusters
                         : which == IN_GROUP ? world->groups
                                             : 1;
    while (place < world->items && (!belongs(r, which, place) || is_skipped(r, place))) {
        place += step;
    }
    r->at[which].place = place;
    r->at[which].p = place < world->items ? dip_world_probability(world, r->cluster, place) : -1;
}

static bool is_better(const sequence *a, const sequence *b) {
    return a->p > b->p || (a->p == b->p && a->place < b->place);
}

int64_t dip_oracle(const dip_world *world, int64_t cluster, const int32_t *skip, size_t n_skip,
                   int64_t k, int32_t *place) {
    ranking r = {.world = world, .cluster = cluster, .skip = skip, .n_skip = n_skip};
    const int64_t step[N_SEQUENCES] = {world->clusters, world->groups, 1};
    settle(&r, IN_CLUSTER, cluster);
    settle(&r, IN_GROUP, cluster % world->groups);
    settle(&r, ELSEWHERE, 0);
    for (int64_t n = 0; n < k; n++) {
        int best = IN_CLUSTER;
        for (int which = IN_GROUP; which < N_SEQUENCES; which++) {
            best = is_better(&r.at[which], &r.at[best]) ? which : best;
        }
        if (r.at[best].place >= world->items) {
            return n;
        }
        place[n] = (int32_t)r.at[best].place;
        settle(&r, best, r.at[best].place + step[best]);
    }
    return k;
}
