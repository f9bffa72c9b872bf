/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of tests/vectors, as tools/gen_vectors.py writes them: options, a kind of world, and
 * named arrays of numbers. Errors of reading are failed assertions.
 */
#ifndef DIP_TESTS_GRAD_VECTORS_H
#define DIP_TESTS_GRAD_VECTORS_H

#include "grad/tiny.h"

enum { VECTOR_ARRAYS_MAX = 100, VECTOR_NAME_MAX = 100 };

typedef struct vector_array {
    char name[VECTOR_NAME_MAX];
    size_t rows;
    size_t columns;
    double *data; /* [rows x columns] */
} vector_array;

typedef struct vector_file {
    char name[VECTOR_NAME_MAX];
    tiny_kind kind;
    dip_config config; /* the defaults, and the options of the file */
    size_t n;
    vector_array list[VECTOR_ARRAYS_MAX];
} vector_file;

/* Reads tests/vectors/NAME.txt. */
vector_file *vector_read(const char *name);

/* An array by name and its number of elements; NULL when the file has none of that name. */
const vector_array *vector_find(const vector_file *file, const char *name);

/* The array `prefix`NAME, which must be there with that many elements. */
const double *vector_get(const vector_file *file, const char *prefix, const char *name, size_t n);

void vector_free(vector_file *file);

#endif
