/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_draw.h"

#include <stdio.h>
#include <string.h>

/* ---- rows and splits ------------------------------------------------------------------------- */

static void draw_rows(const json_t *report, const cli_paper *paper) {
    const json_t *rows = json_object_get(report, "rows");
    const json_t *pairs = json_object_get(rows, "pairs");
    char a[CLI_NUMBER_MAX];
    char b[CLI_NUMBER_MAX];
    const bool is_same = json_is_true(json_object_get(rows, "queries_are_items"));
    cli_heading(paper, "rows");
    printf("  %-18s %13s      %-22s %13s\n", "items", cli_count(rows, "items", a), "training pairs",
           cli_count(pairs, "train", b));
    printf("  %-18s %13s      %-22s %13s\n", "  that train", cli_count(rows, "training_items", a),
           "validation pairs", cli_count(pairs, "validation", b));
    printf("  %-18s %13s      %-22s %13s\n", is_same ? "queries (=items)" : "queries",
           cli_count(rows, "queries", a), "test pairs", cli_count(pairs, "test", b));
    printf("  %-18s %13s      %-22s %13s\n", "  that train", cli_count(rows, "training_queries", a),
           "queries of the test", cli_count(rows, "test_queries", b));
}

static void draw_split_row(const json_t *splits, const char *label, const char *key) {
    char a[CLI_NUMBER_MAX];
    char b[CLI_NUMBER_MAX];
    const json_t *validation = json_object_get(splits, "validation");
    const json_t *test = json_object_get(splits, "test");
    if (json_object_get(test, key) == NULL) {
        return;
    }
    printf("  %-44s %12s %12s\n", label,
           json_object_get(validation, key) != NULL ? cli_count(validation, key, a) : "-",
           cli_count(test, key, b));
}

static void draw_splits(const json_t *report, const cli_paper *paper) {
    static const char *const ROWS[][2] = {
        {"pairs", "pairs"},
        {"pairs that train too", "pairs_that_train"},
        {"pairs whose reverse trains", "reversed_pairs_that_train"},
        {"pairs that validate too", "pairs_that_validate"},
        {"queries without a training pair", "queries_without_training"},
        {"  pairs of these", "pairs_of_queries_without_training"},
        {"pairs with a cold item", "pairs_with_cold_items"},
        {"pairs of an item with itself", "self_pairs"},
    };
    char title[80];
    const json_t *splits = json_object_get(report, "splits");
    snprintf(title, sizeof title, "splits, by %-30.30s %21s %12s", cli_string(splits, "by"),
             "validation", "test");
    cli_heading(paper, title);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        draw_split_row(splits, ROWS[i][0], ROWS[i][1]);
    }
}

/* ---- features -------------------------------------------------------------------------------- */

static void draw_feature(const json_t *feature) {
    char name[CLI_CLIP_MAX];
    char value[CLI_CLIP_MAX];
    char rows[CLI_NUMBER_MAX] = "-";
    char entropy[CLI_NUMBER_MAX] = "-";
    char top[CLI_NUMBER_MAX];
    if (json_object_get(feature, "rows") != NULL) {
        cli_count(feature, "rows", rows);
    }
    if (json_object_get(feature, "entropy") != NULL) {
        snprintf(entropy, sizeof entropy, "%.2f", cli_number(feature, "entropy"));
    }
    printf("  %s %-11s %10s %5.1f%% %6.1f %6.0f %7s",
           cli_clip(cli_string(feature, "name"), 12, name), cli_string(feature, "type"), rows,
           100 * cli_number(feature, "coverage"), cli_number(feature, "values_mean"),
           cli_number(feature, "values_most"), entropy);
    if (json_object_get(feature, "top_share") != NULL) {
        printf(" %6s %s", cli_percent(cli_number(feature, "top_share"), top),
               cli_clip_last(cli_string(feature, "top_value"), 8, value));
    }
    putchar('\n');
}

static void draw_features(const json_t *report, const cli_paper *paper) {
    static const char *const SIDES[] = {"item", "query"};
    for (size_t s = 0; s < 2; s++) {
        char title[100];
        size_t i = 0;
        size_t shown = 0;
        json_t *feature = NULL;
        json_array_foreach(json_object_get(report, "features"), i, feature) {
            if (strcmp(cli_string(feature, "side"), SIDES[s]) != 0) {
                continue;
            }
            if (shown++ == 0) {
                snprintf(title, sizeof title, "%-14s %-11s %10s %6s %6s %6s %7s %6s %s",
                         s == 0 ? "item features" : "query features", "type", "vocabulary", "cover",
                         "values", "most", "entropy", "top", "value");
                cli_heading(paper, title);
            }
            draw_feature(feature);
        }
    }
}

/* ---- popularity ------------------------------------------------------------------------------ */

static void draw_popularity(const json_t *report, const cli_paper *paper) {
    const json_t *p = json_object_get(report, "popularity");
    char a[CLI_NUMBER_MAX];
    char b[CLI_NUMBER_MAX];
    char c[CLI_NUMBER_MAX];
    cli_heading(paper, "popularity");
    printf("  head   %s items, which have %s of the training pairs\n",
           cli_count(p, "head_items", a), cli_percent(1 - cli_number(p, "tail_pair_share"), b));
    printf("  tail   %s items (%s): %s of the training pairs, %s of the test\n",
           cli_count(p, "tail_items", a), cli_percent(cli_number(p, "tail_item_share"), b),
           cli_percent(cli_number(p, "tail_pair_share"), c),
           cli_percent(cli_number(p, "tail_test_pair_share"), (char[CLI_NUMBER_MAX]){0}));
    printf("  cold   %s items (%s) without a training pair; Gini %.3f\n",
           cli_count(p, "cold_items", a), cli_percent(cli_number(p, "cold_item_share"), b),
           cli_number(p, "gini"));
    cli_draw_curve(json_object_get(p, "curve"), paper);
}

/* ---- the forecast ---------------------------------------------------------------------------- */

static void draw_parameters(const json_t *forecast) {
    const json_t *parameters = json_object_get(forecast, "parameters");
    char a[CLI_NUMBER_MAX];
    char b[CLI_NUMBER_MAX];
    size_t i = 0;
    json_t *table = NULL;
    json_array_foreach(json_object_get(parameters, "tables"), i, table) {
        char name[CLI_CLIP_MAX];
        printf("  %s %13s rows x %4.0f %15s parameters\n",
               cli_clip(cli_string(table, "name"), 24, name), cli_count(table, "rows", a),
               cli_number(table, "width"), cli_count(table, "parameters", b));
    }
    printf("  %-24s %41s parameters\n", "layers", cli_count(parameters, "layers", a));
    printf("  %-24s %41s parameters\n", "total", cli_count(parameters, "total", a));
}

static void draw_memory(const json_t *forecast) {
    static const char *const KEYS[] = {"tables", "optimizer",  "layers",  "buffers",
                                       "sparse", "validation", "dataset", "program"};
    const json_t *memory = json_object_get(forecast, "memory");
    char a[CLI_NUMBER_MAX];
    char b[CLI_NUMBER_MAX];
    char c[CLI_NUMBER_MAX];
    printf("  memory    %s at its peak, of %s (%s free)\n",
           cli_bytes(cli_number(memory, "total"), a),
           cli_bytes(cli_number(memory, "machine_total"), b),
           cli_bytes(cli_number(memory, "machine_available"), c));
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        printf("%s%s %s%s", i % 4 == 0 ? "            " : "", KEYS[i],
               cli_bytes(cli_number(memory, KEYS[i]), a), i % 4 == 3 ? "\n" : ", ");
    }
}

static void draw_disk(const json_t *forecast) {
    const json_t *disk = json_object_get(forecast, "disk");
    char a[CLI_NUMBER_MAX];
    char b[CLI_NUMBER_MAX];
    char c[CLI_NUMBER_MAX];
    printf("  disk      model %s, checkpoint %s, at most %s",
           cli_bytes(cli_number(disk, "model"), a), cli_bytes(cli_number(disk, "checkpoint"), b),
           cli_bytes(cli_number(disk, "at_most"), c));
    printf(" of %s free\n", cli_bytes(cli_number(disk, "free"), a));
}

static void draw_time(const json_t *forecast) {
    const json_t *time = json_object_get(forecast, "time");
    char a[CLI_NUMBER_MAX];
    char b[CLI_NUMBER_MAX];
    char c[CLI_NUMBER_MAX];
    if (json_object_get(time, "steps") == NULL) {
        printf("  time      not measured: %s\n", cli_string(time, "not_measured"));
        return;
    }
    printf("  time      %s examples/s (%s, %.0f threads, from %.0f steps)\n",
           cli_count(time, "examples_per_second", a), cli_string(time, "precision"),
           cli_number(time, "threads"), cli_number(time, "measured_steps"));
    printf("            epoch %s: %s steps %s, validation %s\n",
           cli_duration(cli_number(time, "epoch_seconds"), a),
           cli_count(time, "steps_per_epoch", b),
           cli_duration(cli_number(time, "epoch_training_seconds"), c),
           cli_duration(cli_number(time, "epoch_validation_seconds"), (char[CLI_NUMBER_MAX]){0}));
    printf("            the run at most %s: %s steps\n",
           cli_duration(cli_number(time, "total_seconds"), a), cli_count(time, "steps", b));
}

static void draw_forecast(const json_t *report, const cli_paper *paper) {
    const json_t *forecast = json_object_get(report, "forecast");
    cli_heading(paper, "training, as the configuration asks for it");
    if (json_object_get(forecast, "refused") != NULL) {
        printf("  ");
        cli_wrap(cli_string(forecast, "refused"), 2, 2);
        return;
    }
    draw_parameters(forecast);
    draw_memory(forecast);
    draw_disk(forecast);
    draw_time(forecast);
}

/* ---- findings -------------------------------------------------------------------------------- */

static void draw_finding(const json_t *finding, const cli_paper *paper) {
    static const char *const COLOURS[][2] = {
        {"problem", "\033[31m"}, {"warning", "\033[33m"}, {"note", "\033[36m"}};
    char line[4096];
    const char *level = cli_string(finding, "level");
    const char *colour = "";
    for (size_t i = 0; i < 3 && paper->has_colour; i++) {
        colour = strcmp(level, COLOURS[i][0]) == 0 ? COLOURS[i][1] : colour;
    }
    printf("  %s%-8s%s", colour, level, paper->has_colour ? "\033[0m" : "");
    snprintf(line, sizeof line, "%s: %s %s", cli_string(finding, "about"),
             cli_string(finding, "text"), cli_string(finding, "advice"));
    cli_wrap(line, 10, 10);
}

static void draw_findings(const json_t *report, const cli_paper *paper) {
    const json_t *findings = json_object_get(report, "findings");
    size_t i = 0;
    json_t *finding = NULL;
    cli_heading(paper, json_array_size(findings) > 0 ? "findings" : "findings: none");
    json_array_foreach(findings, i, finding) {
        draw_finding(finding, paper);
    }
}

void cli_draw_check(const json_t *report, const cli_paper *paper) {
    const json_t *information = json_object_get(report, "information");
    printf("%s  %s\n", cli_string(report, "dataset"), cli_string(report, "identity"));
    draw_rows(report, paper);
    draw_splits(report, paper);
    draw_features(report, paper);
    cli_heading(paper, "mutual information, in nats (diagonal: entropy), over training items");
    cli_draw_heat(information, paper);
    cli_draw_masks(information);
    draw_popularity(report, paper);
    draw_forecast(report, paper);
    draw_findings(report, paper);
}
