/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors: a status for control flow and a caller-owned text for people. The text names the object
 * at fault (file, line, option, tensor) and, where there is one, the remedy.
 */
#ifndef DIP_BASE_STATUS_H
#define DIP_BASE_STATUS_H

#include "diptych.h"

/* Returns the status of a failed call from the enclosing function. */
#define DIP_TRY(call)                                                                              \
    do {                                                                                           \
        const dip_status try_status = (call);                                                      \
        if (try_status != DIP_OK) {                                                                \
            return try_status;                                                                     \
        }                                                                                          \
    } while (0)

/* Stores the status of a failed call in `status` and jumps to the clean-up label. */
#define DIP_TRY_GOTO(label, call)                                                                  \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != DIP_OK) {                                                                    \
            goto label;                                                                            \
        }                                                                                          \
    } while (0)

#if defined(__GNUC__)
#define DIP_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define DIP_PRINTF(text, first)
#endif

/* Fills err (may be NULL) and returns code. */
dip_status dip_fail(dip_error *err, dip_status code, const char *format, ...) DIP_PRINTF(3, 4);

/* Fills err with "cannot <action> <path>: <text of errno_value>" and returns DIP_ERR_IO. */
dip_status dip_fail_errno(dip_error *err, int errno_value, const char *action, const char *path);

/* Puts "<context>: " before the text that a deeper function left in err; returns code unchanged. */
dip_status dip_fail_context(dip_error *err, dip_status code, const char *format, ...)
    DIP_PRINTF(3, 4);

#endif
