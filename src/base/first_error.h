/* SPDX-License-Identifier: Apache-2.0
 *
 * The error of a parallel loop: threads keep theirs, the first one to come stays.
 */
#ifndef DIP_BASE_FIRST_ERROR_H
#define DIP_BASE_FIRST_ERROR_H

#include "base/status.h"

#include <stdatomic.h>

/* Zero-initialise. */
typedef struct dip_first_error {
    dip_status status;
    dip_error error;
    atomic_int is_kept;
} dip_first_error;

/* To be called inside the loop. */
static inline void dip_first_error_keep(dip_first_error *first, dip_status status,
                                        const dip_error *error) {
    if (status != DIP_OK && atomic_exchange(&first->is_kept, 1) == 0) {
        first->status = status;
        first->error = *error;
    }
}

/* To be called behind the loop. */
static inline dip_status dip_first_error_result(const dip_first_error *first, dip_error *err) {
    return first->status == DIP_OK ? DIP_OK
                                   : dip_fail(err, first->status, "%s", first->error.message);
}

#endif
