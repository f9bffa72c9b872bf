/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing list of texts of its own. Zero-initialise; free with dip_names_free.
 */
#ifndef DIP_BASE_NAMES_H
#define DIP_BASE_NAMES_H

#include "base/status.h"

#include <stddef.h>

typedef struct dip_names {
    size_t n;
    char **name;
    size_t capacity;
} dip_names;

dip_status dip_names_add(dip_names *names, const char *text, size_t length, dip_error *err);
dip_status dip_names_add_all(dip_names *names, const char *const *texts, size_t n, dip_error *err);

void dip_names_free(dip_names *names);

#endif
