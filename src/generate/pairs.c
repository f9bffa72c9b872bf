/* SPDX-License-Identifier: Apache-2.0
 *
 * All pairs of a world, block by block, and the counts of its training pairs. Counts are sums of
 * whole numbers, so that atomic additions in any order give the same.
 */
#include "generate/generation.h"

#include <string.h>

/* Bytes of a line: two ids of 11, a time of 10, marks. */
enum { LINE_MAX_BYTES = 2 * DIP_VALUE_TEXT_MAX + 16, PAIRS_A_CHUNK = 65536 };

/* The times are of one year. */
enum { FIRST_TIME = 1704067200, SECONDS = 31536000 };

/* What a chunk begins with. */
typedef struct head {
    int64_t n[DIP_N_PARTS];
    int64_t trained_test;
} head;

typedef struct making {
    dip_generation *g;
    dip_writer *text;
    dip_spool *spools;
    int64_t blocks; /* a chunk */
    size_t segment; /* bytes of a part in a chunk */
} making;

/* A query's pairs, already chosen, on their way out. */
typedef struct sink {
    const making *m;
    head *totals;
    char *segment[DIP_N_PARTS];
    char *line;
} sink;

static void put_line(sink *s, int64_t query, int64_t item, int64_t k) {
    const dip_world *world = &s->m->g->world;
    const dip_draw draw = dip_rng_at(world->link_time, (uint64_t)query, (uint64_t)k);
    const uint64_t time = FIRST_TIME + dip_below(draw.word[0], draw.word[1], SECONDS);
    const dip_space space = world->queries_are_items ? DIP_SPACE_ITEM : DIP_SPACE_QUERY;
    char *out = dip_value_text(world, space, query, s->line);
    *out++ = '\t';
    out = dip_value_text(world, DIP_SPACE_ITEM, item, out);
    *out++ = '\t';
    out = dip_put_number(out, time);
    *out++ = '\n';
    s->line = out;
}

static void put_pair(sink *s, unsigned part, int64_t query, int64_t item) {
    const int32_t pair[2] = {(int32_t)query, (int32_t)item};
    memcpy(s->segment[part], pair, sizeof pair);
    s->segment[part] += sizeof pair;
}

static void make_query(sink *s, int64_t query, int64_t degree, dip_links *links) {
    dip_generation *g = s->m->g;
    int64_t n[DIP_N_PARTS] = {0};
    dip_world_links(&g->world, query, degree, links);
    for (int64_t k = 0; k < degree; k++) {
        const int64_t item = dip_scatter_to(&g->world.order, links->place[k]);
        const unsigned part = dip_world_part(&g->world, query, item);
        n[part]++;
        if (part == 0) {
            __atomic_fetch_add(&g->count[item], 1, __ATOMIC_RELAXED);
        }
        if (s->m->text != NULL) {
            put_line(s, query, item, k);
        } else {
            put_pair(s, part, query, item);
        }
    }
    if (n[0] > 0 && g->query_trains != NULL) {
        g->query_trains[query] = 1;
    } else if (n[0] > 0) {
        __atomic_fetch_or(&g->count[query], DIP_TRAINS_AS_QUERY, __ATOMIC_RELAXED);
    }
    for (int part = 0; part < DIP_N_PARTS; part++) {
        s->totals->n[part] += n[part];
    }
    s->totals->trained_test += n[0] > 0 ? n[2] : 0;
}

static size_t fill(void *context, int64_t chunk, int thread, char *out) {
    const making *m = context;
    const dip_world *world = &m->g->world;
    head totals = {0};
    sink s = {.m = m, .totals = &totals, .line = out + sizeof totals};
    for (size_t part = 0; part < DIP_N_PARTS; part++) {
        s.segment[part] = out + sizeof totals + part * m->segment;
    }
    const int64_t end = (chunk + 1) * m->blocks;
    const int64_t last = end < dip_world_blocks(world) ? end : dip_world_blocks(world);
    for (int64_t block = chunk * m->blocks; block < last; block++) {
        int64_t degree[DIP_WORLD_BLOCK];
        const int64_t n = dip_world_degrees(world, block, degree);
        for (int64_t q = 0; q < n; q++) {
            make_query(&s, block * DIP_WORLD_BLOCK + q, degree[q], &m->g->links[thread]);
        }
    }
    memcpy(out, &totals, sizeof totals);
    return (size_t)(s.line - out);
}

static dip_status take(void *context, int64_t chunk, const char *data, size_t bytes,
                       dip_error *err) {
    making *m = context;
    head totals;
    (void)chunk;
    memcpy(&totals, data, sizeof totals);
    data += sizeof totals;
    m->g->test_pairs_of_trained_queries += totals.trained_test;
    for (size_t part = 0; part < DIP_N_PARTS; part++) {
        m->g->n_pairs[part] += totals.n[part];
        if (m->spools != NULL) {
            DIP_TRY(dip_spool_put(&m->spools[part], data + part * m->segment,
                                  (size_t)totals.n[part] * 2 * sizeof(int32_t), err));
        }
    }
    return m->text != NULL ? dip_writer_put(m->text, data, bytes - sizeof totals, err) : DIP_OK;
}

static int64_t items_with(const dip_generation *g, uint32_t least) {
    int64_t n = 0;
#pragma omp parallel for num_threads(g->threads) reduction(+ : n) schedule(static)
    for (int64_t i = 0; i < g->world.items; i++) {
        n += dip_generation_count(g, i) >= least;
    }
    return n;
}

/* The most frequent tenth (rounded up) of the items with training pairs, ties by row: the count of
 * its last item is found by bisection, which needs no memory. */
static dip_status find_head(dip_generation *g, dip_error *err) {
    g->seen = items_with(g, 1);
    const int64_t n_head = (g->seen + 9) / 10;
    if (n_head == 0) {
        return dip_fail(err, DIP_ERR_FAILED,
                        "none of the %lld pairs is for training; ask for more pairs, or lower "
                        "test and validation",
                        (long long)g->world.pairs);
    }
    uint32_t low = 1;                    /* n_head items have as many, */
    uint32_t high = DIP_TRAINS_AS_QUERY; /* and not as many as this */
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (items_with(g, middle) >= n_head) {
            low = middle;
        } else {
            high = middle;
        }
    }
    int64_t left = n_head - items_with(g, low + 1);
    g->head_at = low;
    g->head_row = 0;
    for (; left > 0; g->head_row++) {
        left -= dip_generation_count(g, g->head_row) == low;
    }
    return DIP_OK;
}

dip_status dip_generation_pairs(dip_generation *g, dip_writer *text, dip_spool *spools,
                                dip_error *err) {
    const dip_world *world = &g->world;
    const int64_t a_block = world->pairs / world->queries * DIP_WORLD_BLOCK + DIP_WORLD_BLOCK;
    making m = {.g = g, .text = text, .spools = spools, .blocks = 1};
    if (a_block < PAIRS_A_CHUNK) {
        m.blocks = PAIRS_A_CHUNK / a_block;
    }
    const size_t most = (size_t)(a_block * m.blocks + 1);
    m.segment = most * 2 * sizeof(int32_t);
    const dip_chunks chunks = {
        .n = (dip_world_blocks(world) + m.blocks - 1) / m.blocks,
        .capacity = sizeof(head) + (text != NULL ? most * LINE_MAX_BYTES : DIP_N_PARTS * m.segment),
        .threads = g->threads,
        .watch = g->watch,
        .phase = "making pairs",
        .unit = "pairs",
        .total = (uint64_t)world->pairs,
        .context = &m,
        .fill = fill,
        .take = take};
    DIP_TRY(dip_chunks_run(&chunks, err));
    return find_head(g, err);
}
