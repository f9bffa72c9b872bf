/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/metrics.h"

#include <math.h>

const char *const dip_metric_names[DIP_N_METRICS] = {"recall", "map", "ndcg", "mrr", "hit_rate"};

static double ideal_gain(size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += 1 / log2((double)i + 2);
    }
    return sum;
}

void dip_metrics(const bool *hit, size_t length, size_t right, size_t k,
                 double metric[DIP_N_METRICS]) {
    const size_t most = right < k ? right : k;
    double hits = 0;
    double precision = 0;
    double gain = 0;
    double reciprocal = 0;
    for (size_t i = 0; i < length && i < k; i++) {
        if (!hit[i]) {
            continue;
        }
        hits += 1;
        precision += hits / (double)(i + 1);
        gain += 1 / log2((double)i + 2);
        if (reciprocal == 0) {
            reciprocal = 1 / (double)(i + 1);
        }
    }
    metric[0] = hits / (double)right;
    metric[1] = precision / (double)most;
    metric[2] = gain / ideal_gain(most);
    metric[3] = reciprocal;
    metric[4] = hits > 0;
}
