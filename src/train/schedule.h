/* SPDX-License-Identifier: Apache-2.0
 *
 * The learning rate of a step. With W warm-up steps and T steps in all, for step s = 1 ... T, and
 * rate = train.rate, or train.rate * train.rate_width / width of the first layer (that Adam's best
 * rate goes with 1 / width: Yang et al., arXiv 2203.03466):
 *
 *   s <= W     rate * s / W
 *   constant   rate
 *   linear     rate * (T - s + 1) / (T - W)
 *   cosine     rate * (1 + cos(pi (s - 1 - W) / (T - W))) / 2
 */
#ifndef DIP_TRAIN_SCHEDULE_H
#define DIP_TRAIN_SCHEDULE_H

#include "config/config.h"

double dip_schedule_rate(const dip_config *config, int64_t step, int64_t total);

#endif
