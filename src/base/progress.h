/* SPDX-License-Identifier: Apache-2.0
 *
 * Reporting progress to the caller's callback, which may ask to stop.
 */
#ifndef DIP_BASE_PROGRESS_H
#define DIP_BASE_PROGRESS_H

#include "base/status.h"

static inline dip_status dip_tell(const dip_watch *watch, const dip_progress *progress,
                                  dip_error *err) {
    if (watch == NULL || watch->on_progress == NULL) {
        return DIP_OK;
    }
    if (watch->on_progress(watch->context, progress) != 0) {
        return dip_fail(err, DIP_ERR_INTERRUPTED, "interrupted while %s", progress->phase);
    }
    return DIP_OK;
}

/* A sentence for the person who waits. */
static inline void dip_say(const dip_watch *watch, const char *text) {
    if (watch != NULL && watch->on_message != NULL) {
        watch->on_message(watch->context, text);
    }
}

#endif
