/* SPDX-License-Identifier: Apache-2.0
 *
 * The .npy format, version 1.0, as numpy.load(mmap_mode="r") reads it: little-endian, C order. Data
 * starts at a multiple of 64 bytes, so a mapped column is aligned.
 */
#ifndef DIP_BASE_NPY_H
#define DIP_BASE_NPY_H

#include "base/folder.h"

typedef enum dip_npy_type {
    DIP_NPY_U8,  /* |u1 */
    DIP_NPY_I32, /* <i4 */
    DIP_NPY_I64, /* <i8 */
    DIP_NPY_F32, /* <f4 */
    DIP_NPY_F64  /* <f8 */
} dip_npy_type;

typedef struct dip_npy {
    dip_npy_type type;
    int64_t rows;
    int64_t columns; /* 0 for a vector */
    const void *data;
} dip_npy;

/* Bytes of one element, and its descriptor such as "<i4". */
size_t dip_npy_size(dip_npy_type type);
const char *dip_npy_descr(dip_npy_type type);

/* Begins an array as one part of a folder: its header is written, its elements are for the caller
 * to put into *writer, all rows x columns of them, before dip_folder_end. */
dip_status dip_npy_begin(dip_folder_writer *folder, const char *name, dip_npy_type type,
                         int64_t rows, int64_t columns, dip_writer **writer, dip_error *err);

/* Writes an array as one part of a folder. columns = 0 makes a vector. */
dip_status dip_npy_put(dip_folder_writer *folder, const char *name, dip_npy_type type,
                       const void *data, int64_t rows, int64_t columns, dip_error *err);

/* Reads the header in mapped bytes; the data must fill the rest exactly. `name` is used in
 * errors. */
dip_status dip_npy_parse(dip_npy *npy, const void *bytes, size_t length, const char *name,
                         dip_error *err);

/* Whether the header is, byte for byte, what dip_npy_put and numpy.save write. `bytes` is what was
 * parsed. */
bool dip_npy_is_plain(const dip_npy *npy, const void *bytes);

#endif
