/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress_bar.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR_CELLS = 24 };

static const double TERMINAL_EVERY = 0.1; /* seconds between two prints */
static const double LINES_EVERY = 10;

static volatile sig_atomic_t caught;

/* The first signal asks the work to stop; the second one ends the process at once, which is safe
 * because files are only ever published whole. */
static void on_signal(int number) {
    if (caught) {
        _exit(128 + number);
    }
    caught = number;
}

static double now_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void format_time(double seconds, char *text, size_t size) {
    const long whole = (long)(seconds + 0.5);
    if (whole >= 3600) {
        snprintf(text, size, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    } else {
        snprintf(text, size, "%ld:%02ld", whole / 60, whole % 60);
    }
}

/* 1234567 as "1.23M". */
static void format_rate(double rate, char *text, size_t size) {
    static const char *const UNITS[] = {"", "k", "M", "G", "T"};
    size_t unit = 0;
    while (rate >= 1000 && unit < 4) {
        rate /= 1000;
        unit++;
    }
    snprintf(text, size, "%.3g%s", rate, UNITS[unit]);
}

static void format_body(const cli_bar *bar, const dip_progress *p, double elapsed, char *text,
                        size_t size) {
    char rate[32];
    char left[32] = "?";
    const double done = p->done > bar->phase_done ? (double)(p->done - bar->phase_done) : 0;
    const double per_second = elapsed > 0 ? done / elapsed : 0;
    format_rate(per_second, rate, sizeof rate);
    if (p->total > p->done && per_second > 0) {
        format_time((double)(p->total - p->done) / per_second, left, sizeof left);
    } else if (p->total == p->done) {
        snprintf(left, sizeof left, "0:00");
    }
    snprintf(text, size, "%s %s/s  %s left%s%s", rate, p->unit, left, p->detail[0] ? "  " : "",
             p->detail);
}

static void print_bar(cli_bar *bar, const dip_progress *p, double elapsed) {
    char body[400];
    char cells[BAR_CELLS + 1];
    const double share = p->total > 0 ? (double)p->done / (double)p->total : 0;
    const int full = (int)((share < 1 ? share : 1) * BAR_CELLS);
    for (int i = 0; i < BAR_CELLS; i++) {
        cells[i] = i < full ? '#' : '.';
    }
    cells[BAR_CELLS] = '\0';
    format_body(bar, p, elapsed, body, sizeof body);
    fprintf(stderr, "\r\033[K%s [%s] %3.0f%%  %s", p->phase, cells, 100 * share, body);
    fflush(stderr);
    bar->is_open = true;
}

static void print_line(const cli_bar *bar, const dip_progress *p, double elapsed) {
    char body[400];
    const double share = p->total > 0 ? (double)p->done / (double)p->total : 0;
    format_body(bar, p, elapsed, body, sizeof body);
    fprintf(stderr, "%s %3.0f%%  %s\n", p->phase, 100 * share, body);
}

static void begin_phase(cli_bar *bar, const dip_progress *p, double now) {
    cli_bar_stop(bar);
    snprintf(bar->phase, sizeof bar->phase, "%s", p->phase);
    bar->phase_start = now;
    bar->phase_done = p->done;
    if (bar->is_terminal) {
        bar->last_print = 0;
    }
}

static int on_progress(void *context, const dip_progress *p) {
    cli_bar *bar = context;
    const double now = now_seconds();
    if (caught) {
        cli_bar_stop(bar);
        return 1;
    }
    if (bar->is_quiet) {
        return 0;
    }
    if (strncmp(bar->phase, p->phase, sizeof bar->phase - 1) != 0) {
        begin_phase(bar, p, now);
    }
    if (now - bar->last_print < (bar->is_terminal ? TERMINAL_EVERY : LINES_EVERY)) {
        return 0;
    }
    bar->last_print = now;
    if (bar->is_terminal) {
        print_bar(bar, p, now - bar->phase_start);
    } else {
        print_line(bar, p, now - bar->phase_start);
    }
    return 0;
}

static void on_message(void *context, const char *text) {
    cli_bar *bar = context;
    if (!bar->is_quiet) {
        cli_bar_stop(bar);
        fprintf(stderr, "warning: %s\n", text);
    }
}

/* The handler runs on a stack of its own: the kernels that oneDNN generates use the stack pointer
 * as a general register, and a handler's frame at such a place overwrites the heap. Measured with
 * large matrix products: about one run in six that was sent SIGINT crashed, and none of 40 this
 * way. Linux gives a signal of the process to its main thread, and this is that thread's stack. */
static void use_own_stack(struct sigaction *action) {
    static char memory[1 << 16];
    const stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory};
    if (sigaltstack(&stack, NULL) == 0) {
        action->sa_flags |= SA_ONSTACK;
    }
}

dip_watch cli_bar_start(cli_bar *bar, bool quiet) {
    struct sigaction action;
    memset(bar, 0, sizeof *bar);
    memset(&action, 0, sizeof action);
    use_own_stack(&action);
    bar->is_terminal = isatty(STDERR_FILENO) != 0;
    bar->is_quiet = quiet;
    bar->last_print = now_seconds();
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return (dip_watch){.on_progress = on_progress, .context = bar, .on_message = on_message};
}

void cli_bar_stop(cli_bar *bar) {
    if (bar->is_open) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        bar->is_open = false;
    }
}

int cli_bar_signal(void) {
    return caught != 0 ? 128 + (int)caught : 0;
}
