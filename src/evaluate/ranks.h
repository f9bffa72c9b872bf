/* SPDX-License-Identifier: Apache-2.0
 *
 * Where each held-out pair was ranked: two bytes a pair, from which every metric at every list
 * length, slice and protocol follows (dip_scores_from_ranks in evaluate/scores.h).
 *
 * rank[p] belongs to the pair of questions->right[p] with its query: the place of the item in its
 * query's list, 1 for the first; 0 when it is not among the first `longest`, or is excluded.
 */
#ifndef DIP_EVALUATE_RANKS_H
#define DIP_EVALUATE_RANKS_H

#include "base/progress.h"
#include "config/config.h"
#include "evaluate/questions.h"
#include "model/tower.h"

/* What a rank can say. */
enum { DIP_RANK_MAX = UINT16_MAX };

/* Pairs that are asked: the length of rank. */
static inline size_t dip_questions_pairs(const dip_questions *questions) {
    return questions->n > 0 ? (size_t)questions->start[questions->n] : 0;
}

/* Ranks by the model, exact over the whole catalogue, with the rows left out that the questions
 * exclude. Of the configuration it takes the threads. Lists are held for a part of the queries at a
 * time, so memory does not grow with longest.
 * DIP_ERR_USAGE   longest is not within 1 ... DIP_RANK_MAX. */
dip_status dip_rank_pairs(const dip_towers *towers, const dip_dataset *dataset,
                          const dip_config *config, const dip_questions *questions, size_t longest,
                          const dip_watch *watch, uint16_t *rank, dip_error *err);

/* Ranks in given lists: items [questions->n x longest], -1 behind the end, longest at most
 * DIP_RANK_MAX. */
void dip_ranks_of_lists(const dip_questions *questions, const int64_t *items, size_t longest,
                        uint16_t *rank);

/* For each popularity group of items (group [items], see dip_popularity_groups) the held-out pairs
 * and how many of them stand among the first k. */
void dip_hits_by_decile(const dip_questions *questions, const uint8_t *group, const uint16_t *rank,
                        size_t k, int64_t pairs[DIP_N_POPULARITY_GROUPS],
                        int64_t hits[DIP_N_POPULARITY_GROUPS]);

#endif
