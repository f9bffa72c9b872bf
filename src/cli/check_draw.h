/* SPDX-License-Identifier: Apache-2.0
 *
 * The report of diptych check on one screen: tables, a curve and a heat map, 80 columns wide.
 */
#ifndef DIP_CLI_CHECK_DRAW_H
#define DIP_CLI_CHECK_DRAW_H

#include "cli/check_text.h"

void cli_draw_check(const json_t *report, const cli_paper *paper);

/* The share of the pairs that the commonest items have, over the share of the items. */
void cli_draw_curve(const json_t *curve, const cli_paper *paper);

/* The matrix of mutual information, and the masks of each CFM seed. */
void cli_draw_heat(const json_t *information, const cli_paper *paper);
void cli_draw_masks(const json_t *information);

#endif
