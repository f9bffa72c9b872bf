/* SPDX-License-Identifier: Apache-2.0
 *
 * Which of the values seen a table keeps, and in which order: counts of at least min_count, most
 * frequent first, ties by bytes; at most max_vocab of them. The values are sorted in runs that fit
 * into the memory, and the runs are merged.
 */
#ifndef DIP_PREPARE_KEEP_H
#define DIP_PREPARE_KEEP_H

#include "base/folder.h"
#include "prepare/ingest.h"

typedef struct dip_kept {
    int64_t rows;
    dip_spool entries; /* a row: int64 count, uint32 length, the text */
    int32_t *remap;    /* [values seen] the row, or DIP_CODE_UNKNOWN */
} dip_kept;

/* What a table keeps. */
typedef struct dip_keep_rule {
    int64_t min_count;
    int64_t max_vocab; /* 0: no limit */
    int64_t pinned;    /* the first values seen keep their place, whatever their counts */
} dip_keep_rule;

/* count: [values seen] in training rows. */
dip_status dip_keep_values(dip_kept *kept, const dip_intern *seen, const int64_t *count,
                           const dip_keep_rule *rule, dip_scratch *scratch, const dip_means *means,
                           dip_error *err);

/* Writes the stored form of data/vocab.h. */
dip_status dip_keep_write(const dip_kept *kept, dip_folder_writer *folder, const char *name,
                          dip_error *err);

void dip_kept_free(dip_kept *kept);

#endif
