/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of ingest share.
 */
#ifndef DIP_PREPARE_INGEST_PARTS_H
#define DIP_PREPARE_INGEST_PARTS_H

#include "data/reader.h"
#include "prepare/ingest.h"

/* Reads the rows of an entity's files. */
dip_status dip_ingest_rows(dip_raw *raw, dip_raw_entity *side, const dip_project *project,
                           const dip_entity *entity, const dip_means *means, dip_error *err);

/* Reads the interactions; queries without a file get their rows here. */
dip_status dip_ingest_pairs(dip_raw *raw, const dip_project *project, const dip_schema *schema,
                            const dip_means *means, dip_error *err);

/* The column of ids of an entity, for messages about it. */
typedef struct dip_id_source {
    const dip_raw *raw;
    const dip_raw_entity *side;
    const char *name;
    size_t column; /* as the reader counts */
} dip_id_source;

/* Fails because of the id at place `again` of the files, which stands at place `first` too. */
dip_status dip_ingest_repeated(const dip_id_source *ids, uint64_t first, uint64_t again,
                               const char *id, size_t length, dip_error *err);

/* Fails when two rows of the files have one code. */
dip_status dip_ingest_find_repeated(const dip_id_source *ids, dip_error *err);

/* The number of a file's name, which is kept. */
dip_status dip_ingest_file(dip_raw *raw, const char *path, uint64_t *number, dip_error *err);

/* Says how far reading is. */
dip_status dip_ingest_tell(const dip_reader *reader, uint64_t records, const dip_means *means,
                           dip_error *err);

/* How many blocks a round has. */
size_t dip_ingest_round(const dip_means *means);

#endif
