/* SPDX-License-Identifier: Apache-2.0
 *
 * Parquet and Arrow IPC files as sheets: their batches are the blocks, their cells become the text
 * that a cell of a TSV would have.
 */
#ifndef DIP_DATA_ARROW_TABLE_H
#define DIP_DATA_ARROW_TABLE_H

#include "data/sheet.h"

typedef struct dip_arrow_table dip_arrow_table;

/* Opens the sheet's file and names its columns.
 *
 * DIP_ERR_USAGE   this build has no module for Arrow */
dip_status dip_arrow_open(dip_arrow_table **out, dip_sheet *sheet, dip_error *err);

/* The next batch. The sheet's columns have been selected. */
dip_status dip_arrow_take(dip_arrow_table *table, dip_sheet *sheet, dip_block *block,
                          dip_error *err);

/* Bytes of the file consumed, by the share of rows. */
uint64_t dip_arrow_position(const dip_arrow_table *table, uint64_t bytes);

void dip_arrow_close(dip_arrow_table *table);

/* The next row of a block. */
dip_status dip_cut_arrow(dip_block *block, dip_error *err);

/* What sheets and blocks hold of it. */
void dip_arrow_sheet_free(dip_sheet *sheet);
void dip_arrow_block_free(dip_block *block);

/* For tests: the module is looked for under this name instead; NULL restores the usual one. */
void dip_arrow_set_module(const char *name);

#endif
