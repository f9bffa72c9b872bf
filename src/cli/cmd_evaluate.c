/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/open_model.h"
#include "cli/progress_bar.h"

#include <stdio.h>

static const cli_flag FLAGS[] = {
    CLI_DATA_FLAG,
    {NULL, 0, NULL, NULL},
};

static const char *const METRICS[] = {"recall", "map", "ndcg", "mrr", "hit_rate"};
enum { N_METRICS = sizeof METRICS / sizeof METRICS[0], LENGTHS_MAX = 8 };

static double number(const dip_report *report, const char *group, const char *name) {
    char path[160];
    double value = 0;
    snprintf(path, sizeof path, "%s%s%s", group, group[0] != '\0' ? "/" : "", name);
    return dip_report_number(report, path, &value, NULL) == DIP_OK ? value : 0;
}

static size_t list_lengths(const dip_report *report, int lengths[LENGTHS_MAX]) {
    size_t n = 0;
    for (; n < LENGTHS_MAX; n++) {
        char path[32];
        double value = 0;
        snprintf(path, sizeof path, "k/%zu", n);
        if (dip_report_number(report, path, &value, NULL) != DIP_OK) {
            break;
        }
        lengths[n] = (int)value;
    }
    return n;
}

static void print_row(const dip_report *report, const char *label, const char *slice, int k) {
    char pairs[32];
    printf("%-12s %9s", label, cli_thousands(number(report, slice, "pairs"), pairs));
    for (size_t m = 0; m < N_METRICS; m++) {
        char name[48];
        snprintf(name, sizeof name, "%s@%d", METRICS[m], k);
        printf(" %9.4f", number(report, slice, name));
    }
    putchar('\n');
}

static void print_interval(const dip_report *report, int k) {
    printf("%-22s", "  95% interval");
    for (size_t m = 0; m < N_METRICS; m++) {
        char low[48];
        char high[48];
        char text[32];
        snprintf(low, sizeof low, "%s@%d_interval/0", METRICS[m], k);
        snprintf(high, sizeof high, "%s@%d_interval/1", METRICS[m], k);
        const double half = (number(report, "all", high) - number(report, "all", low)) / 2;
        snprintf(text, sizeof text, "+-%.4f", half);
        printf(" %9s", text);
    }
    putchar('\n');
}

static void print_length(const dip_report *report, int k) {
    double ignored = 0;
    char path[48];
    printf("%-12s %9s", "", "pairs");
    for (size_t m = 0; m < N_METRICS; m++) {
        char name[48];
        snprintf(name, sizeof name, "%s@%d", METRICS[m], k);
        printf(" %9s", name);
    }
    putchar('\n');
    print_row(report, "model", "all", k);
    snprintf(path, sizeof path, "all/recall@%d_interval/0", k);
    if (dip_report_number(report, path, &ignored, NULL) == DIP_OK) {
        print_interval(report, k);
    }
    print_row(report, "  head", "head", k);
    print_row(report, "  tail", "tail", k);
    print_row(report, "    cold", "cold", k);
    print_row(report, "TopPopular", "baselines/top_popular/all", k);
    print_row(report, "Random", "baselines/random/all", k);
}

static void print_report(const dip_report *report) {
    int lengths[LENGTHS_MAX];
    char queries[32];
    const size_t n = list_lengths(report, lengths);
    printf("%s split, protocol %s: %s queries against the whole catalogue, %.1f s\n",
           dip_report_text(report, "split"), dip_report_text(report, "protocol"),
           cli_thousands(number(report, "all", "queries"), queries), number(report, "", "seconds"));
    for (size_t i = 0; i < n; i++) {
        putchar('\n');
        print_length(report, lengths[i]);
    }
}

static dip_status evaluate(const cli_args *args, const cli_opened *opened, dip_report **report,
                           dip_error *err) {
    cli_bar bar;
    dip_config *config = NULL;
    dip_status status = dip_model_config(opened->model, &config, err);
    if (status == DIP_OK) {
        status = cli_configure(args, config, err);
    }
    if (status == DIP_OK) {
        const dip_watch watch = cli_bar_start(&bar, cli_has(args, "quiet"));
        status = dip_evaluate(opened->model, opened->dataset, config, &watch, report, err);
        cli_bar_stop(&bar);
    }
    dip_config_free(config);
    return status;
}

static int run(const cli_args *args) {
    dip_error err;
    cli_opened opened;
    dip_report *report = NULL;
    dip_status status = cli_open(&opened, args, &err);
    if (status == DIP_OK) {
        status = evaluate(args, &opened, &report, &err);
    }
    cli_close(&opened);
    if (status != DIP_OK) {
        return cli_fail(&err);
    }
    if (cli_has(args, "json")) {
        fputs(dip_report_json(report), stdout);
    } else {
        print_report(report);
    }
    if (!cli_has(args, "quiet")) {
        cli_print_warnings(report);
    }
    dip_report_free(report);
    return DIP_OK;
}

const cli_command cli_evaluate = {
    .name = "evaluate",
    .summary = "exact metrics over the whole catalogue, by slice, beside TopPopular and Random",
    .usage = "MODEL [flags]",
    .description =
        "Ranks the whole catalogue for every held-out query, never a sample of it. head: the tenth "
        "of the items with most training pairs; tail: all others; cold: no training pair has the "
        "item. docs/evaluation.md defines both protocols and every metric.",
    .example = "diptych evaluate model --evaluate.protocol paper --json",
    .flags = FLAGS,
    .sections = {"", "evaluate.", NULL},
    .positional_min = 1,
    .positional_max = 1,
    .run = run,
};
