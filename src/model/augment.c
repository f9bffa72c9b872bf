/* SPDX-License-Identifier: Apache-2.0 */
#include "model/augment.h"

#include <stdio.h>
#include <string.h>

static bool is_cfm(int method) {
    return method == DIP_METHOD_CFM || method == DIP_METHOD_CFM_NO_COMPLEMENT ||
           method == DIP_METHOD_CFM_NO_DROPOUT;
}

static bool is_rfm(int method) {
    return method == DIP_METHOD_RFM || method == DIP_METHOD_RFM_NO_COMPLEMENT;
}

bool dip_method_has_masks(int method) {
    return is_cfm(method) || is_rfm(method);
}

bool dip_method_needs_information(int method) {
    return is_cfm(method);
}

bool dip_method_has_views(int method) {
    return dip_method_has_masks(method) || method == DIP_METHOD_DROPOUT;
}

bool dip_method_drops_values(int method) {
    return dip_method_has_views(method) && method != DIP_METHOD_CFM_NO_DROPOUT;
}

bool dip_views_are_alike(const dip_config *config, const dip_entity *entity) {
    bool drops = false;
    for (size_t f = 0; f < entity->n_features; f++) {
        drops = drops || dip_feature_is_bag(&entity->features[f]);
    }
    return config->ssl.method == DIP_METHOD_DROPOUT && (!drops || config->ssl.dropout == 0);
}

void dip_views_explain(const dip_config *config, const char *whose, char *text, size_t bytes) {
    char reason[64] = "ssl.dropout is 0";
    if (config->ssl.dropout > 0) {
        snprintf(reason, sizeof reason, "no feature of the %s has", whose);
    }
    snprintf(text, bytes,
             "ssl.method: dropout makes two views that are alike: it drops single values of "
             "features that have several, and %s; ssl.method: noise makes views of any item",
             reason);
}

/* Insertion sort of the other features; among equals the smaller index comes first. */
static void rank_related(dip_augmenter *augmenter, size_t seed, const double *information) {
    uint8_t *list = augmenter->related[seed];
    const double *row = information + seed * augmenter->k;
    size_t n = 0;
    for (size_t f = 0; f < augmenter->k; f++) {
        if (f == seed) {
            continue;
        }
        size_t at = n++;
        while (at > 0 && row[list[at - 1]] < row[f]) {
            list[at] = list[at - 1];
            at--;
        }
        list[at] = (uint8_t)f;
    }
}

dip_status dip_augmenter_make(dip_augmenter *augmenter, int method, size_t k,
                              const double *information, uint64_t seed, dip_error *err) {
    memset(augmenter, 0, sizeof *augmenter);
    augmenter->method = method;
    augmenter->k = k;
    augmenter->rng = dip_rng_make(seed, DIP_DRAW_MASK);
    if (dip_method_has_masks(method) && k < 2) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "ssl.method: masking needs at least two item features and there is %zu; "
                        "use dropout (for a bag), noise (for any feature), none, or the preset "
                        "best",
                        k);
    }
    for (size_t f = 0; is_cfm(method) && f < k; f++) {
        rank_related(augmenter, f, information);
    }
    return DIP_OK;
}

dip_status dip_augmenter_make_queries(dip_augmenter *augmenter, int method, size_t k,
                                      const double *information, uint64_t seed, dip_error *err) {
    if (dip_method_has_masks(method) && k < 2) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "ssl.towers: both: masking needs at least two query features and there is "
                        "%zu; use item, or ssl.method: dropout (for a bag) or noise",
                        k);
    }
    DIP_TRY(dip_augmenter_make(augmenter, method, k, information, seed, err));
    augmenter->rng = dip_rng_make(seed, DIP_DRAW_QUERY_MASK);
    return DIP_OK;
}

static uint64_t all_features(size_t k) {
    return k == 64 ? UINT64_MAX : ((uint64_t)1 << k) - 1;
}

/* The seed counts among the masked, so n + 1 <= k - 1 keeps one feature alive. */
uint64_t dip_augmenter_seed_mask(const dip_augmenter *augmenter, size_t seed) {
    const size_t half = augmenter->k / 2;
    const size_t n = half <= augmenter->k - 2 ? half : augmenter->k - 2;
    uint64_t mask = (uint64_t)1 << seed;
    for (size_t i = 0; i < n; i++) {
        mask |= (uint64_t)1 << augmenter->related[seed][i];
    }
    return mask;
}

static uint64_t correlated_mask(const dip_augmenter *augmenter, uint64_t step, uint64_t place) {
    const dip_draw draw = dip_rng_at(augmenter->rng, step, place);
    const size_t seed = (size_t)dip_below(draw.word[0], draw.word[1], augmenter->k);
    return dip_augmenter_seed_mask(augmenter, seed);
}

/* floor(k/2) features at random: the first ones of a random permutation. */
static uint64_t random_mask(const dip_augmenter *augmenter, uint64_t stream) {
    const dip_permutation order = dip_permutation_make(augmenter->rng, stream, augmenter->k);
    uint64_t mask = 0;
    for (size_t i = 0; i < augmenter->k / 2; i++) {
        mask |= (uint64_t)1 << dip_permute(&order, i);
    }
    return mask;
}

/* Draw number `index` of a step for the batch, with example = 0, or for example - 1. */
static uint64_t draw_mask(const dip_augmenter *augmenter, uint64_t step, uint64_t example,
                          uint64_t index) {
    const uint64_t place = (example << 8) | index;
    if (is_cfm(augmenter->method)) {
        return correlated_mask(augmenter, step, place);
    }
    if (example == 0) {
        return random_mask(augmenter, ((index + 1) << 48) ^ step);
    }
    const dip_draw draw = dip_rng_at(augmenter->rng, step, place);
    return random_mask(augmenter, ((uint64_t)draw.word[0] << 32) | draw.word[1]);
}

static dip_masks draw_masks(const dip_augmenter *augmenter, uint64_t step, uint64_t example) {
    dip_masks masks = {0, 0};
    switch (augmenter->method) {
    case DIP_METHOD_CFM:
    case DIP_METHOD_CFM_NO_DROPOUT:
    case DIP_METHOD_RFM:
        masks.h = draw_mask(augmenter, step, example, 0);
        masks.g = all_features(augmenter->k) & ~masks.h;
        break;
    case DIP_METHOD_CFM_NO_COMPLEMENT:
    case DIP_METHOD_RFM_NO_COMPLEMENT:
        masks.h = draw_mask(augmenter, step, example, 0);
        masks.g = draw_mask(augmenter, step, example, 1);
        break;
    default:
        break;
    }
    return masks;
}

dip_masks dip_augmenter_draw(const dip_augmenter *augmenter, uint64_t step) {
    return draw_masks(augmenter, step, 0);
}

dip_masks dip_augmenter_draw_example(const dip_augmenter *augmenter, uint64_t step,
                                     size_t example) {
    return draw_masks(augmenter, step, example + 1);
}
