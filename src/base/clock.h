/* SPDX-License-Identifier: Apache-2.0
 *
 * How long things take.
 */
#ifndef DIP_BASE_CLOCK_H
#define DIP_BASE_CLOCK_H

#include <time.h>

/* Seconds since some moment, by a clock that never jumps. */
static inline double dip_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
