/* SPDX-License-Identifier: Apache-2.0
 *
 * A catalogue of 3,000 items in memory, for steps of realistic size.
 */
#ifndef DIP_TESTS_GRAD_PLENTY_H
#define DIP_TESTS_GRAD_PLENTY_H

#include "data/dataset.h"

enum { PLENTY_ITEMS = 3000, PLENTY_FEATURES = 3, PLENTY_TAGS = 60, PLENTY_LONGEST_BAG = 9 };

/* Items with an id, a bag and a number; queries are items. */
typedef struct plenty {
    dip_dataset dataset;
    dip_table tables[2];
    dip_feature features[PLENTY_FEATURES];
    dip_column columns[PLENTY_FEATURES];
    int32_t id[PLENTY_ITEMS];
    int64_t offsets[PLENTY_ITEMS + 1];
    int32_t tags[PLENTY_ITEMS * PLENTY_LONGEST_BAG];
    float price[PLENTY_ITEMS];
    int64_t item_count[PLENTY_ITEMS];
} plenty;

/* The caller free()s it. */
plenty *plenty_make(void);

/* The next of a fixed sequence of integers in [0, n). */
int32_t plenty_below(uint64_t *state, int32_t n);

#endif
