/* SPDX-License-Identifier: Apache-2.0 */
#include "generate/cells.h"

/* Counters of DIP_DRAW_ITEM_CELLS and DIP_DRAW_QUERY_CELLS, second half. */
enum {
    DRAW_PLACE = 0,
    DRAW_TAGS,
    DRAW_TITLE,
    DRAW_BRAND,
    DRAW_PRICE,
    DRAW_TAG_LISTS,
    DRAW_WORD_LISTS = DRAW_TAG_LISTS + DIP_TAG_LISTS
};

/* Of DIP_DRAW_WORLD, second half; world.c has 0 and 1. */
enum { STREAM_CENTS = 2 };

static uint32_t below(uint32_t word, int64_t n) {
    return (uint32_t)dip_below(word, 0, (uint64_t)n);
}

/* The channel: the true number, or with probability noise a uniform one. */
static int64_t told(const dip_world *world, int64_t truth, int64_t n, uint32_t chance,
                    uint32_t other) {
    return dip_unit(chance) < world->noise ? below(other, n) : truth;
}

/* `wanted` distinct numbers of [0, n), appended: the choice is a number whose digits, with bases n,
 * n - 1, ..., say which of those left is taken. */
static void choose(dip_cell *cell, int wanted, int n, int32_t first, uint32_t word) {
    int32_t left[DIP_CLUSTER_WORDS];
    int64_t choices = 1;
    for (int i = 0; i < n; i++) {
        left[i] = first + i;
    }
    for (int i = 0; i < wanted; i++) {
        choices *= n - i;
    }
    uint32_t choice = below(word, choices);
    for (int i = 0; i < wanted; i++) {
        const uint32_t rest = (uint32_t)(n - i);
        const uint32_t at = choice % rest;
        choice /= rest;
        cell->value[cell->n++] = left[at];
        left[at] = left[rest - 1];
    }
}

static int32_t popular(const dip_zipf *law, dip_rng rng, int64_t row, uint64_t counter) {
    const uint64_t a = (uint64_t)row;
    return (int32_t)dip_zipf_draw(law, rng, a, counter, dip_rng_at(rng, a, counter));
}

static dip_cell tags(const dip_world *world, dip_rng rng, int64_t row, int64_t cluster,
                     int n_lists) {
    const dip_draw draw = dip_rng_at(rng, (uint64_t)row, DRAW_TAGS);
    const int64_t about = told(world, cluster, world->clusters, draw.word[0], draw.word[1]);
    const int32_t first = DIP_TAG_LISTS * DIP_POPULAR_TAGS + (int32_t)about * DIP_CLUSTER_TAGS;
    dip_cell cell = {0};
    choose(&cell, DIP_OWN_TAGS, DIP_CLUSTER_TAGS, first, draw.word[2]);
    for (int i = 0; i < n_lists; i++) {
        cell.value[cell.n++] =
            i * DIP_POPULAR_TAGS + popular(&world->tag_law, rng, row, DRAW_TAG_LISTS + (uint64_t)i);
    }
    return cell;
}

/* Own and common words take turns. */
static dip_cell title(const dip_world *world, int64_t row, int64_t cluster) {
    const dip_draw draw = dip_rng_at(world->item_cells, (uint64_t)row, DRAW_TITLE);
    const int64_t about = told(world, cluster, world->clusters, draw.word[0], draw.word[1]);
    const int32_t first = DIP_WORD_LISTS * DIP_COMMON_WORDS + (int32_t)about * DIP_CLUSTER_WORDS;
    dip_cell own = {0};
    dip_cell cell = {0};
    choose(&own, DIP_OWN_WORDS, DIP_CLUSTER_WORDS, first, draw.word[2]);
    for (int i = 0; i < DIP_WORD_LISTS; i++) {
        cell.value[cell.n++] = i * DIP_COMMON_WORDS + popular(&world->word_law, world->item_cells,
                                                              row, DRAW_WORD_LISTS + (uint64_t)i);
        cell.value[cell.n++] = own.value[i];
    }
    return cell;
}

double dip_cluster_cents(const dip_world *world, int64_t cluster) {
    const dip_draw draw = dip_rng_at(world->facts, (uint64_t)cluster, STREAM_CENTS);
    return DIP_CENTS_LOW + DIP_CENTS_SPAN * dip_unit(draw.word[0]);
}

static int32_t cents(const dip_world *world, int64_t row, int64_t cluster) {
    const dip_draw draw = dip_rng_at(world->item_cells, (uint64_t)row, DRAW_PRICE);
    const double noise = dip_unit(draw.word[0]) + dip_unit(draw.word[1]) - 1;
    return (int32_t)(dip_cluster_cents(world, cluster) + DIP_CENTS_NOISE * noise + 0.5);
}

static dip_cell one(int64_t value) {
    return (dip_cell){.n = 1, .value = {(int32_t)value}};
}

dip_cell dip_item_cell(const dip_world *world, int64_t row, dip_item_feature feature) {
    const dip_rng rng = world->item_cells;
    if (feature == DIP_ITEM_ID) {
        return one(row);
    }
    if (feature == DIP_ITEM_BRAND) {
        return one(popular(&world->brand_law, rng, row, DRAW_BRAND));
    }
    const int64_t cluster = dip_world_cluster(world, dip_scatter_from(&world->order, row));
    if (feature == DIP_ITEM_TAGS) {
        return tags(world, rng, row, cluster, DIP_TAG_LISTS);
    }
    if (feature == DIP_ITEM_TITLE) {
        return title(world, row, cluster);
    }
    if (feature == DIP_ITEM_PRICE) {
        return one(cents(world, row, cluster));
    }
    const dip_draw draw = dip_rng_at(rng, (uint64_t)row, DRAW_PLACE);
    if (feature == DIP_ITEM_CATEGORY) {
        return one(told(world, cluster, world->clusters, draw.word[0], draw.word[1]));
    }
    return one(told(world, cluster % world->groups, world->groups, draw.word[2], draw.word[3]));
}

dip_cell dip_query_cell(const dip_world *world, int64_t row, dip_query_feature feature) {
    const dip_rng rng = world->query_cells;
    const dip_draw draw = dip_rng_at(rng, (uint64_t)row, DRAW_PLACE);
    if (feature == DIP_QUERY_ID) {
        return one(row);
    }
    if (feature == DIP_QUERY_AGE) {
        return one(DIP_AGE_LOW + below(draw.word[0], DIP_AGES));
    }
    const int64_t cluster = dip_world_query_cluster(world, row);
    if (feature == DIP_QUERY_INTERESTS) {
        return tags(world, rng, row, cluster, 1);
    }
    return one(told(world, cluster % world->groups, world->groups, draw.word[2], draw.word[3]));
}

int64_t dip_space_size(const dip_world *world, dip_space space) {
    const int64_t size[] = {
        [DIP_SPACE_ITEM] = world->items,
        [DIP_SPACE_CATEGORY] = world->clusters,
        [DIP_SPACE_GROUP] = world->groups,
        [DIP_SPACE_BRAND] = DIP_BRANDS,
        [DIP_SPACE_TAG] = DIP_TAG_LISTS * DIP_POPULAR_TAGS + DIP_CLUSTER_TAGS * world->clusters,
        [DIP_SPACE_WORD] = DIP_WORD_LISTS * DIP_COMMON_WORDS + DIP_CLUSTER_WORDS * world->clusters,
        [DIP_SPACE_QUERY] = world->queries,
        [DIP_SPACE_COUNTRY] = world->groups,
    };
    return size[space];
}

/* ---- texts ----------------------------------------------------------------------------------- */

char *dip_put_number(char *out, uint64_t number) {
    char digits[20];
    int n = 0;
    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (n > 0) {
        *out++ = digits[--n];
    }
    return out;
}

static char *put_padded(char *out, uint64_t number, int64_t size) {
    uint64_t power = 10;
    while (power < (uint64_t)size) {
        power *= 10;
    }
    for (power /= 10; power > 0; power /= 10) {
        *out++ = (char)('0' + number / power % 10);
    }
    return out;
}

/* Syllables are the digits of the number, lowest first, two at least: no two numbers share a
 * word, because the last of three or more digits is not 0. */
static char *put_word(char *out, uint64_t number) {
    static const char CONSONANTS[] = "bdfgklmnprstvz";
    static const char VOWELS[] = "aeiou";
    enum { SYLLABLES = (sizeof CONSONANTS - 1) * (sizeof VOWELS - 1) };
    for (int i = 0; i < 2 || number > 0; i++) {
        const uint64_t digit = number % SYLLABLES;
        number /= SYLLABLES;
        *out++ = CONSONANTS[digit / (sizeof VOWELS - 1)];
        *out++ = VOWELS[digit % (sizeof VOWELS - 1)];
    }
    return out;
}

char *dip_value_text(const dip_world *world, dip_space space, int64_t value, char *out) {
    static const char LETTER[] = {
        [DIP_SPACE_ITEM] = 'i',  [DIP_SPACE_CATEGORY] = 'c', [DIP_SPACE_GROUP] = 'g',
        [DIP_SPACE_BRAND] = 'b', [DIP_SPACE_QUERY] = 'u',    [DIP_SPACE_COUNTRY] = 'l'};
    if (space == DIP_SPACE_TAG || space == DIP_SPACE_WORD) {
        return put_word(out, (uint64_t)value);
    }
    *out++ = LETTER[space];
    return put_padded(out, (uint64_t)value, dip_space_size(world, space));
}

char *dip_cell_text(const dip_world *world, dip_space space, const dip_cell *cell, char mark,
                    char *out) {
    for (int i = 0; i < cell->n; i++) {
        if (i > 0) {
            *out++ = mark;
        }
        out = dip_value_text(world, space, cell->value[i], out);
    }
    return out;
}
