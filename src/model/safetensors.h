/* SPDX-License-Identifier: Apache-2.0
 *
 * The safetensors format: an 8-byte little-endian header length, a JSON header that names every
 * tensor with dtype, shape and byte range, then the bytes. All tensors are F32, in list order,
 * without gaps.
 */
#ifndef DIP_MODEL_SAFETENSORS_H
#define DIP_MODEL_SAFETENSORS_H

#include "base/folder.h"
#include "model/params.h"

/* Writes all values as one part. DIP_ERR_NONFINITE, naming the tensor, when a value is not
 * finite. */
dip_status dip_safetensors_put(dip_folder_writer *folder, const char *name,
                               const dip_params *params, dip_error *err);

/* Fills the values of params, which are allocated, from mapped bytes. Names, shapes and total size
 * must agree exactly. `name` is used in errors. */
dip_status dip_safetensors_read(dip_params *params, const dip_map *map, const char *name,
                                dip_error *err);

/* The header of a file as JSON, after checking that the length is sane. Caller json_decref()s. */
dip_status dip_safetensors_header(const dip_map *map, const char *name, json_t **header,
                                  size_t *data_offset, dip_error *err);

#endif
