/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/progress_bar.h"

#include <stdio.h>

static const cli_flag FLAGS[] = {
    {"output", 'o', "DIR", "the folder to write (needed)"},
    {"force", 'f', NULL, "replace an existing output"},
    {"replace", 0, NULL, "the same"},
    {NULL, 0, NULL, NULL},
};

static dip_status configure(const cli_args *args, dip_recipe *recipe, dip_error *err) {
    dip_status status = DIP_OK;
    for (size_t i = 0; i < args->n_own && status == DIP_OK; i++) {
        status = dip_recipe_set(recipe, args->own[i].key, args->own[i].value, err);
    }
    return status;
}

static double number(const dip_report *report, const char *path) {
    double value = 0;
    return dip_report_number(report, path, &value, NULL) == DIP_OK ? value : 0;
}

static void print_best(const dip_report *report, const char *protocol, const char *slice) {
    static const char *const METRICS[] = {"recall@10", "recall@50", "map@10", "mrr@10"};
    printf("  best possible, %s protocol, %s:", protocol, slice);
    for (size_t i = 0; i < sizeof METRICS / sizeof METRICS[0]; i++) {
        char path[96];
        snprintf(path, sizeof path, "best/%s/%s/%s", protocol, slice, METRICS[i]);
        printf("  %s %.4f", METRICS[i], number(report, path));
        snprintf(path, sizeof path, "best/%s/%s/%s_error", protocol, slice, METRICS[i]);
        if (number(report, path) > 0) {
            printf(" +-%.4f", number(report, path));
        }
    }
    printf("\n");
}

static void print_report(const dip_report *report, const char *output) {
    char a[32];
    char b[32];
    char c[32];
    printf("%s: %s pairs train, %s validation, %s test\n", output,
           cli_thousands(number(report, "pairs/train"), a),
           cli_thousands(number(report, "pairs/validation"), b),
           cli_thousands(number(report, "pairs/test"), c));
    print_best(report, "standard", "all");
    print_best(report, "standard", "tail");
}

static int run(const cli_args *args) {
    dip_error err;
    dip_recipe *recipe = NULL;
    dip_report *report = NULL;
    cli_bar bar;
    const char *output = cli_value(args, "output");
    if (output == NULL) {
        fprintf(stderr, "diptych generate: -o DIR is missing: where to write the catalogue\n");
        return DIP_ERR_USAGE;
    }
    if (dip_recipe_create(&recipe, &err) != DIP_OK) {
        return cli_fail(&err);
    }
    const bool replace = cli_has(args, "force") || cli_has(args, "replace");
    const dip_watch watch = cli_bar_start(&bar, cli_has(args, "quiet"));
    dip_status status = configure(args, recipe, &err);
    if (status == DIP_OK) {
        status = dip_generate(recipe, output, replace ? DIP_REPLACE : 0, &watch, &report, &err);
    }
    cli_bar_stop(&bar);
    dip_recipe_free(recipe);
    if (status != DIP_OK) {
        return cli_fail(&err);
    }
    if (cli_has(args, "json")) {
        fputs(dip_report_json(report), stdout);
    } else {
        print_report(report, output);
    }
    dip_report_free(report);
    return DIP_OK;
}

const cli_command cli_generate = {
    .name = "generate",
    .summary = "a synthetic catalogue of any size, with a known best possible recall",
    .usage = "--items N --pairs M -o DIR [flags]",
    .description =
        "Makes items, queries and links from a law that is known: popularity falls as a power of "
        "the rank, queries prefer their own cluster of items and group of clusters, and features "
        "share known information. truth.json in the folder says what no model can exceed. The same "
        "flags give the same bytes on any number of threads; memory is 4 bytes an item and 1 byte "
        "a query of their own, whatever the number of pairs.",
    .example = "diptych generate --items 1000000 --pairs 20000000 --format dataset -o big.dip",
    .flags = FLAGS,
    .own = {dip_recipe_setting_count, dip_recipe_setting_get},
    .sections = {NULL},
    .positional_min = 0,
    .positional_max = 0,
    .run = run,
};
