/* SPDX-License-Identifier: Apache-2.0 */
#include "coins.h"

void coins_zero(dip_scores *s, size_t n) {
    *s = (dip_scores){.n = n, .k = {1, {1}}, .width = COINS_WIDTH};
    s->sum = calloc(n * s->width + 1, sizeof *s->sum);
    s->weight = calloc(n * DIP_N_SLICES + 1, sizeof *s->weight);
    assert_non_null(s->sum);
    assert_non_null(s->weight);
    for (size_t i = 0; i < n; i++) {
        s->weight[i * DIP_N_SLICES] = 1;
    }
}

void coins_make(dip_scores *s, size_t n, double share, uint64_t *random) {
    coins_zero(s, n);
    for (size_t i = 0; i < n; i++) {
        s->sum[i * s->width] = check_random_unit(random) < share ? 1 : 0;
    }
}

void coins_free(dip_scores *s) {
    free(s->sum);
    free(s->weight);
}
