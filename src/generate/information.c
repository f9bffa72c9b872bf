/* SPDX-License-Identifier: Apache-2.0
 *
 * The planted mutual information of the item features, in nats, in the limit of many items in
 * clusters of equal size. Two features that each tell of the cluster through a channel with noise
 * agree by more than chance with probability a, and then
 *
 *   I(n, a) = log(n) + p log p + (n - 1) q log q,    p = a + (1 - a) / n,  q = (1 - a) / n
 *
 * where n is the number of clusters, or of groups when one of the two only tells of the group. The
 * values of a bag count by their share of the item's weight: one that is an own tag with
 * probability 3/5 has 3/5 of the information that the cluster it tells of has.
 */
#include "generate/generation.h"

#include <math.h>
#include <string.h>

/* Of prepare: a number is cut into bins over two deviations to either side of the mean. */
enum { PRICE_BINS = 20 };

static double plogp(double p) {
    return p > 0 ? p * log(p) : 0;
}

static double agreement(double n, double a) {
    const double p = a + (1 - a) / n;
    const double q = (1 - a) / n;
    return log(n) + plogp(p) + (n - 1) * plogp(q);
}

/* ---- the price ------------------------------------------------------------------------------- */

typedef struct price {
    double edge[PRICE_BINS - 1]; /* in cents */
    double overall[PRICE_BINS];
    double entropy;
    double of_cluster; /* with the channel's noise: the information of a feature that tells of it */
    double of_group;
} price;

/* The distribution function of the sum of two uniform numbers on [-1/2, 1/2], scaled. */
static double noise_below(double cents) {
    const double x = fmin(fmax(cents / DIP_CENTS_NOISE, -1), 1);
    return x < 0 ? (1 + x) * (1 + x) / 2 : 1 - (1 - x) * (1 - x) / 2;
}

static void bins_of(const price *p, double mean, double bins[PRICE_BINS], double weight) {
    double below = 0;
    for (int b = 0; b < PRICE_BINS; b++) {
        const double until = b < PRICE_BINS - 1 ? noise_below(p->edge[b] - mean) : 1;
        bins[b] += weight * (until - below);
        below = until;
    }
}

static void find_edges(price *p, const dip_world *world) {
    double sum = 0;
    double squares = 0;
    const double n = (double)world->clusters;
    for (int64_t c = 0; c < world->clusters; c++) {
        sum += dip_cluster_cents(world, c);
    }
    for (int64_t c = 0; c < world->clusters; c++) {
        const double delta = dip_cluster_cents(world, c) - sum / n;
        squares += delta * delta;
    }
    const double noise = (double)DIP_CENTS_NOISE * DIP_CENTS_NOISE / 6;
    const double deviation = sqrt(squares / n + noise);
    for (int b = 1; b < PRICE_BINS; b++) {
        p->edge[b - 1] = sum / n + deviation * (-2 + 4.0 * b / PRICE_BINS);
    }
    for (int64_t c = 0; c < world->clusters; c++) {
        bins_of(p, dip_cluster_cents(world, c), p->overall, 1 / n);
    }
}

/* What knowing a distribution of bins, blurred by the channel, adds to the overall one. */
static double gain(const price *p, const double bins[PRICE_BINS], double noise) {
    double sum = 0;
    for (int b = 0; b < PRICE_BINS; b++) {
        const double blurred = (1 - noise) * bins[b] + noise * p->overall[b];
        sum += blurred > 0 ? blurred * log(blurred / p->overall[b]) : 0;
    }
    return sum;
}

static price measure_price(const dip_world *world) {
    price p = {.entropy = 0};
    find_edges(&p, world);
    for (int64_t g = 0; g < world->groups; g++) {
        double of_group[PRICE_BINS] = {0};
        for (int64_t c = g; c < world->clusters; c += world->groups) {
            double of_cluster[PRICE_BINS] = {0};
            bins_of(&p, dip_cluster_cents(world, c), of_cluster, 1);
            bins_of(&p, dip_cluster_cents(world, c), of_group,
                    (double)world->groups / (double)world->clusters);
            p.of_cluster += gain(&p, of_cluster, world->noise) / (double)world->clusters;
        }
        p.of_group += gain(&p, of_group, world->noise) / (double)world->groups;
    }
    for (int b = 0; b < PRICE_BINS; b++) {
        p.entropy -= plogp(p.overall[b]);
    }
    return p;
}

/* ---- the matrix ------------------------------------------------------------------------------ */

/* The entropy of a uniformly drawn value of a bag with `own` values of the cluster's `choices`, and
 * one of each of `lists`. */
static double bag_entropy(const dip_world *world, int own, int choices, int lists,
                          const dip_zipf *law) {
    const double n = own + lists;
    const double uniform = log((double)choices * (double)world->clusters);
    return -plogp(own / n) + own / n * uniform +
           lists * (-plogp(1 / n) + dip_zipf_entropy(law) / n);
}

typedef double matrix[DIP_ITEM_FEATURES][DIP_ITEM_FEATURES];

static void set(matrix m, int f, int g, double value) {
    m[f][g] = value;
    m[g][f] = value;
}

static void fill_entropies(matrix m, const dip_generation *g, const price *p) {
    const dip_world *world = &g->world;
    int64_t training = 0;
    for (int64_t i = 0; i < world->items; i++) {
        training += dip_generation_item_trains(g, i);
    }
    m[DIP_ITEM_ID][DIP_ITEM_ID] = log((double)training);
    m[DIP_ITEM_CATEGORY][DIP_ITEM_CATEGORY] = log((double)world->clusters);
    m[DIP_ITEM_GROUP][DIP_ITEM_GROUP] = log((double)world->groups);
    m[DIP_ITEM_BRAND][DIP_ITEM_BRAND] = dip_zipf_entropy(&world->brand_law);
    m[DIP_ITEM_TAGS][DIP_ITEM_TAGS] =
        bag_entropy(world, DIP_OWN_TAGS, DIP_CLUSTER_TAGS, DIP_TAG_LISTS, &world->tag_law);
    m[DIP_ITEM_TITLE][DIP_ITEM_TITLE] =
        bag_entropy(world, DIP_OWN_WORDS, DIP_CLUSTER_WORDS, DIP_WORD_LISTS, &world->word_law);
    m[DIP_ITEM_PRICE][DIP_ITEM_PRICE] = p->entropy;
    for (int f = DIP_ITEM_CATEGORY; f < DIP_ITEM_FEATURES; f++) {
        const int values = f == DIP_ITEM_TAGS ? DIP_TAGS : f == DIP_ITEM_TITLE ? DIP_WORDS : 1;
        set(m, DIP_ITEM_ID, f, m[f][f] - log((double)values));
    }
}

static void fill_shared(matrix m, const dip_world *world, const price *p) {
    const double both = (1 - world->noise) * (1 - world->noise);
    const double cluster = agreement((double)world->clusters, both);
    const double group = agreement((double)world->groups, both);
    const double tags = (double)DIP_OWN_TAGS / DIP_TAGS;
    const double words = (double)DIP_OWN_WORDS / DIP_WORDS;
    set(m, DIP_ITEM_CATEGORY, DIP_ITEM_GROUP, group);
    set(m, DIP_ITEM_CATEGORY, DIP_ITEM_TAGS, tags * cluster);
    set(m, DIP_ITEM_CATEGORY, DIP_ITEM_TITLE, words * cluster);
    set(m, DIP_ITEM_CATEGORY, DIP_ITEM_PRICE, p->of_cluster);
    set(m, DIP_ITEM_GROUP, DIP_ITEM_TAGS, tags * group);
    set(m, DIP_ITEM_GROUP, DIP_ITEM_TITLE, words * group);
    set(m, DIP_ITEM_GROUP, DIP_ITEM_PRICE, p->of_group);
    set(m, DIP_ITEM_TAGS, DIP_ITEM_TITLE, tags * words * cluster);
    set(m, DIP_ITEM_TAGS, DIP_ITEM_PRICE, tags * p->of_cluster);
    set(m, DIP_ITEM_TITLE, DIP_ITEM_PRICE, words * p->of_cluster);
}

static dip_status add_rows(json_t *object, matrix m, dip_error *err) {
    json_t *names = NULL;
    json_t *planted = NULL;
    DIP_TRY(dip_json_new_array(&names, err));
    DIP_TRY(dip_json_set(object, "features", names, err));
    DIP_TRY(dip_json_new_array(&planted, err));
    DIP_TRY(dip_json_set(object, "planted", planted, err));
    for (int f = 0; f < DIP_ITEM_FEATURES; f++) {
        json_t *row = NULL;
        DIP_TRY(dip_json_append(names, json_string(dip_item_feature_names[f]), err));
        DIP_TRY(dip_json_new_array(&row, err));
        DIP_TRY(dip_json_append(planted, row, err));
        for (int other = 0; other < DIP_ITEM_FEATURES; other++) {
            DIP_TRY(dip_json_append(row, json_real(m[f][other]), err));
        }
    }
    return DIP_OK;
}

void dip_generation_planted(const dip_generation *g, matrix m) {
    const price p = measure_price(&g->world);
    memset(m, 0, sizeof(matrix));
    fill_entropies(m, g, &p);
    fill_shared(m, &g->world, &p);
}

dip_status dip_generation_information(const dip_generation *g, json_t **information,
                                      dip_error *err) {
    matrix m;
    json_t *object = NULL;
    dip_generation_planted(g, m);
    DIP_TRY(dip_json_new_object(&object, err));
    const dip_status status = add_rows(object, m, err);
    if (status != DIP_OK) {
        json_decref(object);
        return status;
    }
    *information = object;
    return DIP_OK;
}
