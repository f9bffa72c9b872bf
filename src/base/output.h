/* SPDX-License-Identifier: Apache-2.0
 *
 * One file that is whole under its name or not there: written under a temporary name beside it,
 * flushed to the disk, then renamed.
 */
#ifndef DIP_BASE_OUTPUT_H
#define DIP_BASE_OUTPUT_H

#include "base/file.h"

typedef struct dip_output {
    char *path;
    char *folder;
    char *work; /* where it is written first */
    dip_writer writer;
} dip_output;

/* DIP_ERR_USAGE when the path is a folder, or exists and `replace` is not given. To be freed after
 * a failure too. */
dip_status dip_output_open(dip_output *out, const char *path, bool replace, dip_error *err);

/* Ends the writing; the file keeps its temporary name. */
dip_status dip_output_close(dip_output *out, dip_error *err);

/* Gives it its name. */
dip_status dip_output_publish(dip_output *out, dip_error *err);

/* Removes what was not published. */
void dip_output_free(dip_output *out);

/* A whole file from memory; an older one is replaced. */
dip_status dip_output_put(const char *path, const char *data, size_t bytes, dip_error *err);

#endif
