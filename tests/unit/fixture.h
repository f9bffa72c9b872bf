/* SPDX-License-Identifier: Apache-2.0
 *
 * Small datasets, made as a user makes them: a project file and raw files in the test's folder,
 * prepared into a dataset folder beside them.
 */
#ifndef DIP_TESTS_UNIT_FIXTURE_H
#define DIP_TESTS_UNIT_FIXTURE_H

#include "base/npy.h"
#include "check.h"
#include "data/dataset.h"
#include "data/project.h"
#include "prepare/prepare.h"

/* A project file for items.tsv (id, kind, tags, title, price) and pairs.tsv (q, i): five features
 * of all types, queries are items, no random split beyond a column "part". Options follow as
 * YAML. */
extern const char fixture_yaml[];

/* Writes project.yaml, items.tsv and pairs.tsv. */
void fixture_write(check_folder *folder, const char *yaml, const char *items, const char *pairs);

/* Reads the project that was written. */
dip_status fixture_project(dip_project *project, check_folder *folder);

/* No power fails during a test: without fsync hundreds of small datasets take no time. What
 * prepares below begins with it. */
void fixture_fast_files(void);

/* Prepares what was written into folder/data, replacing what was there. summary may be NULL. */
dip_status fixture_prepare(check_folder *folder, json_t **summary);

/* Likewise by means of the test's own, and with blocks of about so many bytes (0: the reader's). */
dip_status fixture_prepare_by(check_folder *folder, const dip_means *means, size_t block_bytes,
                              json_t **summary);

/* Makes all the project's tables be read in blocks of about so many bytes. */
void fixture_small_blocks(dip_project *project, size_t block_bytes);

/* Writes, prepares and loads; fails the test when that does not work. */
void fixture_load(dip_dataset *dataset, check_folder *folder, const char *yaml, const char *items,
                  const char *pairs);

/* Publishes folder/data again with other bytes for one part (NULL: the part is left out) and right
 * checksums, as a hostile or faulty writer could. */
void fixture_replace_part(check_folder *folder, const char *part, const void *bytes, size_t n);

/* Likewise with an array of columns = 0 or more; its data. */
void fixture_replace_array(check_folder *folder, const char *part, const dip_npy *array);

/* Publishes folder/data again after `edit` has changed the manifest's content. */
void fixture_edit_manifest(check_folder *folder, void (*edit)(json_t *manifest));

/* A project of n_items items and n_pairs distinct random pairs, with features kind and tags. Every
 * text is a function of the seed. */
typedef struct fixture_size {
    size_t n_items;
    size_t n_pairs;
    uint64_t seed;
} fixture_size;

void fixture_write_random(check_folder *folder, fixture_size size, const char *options);

#endif
