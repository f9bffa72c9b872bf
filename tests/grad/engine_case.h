/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole step, in double: the gradient of the total loss by every element of every tensor,
 * tables included, is what one update of SGD at rate 1 takes away, and must agree with central
 * differences of losses.total.
 */
#ifndef DIP_TESTS_GRAD_ENGINE_CASE_H
#define DIP_TESTS_GRAD_ENGINE_CASE_H

#include "grad/difference.h"
#include "grad/tiny.h"

enum { CASE_STEP = 3 };

typedef struct setting {
    tiny_kind kind;
    const char *share;
    const char *logq;
    const char *mask_hits;
    const char *method;
    const char *extra; /* extra negatives; NULL: none */
    int excess;        /* of the moments: +1 or -1 asks for that side of the corner, 0 for either */
    const char *const (*more)[2]; /* further options by key, up to a NULL; or NULL */
} setting;

typedef struct engine_case {
    tiny_world world;
    dip_config config;
    dip_batch batch;
    dip_engine *engine;
    size_t n_passes;
    dip_pass pass[TINY_PASSES]; /* our own, to see the activations */
    tiny_pass list[TINY_PASSES];
    uint64_t each_h[TINY_BATCH]; /* masks of single items, where the setting asks for them */
    uint64_t each_g[TINY_BATCH];
    uint64_t pattern; /* of active units, at the base */
    bool is_same;     /* no unit has changed its side */
} engine_case;

/* The configuration of the tiny worlds with the setting's options. */
void case_configure(dip_config *config, const setting *s, int64_t seed);

/* A step's engine and passes; a failure is a failed assertion. */
engine_case *case_create(const setting *s, int64_t seed);
void case_free(engine_case *k);

/* Runs our own passes and hashes which units are active. */
uint64_t case_pattern(engine_case *k);

/* Compares the gradients at the first seed whose initial values keep clear of all corners. */
void case_check(difference_worst *worst, const setting *s);

/* The same of one loss alone. */
void case_check_skipping(difference_worst *worst, const setting *s, bool skips_main,
                         bool skips_self);

#endif
