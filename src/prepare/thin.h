/* SPDX-License-Identifier: Apache-2.0
 *
 * From a dataset to one with a share of its training pairs: what prepare makes of the raw files
 * with a smaller split.train_fraction, when there is only the dataset.
 */
#ifndef DIP_PREPARE_THIN_H
#define DIP_PREPARE_THIN_H

#include "base/progress.h"
#include "data/dataset.h"
#include "prepare/ingest.h"

/* A dataset like `dataset` with a uniform share of its training pairs; the option
 * split.train_fraction becomes the product of both fractions.
 *
 * Stays        validation and test pairs, items, queries, ids and titles; vocabularies with their
 *              order, and so the rows of the tables; normalisers and bucket edges, which come from
 *              training rows of `dataset`; parts and keys of the manifest that are not prepare's.
 * Fitted anew  item-count, item-trains, the counts of vocabularies, mutual information, counts and
 *              warnings of the manifest, and which values are known: a value whose count in
 *              training rows falls below the feature's min_count leaves the columns, as the id of
 *              an item without training pair does. Its row stays in the table, and no cell leads
 *              to it. (What a dataset that grew keeps below min_count stays while its count does.)
 *
 * The draw is that of prepare, by split.seed and the rows of a pair: the training pairs are the
 * very ones that prepare keeps when split.train_fraction is the product, in the order that they
 * have in `dataset`. That is prepare's, unless `dataset` is scattered (write.h). The known cells
 * are the same too, but where max_vocab cuts a vocabulary: prepare would rank its values by the
 * counts of the share. With fraction 1 all columns and pairs are the same. The bytes are a
 * function of `dataset` and the fraction.
 *
 * Columns and pairs are mapped and walked. Memory: 9 bytes an item (1 more when queries are items),
 * 1 a query, 4 a row of every vocabulary and 8 a row of the one being counted, the up to 2^19 rows
 * that the mutual information is measured on, and for test pairs up to means->memory / 4. Scratch
 * space beside the output: 1 byte a pair.
 *
 * output   may be the folder of `dataset` with `replace`: `dataset` goes on with the old files
 * DIP_ERR_USAGE    the fraction is not above 0 and at most 1, or the product is less than
 *                  split.train_fraction may be; the output exists and `replace` is not given
 * DIP_ERR_FAILED   fewer than two training pairs are left */
dip_status dip_thin(const dip_dataset *dataset, double fraction, const char *output, bool replace,
                    const dip_means *means, dip_error *err);

#endif
