/* SPDX-License-Identifier: Apache-2.0
 *
 * What intern.c and intern_spill.c share.
 */
#ifndef DIP_PREPARE_INTERN_STATE_H
#define DIP_PREPARE_INTERN_STATE_H

#include "base/first_error.h"
#include "prepare/intern.h"
#include "prepare/intern_table.h"

struct dip_intern {
    dip_scratch *scratch;
    dip_intern_table table[DIP_TEXT_PARTS];
    dip_spool known[DIP_TEXT_PARTS]; /* of a spilled numbering: {code, length, text} */
    dip_spool texts;
    uint64_t n;
    bool is_spilled;
};

/* Gives a new text the next code and notes it in the list of texts. */
dip_status dip_intern_assign(dip_intern *intern, const char *text, uint32_t length, int32_t *code,
                             dip_error *err);

#endif
