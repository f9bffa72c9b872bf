/* SPDX-License-Identifier: Apache-2.0
 *
 * The mutual information of the item features, which of them are nearly the same, and what a CFM
 * makes of it: for each seed, the features that view h masks; view g masks the rest.
 */
#include "check/parts.h"
#include "model/augment.h"

#include <stdio.h>

/* Two features are nearly the same when they share this much of the larger entropy. */
static const double NEAR_SHARE = 0.95;

static const char *name_of(const dip_checkup *check, size_t f) {
    return check->dataset->schema.items.features[f].name;
}

static dip_status put_matrix(const dip_checkup *check, json_t *information, dip_error *err) {
    const size_t k = check->dataset->schema.items.n_features;
    json_t *names = NULL;
    json_t *matrix = NULL;
    DIP_TRY(dip_json_put_array(information, "features", &names, err));
    DIP_TRY(dip_json_put_array(information, "matrix", &matrix, err));
    for (size_t i = 0; i < k; i++) {
        json_t *row = NULL;
        DIP_TRY(dip_json_append(names, json_string(name_of(check, i)), err));
        DIP_TRY(dip_json_new_array(&row, err));
        DIP_TRY(dip_json_append(matrix, row, err));
        for (size_t j = 0; j < k; j++) {
            DIP_TRY(dip_json_append(row, json_real(check->dataset->mutual_information[i * k + j]),
                                    err));
        }
    }
    return DIP_OK;
}

static dip_status put_pair(const dip_checkup *check, json_t *list, size_t i, size_t j,
                           dip_error *err) {
    const size_t k = check->dataset->schema.items.n_features;
    const double *matrix = check->dataset->mutual_information;
    json_t *pair = NULL;
    DIP_TRY(dip_json_append_object(list, &pair, err));
    DIP_TRY(dip_put_text(pair, "a", name_of(check, i), err));
    DIP_TRY(dip_put_text(pair, "b", name_of(check, j), err));
    DIP_TRY(dip_put_real(pair, "information", matrix[i * k + j], err));
    DIP_TRY(dip_put_real(pair, "entropy_a", matrix[i * k + i], err));
    DIP_TRY(dip_put_real(pair, "entropy_b", matrix[j * k + j], err));
    char about[2 * DIP_TEXT_MAX + 32];
    snprintf(about, sizeof about, "item features %s, %s", name_of(check, i), name_of(check, j));
    return dip_find(check, DIP_WARNING, about, "Leave one of the two out.", err,
                    "They are nearly the same: mutual information %.3f, entropies %.3f and %.3f.",
                    matrix[i * k + j], matrix[i * k + i], matrix[j * k + j]);
}

static dip_status find_near(const dip_checkup *check, json_t *information, dip_error *err) {
    const size_t k = check->dataset->schema.items.n_features;
    const double *matrix = check->dataset->mutual_information;
    json_t *list = NULL;
    DIP_TRY(dip_json_put_array(information, "near_duplicates", &list, err));
    for (size_t i = 0; i < k; i++) {
        for (size_t j = i + 1; j < k; j++) {
            const double a = matrix[i * k + i];
            const double b = matrix[j * k + j];
            const double larger = a > b ? a : b;
            if (larger > 0 && matrix[i * k + j] >= NEAR_SHARE * larger) {
                DIP_TRY(put_pair(check, list, i, j, err));
            }
        }
    }
    return DIP_OK;
}

/* ---- masks ----------------------------------------------------------------------------------- */

static dip_status put_names(const dip_checkup *check, json_t *object, const char *key,
                            uint64_t mask, dip_error *err) {
    json_t *names = NULL;
    DIP_TRY(dip_json_put_array(object, key, &names, err));
    for (size_t f = 0; f < check->dataset->schema.items.n_features; f++) {
        if ((mask >> f) & 1) {
            DIP_TRY(dip_json_append(names, json_string(name_of(check, f)), err));
        }
    }
    return DIP_OK;
}

/* Whether the features of a mask say nothing: they are the same for all items. */
static bool says_nothing(const dip_checkup *check, uint64_t mask) {
    for (size_t f = 0; f < check->dataset->schema.items.n_features; f++) {
        if (((mask >> f) & 1) && !check->items[f].is_silent) {
            return false;
        }
    }
    return true;
}

static dip_status put_seed(const dip_checkup *check, json_t *seeds, size_t seed, uint64_t mask,
                           dip_error *err) {
    const size_t k = check->dataset->schema.items.n_features;
    const uint64_t all = k == 64 ? UINT64_MAX : ((uint64_t)1 << k) - 1;
    const bool masks_nothing = says_nothing(check, mask);
    const bool keeps_nothing = says_nothing(check, all & ~mask);
    json_t *object = NULL;
    DIP_TRY(dip_json_append_object(seeds, &object, err));
    DIP_TRY(dip_put_text(object, "seed", name_of(check, seed), err));
    DIP_TRY(put_names(check, object, "h_masks", mask, err));
    DIP_TRY(put_names(check, object, "g_masks", all & ~mask, err));
    if (masks_nothing || keeps_nothing) {
        return dip_find(check, DIP_WARNING, "masks",
                        "Leave dead and constant features out: every second view is empty "
                        "otherwise.",
                        err,
                        "With seed %s, view %s masks nothing but dead or constant features, and "
                        "the other view shows nothing else.",
                        name_of(check, seed), masks_nothing ? "h" : "g");
    }
    return DIP_OK;
}

static bool is_masking(int method) {
    return dip_method_has_views(method) && method != DIP_METHOD_DROPOUT;
}

dip_status dip_check_masks(dip_checkup *check, dip_error *err) {
    const dip_dataset *dataset = check->dataset;
    const size_t k = dataset->schema.items.n_features;
    json_t *information = NULL;
    json_t *seeds = NULL;
    dip_augmenter augmenter;
    char method[DIP_VALUE_MAX];
    DIP_TRY(dip_json_put_object(check->report, "information", &information, err));
    DIP_TRY(put_matrix(check, information, err));
    DIP_TRY(find_near(check, information, err));
    dip_method_name(check->config->ssl.method, method);
    DIP_TRY(dip_put_text(information, "method", method, err));
    DIP_TRY(dip_json_put_array(information, "seeds", &seeds, err));
    if (k < 2) {
        return dip_find(check, is_masking(check->config->ssl.method) ? DIP_PROBLEM : DIP_NOTE,
                        "masks",
                        "Give the items another feature, or set ssl.method: dropout (for "
                        "a bag) or none.",
                        err, "Masking needs two item features and there is %zu.", k);
    }
    DIP_TRY(dip_augmenter_make(&augmenter, DIP_METHOD_CFM, k, dataset->mutual_information,
                               (uint64_t)check->config->seed, err));
    for (size_t seed = 0; seed < k; seed++) {
        DIP_TRY(put_seed(check, seeds, seed, dip_augmenter_seed_mask(&augmenter, seed), err));
    }
    return DIP_OK;
}
