/* SPDX-License-Identifier: Apache-2.0 */
#include "train/schedule.h"

#include <math.h>

static double full_rate(const dip_config *config) {
    const double meant = (double)config->train.rate_width;
    const double width = (double)config->model.hidden.value[0];
    return meant > 0 ? config->train.rate * meant / width : config->train.rate;
}

double dip_schedule_rate(const dip_config *config, int64_t step, int64_t total) {
    static const double PI = 3.14159265358979323846;
    const double rate = full_rate(config);
    const int64_t warmup = config->train.warmup;
    if (step <= warmup) {
        return rate * (double)step / (double)warmup;
    }
    const double span = (double)(total > warmup ? total - warmup : 1);
    const double done = (double)(step - 1 - warmup) / span;
    switch (config->train.schedule) {
    case DIP_SCHEDULE_LINEAR:
        return rate * (1 - done);
    case DIP_SCHEDULE_COSINE:
        return rate * 0.5 * (1 + cos(PI * done));
    default:
        return rate;
    }
}
