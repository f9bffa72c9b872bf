/* SPDX-License-Identifier: Apache-2.0
 *
 * What the public functions ask of their arguments before they delegate.
 */
#ifndef DIP_API_ARGUMENTS_H
#define DIP_API_ARGUMENTS_H

#include "base/options.h"
#include "base/status.h"

/* DIP_ERR_USAGE when a pointer is NULL. */
dip_status dip_need(const void *argument, const char *name, dip_error *err);

/* DIP_ERR_USAGE for flags beyond the known ones. */
dip_status dip_need_flags(unsigned flags, unsigned known, dip_error *err);

/* Names and values [n] of settings, of which none is NULL. */
dip_status dip_need_settings(const char *const *names, const char *const *values, size_t n,
                             dip_error *err);

/* A row of a table of options, as the public functions tell of it. */
dip_status dip_describe_option(const dip_option_table *table, size_t index, dip_option_info *info,
                               dip_error *err);

#endif
