/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/progress_bar.h"

#include <stdio.h>

static const cli_flag FLAGS[] = {
    {"output", 'o', "DIR", "the dataset to write (needed)"},
    {"force", 'f', NULL, "replace an existing dataset"},
    {"memory", 0, "SIZE", "short for --prepare.memory SIZE, such as 2G"},
    {"grow", 0, "DIR", "short for --prepare.grow DIR: a dataset whose rows keep their places"},
    {NULL, 0, NULL, NULL},
};

static double number(const dip_report *report, const char *path) {
    double value = 0;
    return dip_report_number(report, path, &value, NULL) == DIP_OK ? value : 0;
}

static void print_tables(const dip_report *report) {
    for (int i = 0; i < 200; i++) {
        char path[64];
        char rows[32];
        snprintf(path, sizeof path, "schema/tables/%d/name", i);
        const char *name = dip_report_text(report, path);
        if (name == NULL) {
            return;
        }
        snprintf(path, sizeof path, "schema/tables/%d/rows", i);
        printf("  %-24s %12s values\n", name, cli_thousands(number(report, path), rows));
    }
}

static void print_report(const dip_report *report, const char *output) {
    char a[32];
    char b[32];
    char c[32];
    printf("%s: %s items", output, cli_thousands(number(report, "counts/item_rows"), a));
    if (number(report, "counts/query_rows") > 0) {
        printf(", %s queries", cli_thousands(number(report, "counts/query_rows"), a));
    }
    printf("; pairs: %s train, %s validation, %s test (%.1f%% of them cold)\n",
           cli_thousands(number(report, "counts/train"), a),
           cli_thousands(number(report, "counts/validation"), b),
           cli_thousands(number(report, "counts/test"), c),
           100 * number(report, "counts/cold_test_pairs") /
               (number(report, "counts/test") > 0 ? number(report, "counts/test") : 1));
    print_tables(report);
}

static dip_status configure(const cli_args *args, dip_project *project, dip_error *err) {
    static const char *const SHORT[][2] = {{"memory", "prepare.memory"}, {"grow", "prepare.grow"}};
    for (size_t i = 0; i < sizeof SHORT / sizeof SHORT[0]; i++) {
        const char *value = cli_value(args, SHORT[i][0]);
        if (value != NULL) {
            const dip_status status = dip_project_set(project, SHORT[i][1], value, err);
            if (status != DIP_OK) {
                return status;
            }
        }
    }
    for (size_t i = 0; i < args->n_settings; i++) {
        const dip_status status =
            dip_project_set(project, args->settings[i].key, args->settings[i].value, err);
        if (status != DIP_OK) {
            return status;
        }
    }
    return DIP_OK;
}

static int run(const cli_args *args) {
    dip_error err;
    dip_project *project = NULL;
    dip_report *report = NULL;
    cli_bar bar;
    const char *output = cli_value(args, "output");
    if (output == NULL) {
        fprintf(stderr, "diptych prepare: -o DIR is missing: where to write the dataset\n");
        return DIP_ERR_USAGE;
    }
    if (dip_project_load(&project, args->positional[0], &err) != DIP_OK) {
        return cli_fail(&err);
    }
    const bool quiet = cli_has(args, "quiet");
    const dip_watch watch = cli_bar_start(&bar, quiet);
    dip_status status = configure(args, project, &err);
    if (status == DIP_OK) {
        status = dip_prepare(project, output, cli_has(args, "force") ? DIP_REPLACE : 0, &watch,
                             &report, &err);
    }
    cli_bar_stop(&bar);
    dip_project_free(project);
    if (status != DIP_OK) {
        return cli_fail(&err);
    }
    if (cli_has(args, "json")) {
        fputs(dip_report_json(report), stdout);
    } else {
        print_report(report, output);
    }
    if (!quiet) {
        cli_print_warnings(report);
    }
    dip_report_free(report);
    return DIP_OK;
}

const cli_command cli_prepare = {
    .name = "prepare",
    .summary = "raw files -> dataset: vocabularies, columns, split, mutual information",
    .usage = "PROJECT.yaml -o DATASET [flags]",
    .description =
        "Reads the files that the project names (.tsv, .csv or .jsonl, plain, .gz or .zst) and "
        "writes a "
        "dataset folder whose columns numpy can open. Vocabularies, counts, normalisers and the "
        "mutual information matrix come from training rows only. What the split leaks is said. All "
        "cores are used, and no more memory than --memory allows, whatever the size of the files: "
        "the rest goes to a nameless temporary file beside the output, and its space comes back "
        "however the command ends. With --grow, items, queries and values of an older dataset keep "
        "their rows and new ones are appended.",
    .example = "diptych prepare shop.yaml -o shop.dip --memory 2G --split.by unordered_pair",
    .flags = FLAGS,
    .sections = {"", "split.", "prepare.", NULL},
    .shows_features = true,
    .positional_min = 1,
    .positional_max = 1,
    .run = run,
};
