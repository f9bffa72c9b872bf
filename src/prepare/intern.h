/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbering of distinct texts: codes 0, 1, 2, ... in the order of first sight. Texts are divided by
 * hash into parts; threads work on different parts, and the new texts of a round get their codes in
 * order afterwards, so that codes do not depend on the number of threads.
 *
 * While the texts fit into the memory that is allowed, a round's codes are known when it ends. Then
 * the numbering is spilled: what it knows, and every further occurrence, goes to scratch space, one
 * sequence a part, and the occurrence's code is a hole that names its part. At the end each part is
 * numbered by itself, the parts' new texts are merged by their first sight, and the codes of each
 * part's holes come in the order in which the holes were made.
 *
 *   rounds of additions     dip_intern_round ... dip_intern_settle
 *   rounds of look-ups      dip_intern_round ... dip_intern_settle_finds
 */
#ifndef DIP_PREPARE_INTERN_H
#define DIP_PREPARE_INTERN_H

#include "base/spool.h"
#include "prepare/texts.h"

/* The code of an occurrence that a look-up does not know. */
#define DIP_CODE_UNKNOWN (-1)

/* An occurrence that a spilled look-up did not find. */
typedef struct dip_missed {
    uint64_t position; /* in its stream */
    uint64_t mark;     /* what the cells carried for it */
    char text[104];    /* its beginning */
} dip_missed;

enum { DIP_MISSED_MAX = 5 };

/* The occurrences of one column, from the first block to the last. */
typedef struct dip_intern_stream {
    bool adds;                         /* new texts get codes; otherwise they are unknown */
    uint64_t position;                 /* occurrences so far */
    dip_spool seen[DIP_TEXT_PARTS];    /* of a spilled numbering: {position, mark, length, text} */
    dip_spool answers[DIP_TEXT_PARTS]; /* int32 codes of the holes of each part */
    dip_missed missed[DIP_MISSED_MAX]; /* the first ones */
    uint64_t n_missed;
} dip_intern_stream;

typedef struct dip_intern dip_intern;

dip_status dip_intern_create(dip_intern **intern, dip_scratch *scratch, dip_error *err);

/* Puts n lists of cells, in their order, through the numbering. cells[i]->codes become codes, or
 * holes (dip_code_is_hole), or DIP_CODE_UNKNOWN. All lists belong to the stream. */
dip_status dip_intern_round(dip_intern *intern, dip_intern_stream *stream, dip_texts *const *cells,
                            size_t n, int threads, dip_error *err);

/* Bytes of memory that the known texts take. */
size_t dip_intern_bytes(const dip_intern *intern);

/* Moves the known texts to scratch space; further rounds make holes. */
dip_status dip_intern_spill(dip_intern *intern, dip_error *err);
bool dip_intern_is_spilled(const dip_intern *intern);

/* Ends the additions of all these streams, in this order. */
dip_status dip_intern_settle(dip_intern *intern, dip_intern_stream *const *streams, size_t n,
                             int threads, dip_error *err);

/* Ends the look-ups of all these streams. */
dip_status dip_intern_settle_finds(dip_intern *intern, dip_intern_stream *const *streams, size_t n,
                                   int threads, dip_error *err);

/* How many codes there are; of a spilled numbering, after it was settled. */
uint64_t dip_intern_count(const dip_intern *intern);

/* The distinct texts in the order of their codes, each as a uint32 length and its bytes. */
const dip_spool *dip_intern_texts(const dip_intern *intern);

/* Gives the memory of the known texts back; no further round is possible. The list of texts
 * stays. */
void dip_intern_forget(dip_intern *intern);

void dip_intern_free(dip_intern *intern);
void dip_intern_stream_init(dip_intern_stream *stream, dip_scratch *scratch, bool adds);
void dip_intern_stream_free(dip_intern_stream *stream);

static inline bool dip_code_is_hole(int64_t code) {
    return code < DIP_CODE_UNKNOWN;
}

static inline size_t dip_code_part(int64_t hole) {
    return (size_t)(-2 - hole);
}

#endif
