/* SPDX-License-Identifier: Apache-2.0
 *
 * What prepare keeps in scratch space, as plain arrays that a test can look at, and the other way
 * round. What is read here is read as the library reads it: through cursors, piece by piece.
 */
#ifndef DIP_TESTS_UNIT_PLAIN_H
#define DIP_TESTS_UNIT_PLAIN_H

#include "check.h"
#include "prepare/fit.h"

/* Scratch space where temporary files go. */
void plain_scratch(dip_scratch *scratch);

typedef struct plain_texts {
    size_t n;
    char **text;
    size_t *length;
    int64_t *count; /* of the values of a vocabulary; otherwise NULL */
} plain_texts;

/* Texts as {uint32 length, bytes}. */
plain_texts plain_texts_of(const dip_spool *spool);
plain_texts plain_texts_of_kept(const dip_kept *kept);
void plain_texts_free(plain_texts *texts);

/* All texts in their order, joined by '~'; the values of a vocabulary as "text:count". */
void check_texts(const dip_spool *spool, const char *expected);
void check_kept(const dip_kept *kept, const char *expected);

/* Row i has the codes [offset[i], offset[i + 1]). */
typedef struct plain_cells {
    size_t n;
    size_t *offset;
    int32_t *code;
} plain_cells;

plain_cells plain_column(const dip_column_data *column, bool is_bag);
plain_cells plain_final(const dip_fit *fit, const dip_raw_entity *side, const dip_entity *entity,
                        size_t f);
void plain_cells_free(plain_cells *cells);

/* The texts of one row's codes, joined by '~'. */
void check_row_texts(const plain_cells *cells, size_t row, const plain_texts *texts,
                     const char *expected);

/* n doubles; the caller free()s them. */
double *plain_numbers(const dip_spool *spool, size_t *n);
double *plain_final_numbers(const dip_fit *fit, const dip_raw_entity *side,
                            const dip_entity *entity, size_t f, size_t *n);

typedef struct plain_pairs {
    size_t n;
    int32_t *query;
    int32_t *item;
    double *time;  /* NULL when there are none */
    uint8_t *part; /* likewise */
} plain_pairs;

plain_pairs plain_pairs_of(const dip_pairs *pairs);
void plain_pairs_free(plain_pairs *plain);

/* Fills pairs, which were initialised, from the arrays. */
void plain_pairs_put(const plain_pairs *plain, dip_pairs *pairs);

/* Seen values of a numbering in memory, in this order. */
void plain_texts_number(const plain_texts *texts, dip_intern *intern);

#endif
