/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole uses of the public API, each as one function that can fail anywhere: it frees what it made
 * and returns the first failure.
 */
#ifndef DIP_TESTS_SCENARIOS_H
#define DIP_TESTS_SCENARIOS_H

#include "fault/world.h"

typedef struct scenario {
    const char *name;
    dip_status (*run)(const world *w, dip_error *err);
    const char *output; /* the folder that it writes in the world's root, or NULL */
    const char *old;    /* what stands there before: NULL, "shop.dip" or "model" */
    bool multiplies;    /* calls oneDNN, whose own allocations are not ours to fail */
} scenario;

extern const scenario SCENARIOS[];
extern const size_t N_SCENARIOS;

/* Makes the scenario's old output, or removes what a run left. */
void scenario_reset(const scenario *s, const world *w);

/* What is wrong with the output, which must be the old one or the new one; NULL when nothing is.
 * `old` and `new` are hashes of the two (0 for none). */
const char *scenario_problem(const scenario *s, const world *w, uint64_t old, uint64_t new);

#endif
