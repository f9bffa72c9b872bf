/* SPDX-License-Identifier: Apache-2.0
 *
 * A lock file: held by one process, gone with it.
 */
#ifndef DIP_BASE_LOCK_H
#define DIP_BASE_LOCK_H

#include "base/status.h"

#include <stdbool.h>

/* Opens or makes the file and locks it; *fd is closed with dip_lock_drop. *again says that the
 * file or its folder went away between two calls and everything must be repeated.
 *
 * doing   "trains into shop": what the other process is told to do
 * DIP_ERR_FAILED   another process holds it; the text has its number */
dip_status dip_lock_take(const char *path, const char *doing, int *fd, bool *again, dip_error *err);

/* fd < 0 is no lock. */
void dip_lock_drop(int fd);

#endif
