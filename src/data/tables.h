/* SPDX-License-Identifier: Apache-2.0
 *
 * Which feature looks its values up in which table.
 */
#ifndef DIP_DATA_TABLES_H
#define DIP_DATA_TABLES_H

#include "data/schema.h"

/* Lays out schema->tables: one table a feature, unless features name a common one. */
dip_status dip_tables_lay_out(dip_schema *schema, dip_error *err);

/* The first feature that uses a table: its settings are the table's. */
const dip_feature *dip_tables_first_feature(const dip_schema *schema, size_t table);

#endif
