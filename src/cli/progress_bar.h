/* SPDX-License-Identifier: Apache-2.0
 *
 * Progress on standard error: a bar on a terminal, a line now and then elsewhere. Also where
 * SIGINT and SIGTERM become a request to stop.
 */
#ifndef DIP_CLI_PROGRESS_BAR_H
#define DIP_CLI_PROGRESS_BAR_H

#include "diptych.h"

#include <stdbool.h>

typedef struct cli_bar {
    bool is_terminal;
    bool is_quiet;
    char phase[160];
    double phase_start;
    uint64_t phase_done; /* what was done when the phase began: it may have been interrupted */
    double last_print;
    bool is_open; /* a bar stands on the current line */
} cli_bar;

/* Installs the signal handlers and returns a watch that draws on the bar. */
dip_watch cli_bar_start(cli_bar *bar, bool quiet);

/* Ends the line of the bar, if there is one. */
void cli_bar_stop(cli_bar *bar);

/* 128 + the signal that asked to stop, or 0. */
int cli_bar_signal(void);

#endif
