/* SPDX-License-Identifier: Apache-2.0
 *
 * The two augmented views of the self-supervised task: which features are masked in each. Dropping
 * single values of bags is the second stage and happens where bags are pooled (input.h).
 *
 *   RFM   the k features are split at random into two disjoint halves; h masks one, g the other
 *   CFM   a seed feature is drawn uniformly, with the n = floor(k/2) features of highest mutual
 *         information with it; h masks these n + 1, g masks the rest
 *
 * Without complement, g draws its own mask in the same way as h. A view keeps at least one feature:
 * for k <= 3, n is lowered to k - 2. One draw a step, for the whole batch, or one for each example.
 */
#ifndef DIP_MODEL_AUGMENT_H
#define DIP_MODEL_AUGMENT_H

#include "base/rng.h"
#include "config/config.h"
#include "data/schema.h"

typedef struct dip_masks {
    uint64_t h; /* bit f: feature f takes its default embedding */
    uint64_t g;
} dip_masks;

typedef struct dip_augmenter {
    int method; /* dip_method */
    size_t k;
    uint8_t related[DIP_FEATURES_MAX][DIP_FEATURES_MAX]; /* others by falling information */
    dip_rng rng;
} dip_augmenter;

/* information [k x k] may be NULL unless the method is a CFM. DIP_ERR_USAGE when a masking method
 * meets fewer than two features. */
dip_status dip_augmenter_make(dip_augmenter *augmenter, int method, size_t k,
                              const double *information, uint64_t seed, dip_error *err);

/* The same for queries: its masks are other draws, and the message speaks of them. */
dip_status dip_augmenter_make_queries(dip_augmenter *augmenter, int method, size_t k,
                                      const double *information, uint64_t seed, dip_error *err);

/* What view h masks when a CFM draws this seed, seed < k: the seed and its correlates. */
uint64_t dip_augmenter_seed_mask(const dip_augmenter *augmenter, size_t seed);

/* The masks of a step. */
dip_masks dip_augmenter_draw(const dip_augmenter *augmenter, uint64_t step);

/* The masks of a single example of a step. */
dip_masks dip_augmenter_draw_example(const dip_augmenter *augmenter, uint64_t step, size_t example);

/* Whether the method masks features. */
bool dip_method_has_masks(int method);

/* Whether its masks follow the mutual information. */
bool dip_method_needs_information(int method);

/* Whether the method trains two augmented views with Eq. 3, and whether it drops values in them. */
bool dip_method_has_views(int method);
bool dip_method_drops_values(int method);

/* Whether the method's views of an item, or of a query, are always the same: dropped values alone
 * make them, and no feature has several values, or none is dropped. */
bool dip_views_are_alike(const dip_config *config, const dip_entity *entity);

/* Why they are, and what to do, of the "items" or "queries". */
void dip_views_explain(const dip_config *config, const char *whose, char *text, size_t bytes);

#endif
