/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/run_study.h"

#include <stdio.h>
#include <string.h>

static const cli_flag FLAGS[] = {
    {"output", 'o', "DIR", "the folder of the report (needed)"},
    {"print-study", 0, "NAME", "print the YAML of a preset, to start your own from, and stop"},
    {"force", 'f', NULL,
     "put this study in the place of another one in the folder; finished runs are kept"},
    {NULL, 0, NULL, NULL},
};

static int print_study(const char *name) {
    dip_error err;
    const char *text = NULL;
    if (dip_experiment_preset(name, &text, &err) != DIP_OK) {
        return cli_fail(&err);
    }
    fputs(text, stdout);
    return DIP_OK;
}

/* ---- the tables as text ---------------------------------------------------------------------- */

static const char *text_at(const dip_report *report, char *path, size_t size, const char *format,
                           size_t a, size_t b) {
    snprintf(path, size, format, a, b);
    return dip_report_text(report, path);
}

static void print_cell(const dip_report *report, size_t t, size_t r, size_t c) {
    char path[128];
    double mean = 0;
    double sd = 0;
    snprintf(path, sizeof path, "tables/%zu/rows/%zu/cells/%zu/mean", t, r, c);
    if (dip_report_number(report, path, &mean, NULL) != DIP_OK) {
        printf("  %16s", "-");
        return;
    }
    snprintf(path, sizeof path, "tables/%zu/rows/%zu/cells/%zu/sd", t, r, c);
    if (dip_report_number(report, path, &sd, NULL) == DIP_OK) {
        printf("  %.4f +- %.4f", mean, sd);
    } else {
        printf("  %.4f          ", mean);
    }
}

static void print_table(const dip_report *report, size_t t) {
    char path[128];
    printf("\n%s\n%-26s", text_at(report, path, sizeof path, "tables/%zu/title", t, 0), "");
    for (size_t c = 0;
         text_at(report, path, sizeof path, "tables/%zu/columns/%zu/key", t, c) != NULL; c++) {
        const char *key = dip_report_text(report, path);
        printf("  %16s", strncmp(key, "all/", 4) == 0 ? key + 4 : key);
    }
    printf("\n");
    for (size_t r = 0;
         text_at(report, path, sizeof path, "tables/%zu/rows/%zu/label", t, r) != NULL; r++) {
        printf("%-26.26s", dip_report_text(report, path));
        for (size_t c = 0;
             text_at(report, path, sizeof path, "tables/%zu/columns/%zu/key", t, c) != NULL; c++) {
            print_cell(report, t, r, c);
        }
        printf("\n");
    }
}

static void print_report(const dip_report *report, const char *output) {
    char path[64];
    for (size_t t = 0; text_at(report, path, sizeof path, "tables/%zu/title", t, 0) != NULL; t++) {
        print_table(report, t);
    }
    printf("\n%s/index.html shows them with figures and tests of significance; results.json, "
           "tables.csv, runs.csv and figures.csv have the numbers\n",
           output);
}

/* ---- the command ----------------------------------------------------------------------------- */

static int run(const cli_args *args) {
    dip_error err;
    dip_report *report = NULL;
    if (cli_has(args, "print-study")) {
        return print_study(cli_value(args, "print-study"));
    }
    if (args->n_positional != 1 || !cli_has(args, "output")) {
        fprintf(stderr, "diptych experiment: %s\n",
                args->n_positional != 1 ? "name one dataset, as diptych prepare makes it"
                                        : "-o DIR is missing: where to write the report");
        return DIP_ERR_USAGE;
    }
    if (cli_run_study(args, dip_experiment, &report, &err) != DIP_OK) {
        return cli_fail(&err);
    }
    if (cli_has(args, "json")) {
        fputs(dip_report_json(report), stdout);
    } else {
        print_report(report, cli_value(args, "output"));
    }
    if (!cli_has(args, "quiet")) {
        cli_print_warnings(report);
    }
    dip_report_free(report);
    return DIP_OK;
}

const cli_command cli_experiment = {
    .name = "experiment",
    .summary = "dataset -> report: methods compared over seeds, with tables, figures and tests",
    .usage = "DATASET -o DIR [flags]",
    .description =
        "Does self-supervision pay on this catalogue? Trains every method of a study, chooses "
        "alpha, dropout and what else the study leaves open on the validation split, trains what "
        "was chosen with several seeds, and ranks the test pairs once. DIR/index.html is the "
        "report: one file with the paper's tables and figures, spread over seeds, and two paired "
        "tests of every difference. The preset quick takes minutes on a small catalogue; paper is "
        "the whole study of arXiv 2007.12865, with and without the sampling-bias correction. "
        "Options of the runs are given as for train. Ctrl-C stops; the same command goes on where "
        "it was. Several runs are made at a time, each with its share of the cores; results have "
        "the same bits for any number.",
    .example = "diptych experiment shop.dip --preset paper -o report --train.epochs 20",
    .flags = FLAGS,
    .own = {dip_experiment_setting_count, dip_experiment_setting_get},
    .sections = {"", "model.", "train.", "ssl.", "evaluate.", NULL},
    .positional_min = 0,
    .positional_max = 1,
    .run = run,
};
