/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/run_study.h"

#include <stdio.h>

static const cli_flag FLAGS[] = {
    {"output", 'o', "DIR", "the folder of the result (needed)"},
    {"force", 'f', NULL,
     "put this search in the place of another one in the folder; finished runs are kept"},
    {NULL, 0, NULL, NULL},
};

static double number(const dip_report *report, const char *format, size_t i) {
    char path[96];
    double value = -1;
    snprintf(path, sizeof path, format, i);
    return dip_report_number(report, path, &value, NULL) == DIP_OK ? value : -1;
}

/* The options of a setting that stand under a path, for options of the table. */
static void print_options(const dip_report *report, const char *path) {
    char full[192];
    snprintf(full, sizeof full, "%s/preset", path);
    const char *preset = dip_report_text(report, full);
    bool is_first = preset == NULL;
    if (preset != NULL) {
        printf("preset %s", preset);
    }
    for (size_t i = 0; i < dip_option_count(); i++) {
        dip_option_info info;
        if (dip_option_get(i, &info, NULL) != DIP_OK) {
            return;
        }
        snprintf(full, sizeof full, "%s/%s", path, info.key);
        const char *value = dip_report_text(report, full);
        if (value != NULL) {
            printf("%s%s %s", is_first ? "" : ", ", info.key, value);
            is_first = false;
        }
    }
    printf("%s\n", is_first ? "as the dataset's project file has it" : "");
}

static void print_tried(const dip_report *report) {
    const char *problem = dip_report_text(report, "rival_left_out");
    if (problem != NULL) {
        printf("the preset %s was left out: %s\n\n", dip_report_text(report, "rival"), problem);
    }
    printf("tried, by the rung they came to (%s on the validation split):\n",
           dip_report_text(report, "metric"));
    for (size_t i = 0; number(report, "settings/%zu/setting", i) >= 0; i++) {
        char path[64];
        const double score = number(report, "settings/%zu/score", i);
        printf("  %3zu  rung %.0f  ", i, number(report, "settings/%zu/rung", i));
        if (score < 0) {
            printf("diverged  ");
        } else {
            printf("%.4f  ", score);
        }
        snprintf(path, sizeof path, "settings/%zu/options", i);
        print_options(report, path);
    }
}

/* " NAME 0.0123" where the report has the number. */
static void print_number(const dip_report *report, const char *format, size_t i, const char *name) {
    const double value = number(report, format, i);
    if (value >= 0) {
        printf(" %s %.4f", name, value);
    }
}

static void print_behind(const dip_report *report, size_t i) {
    char path[64];
    double behind = 0;
    double low = 0;
    double high = 0;
    snprintf(path, sizeof path, "finalists/%zu/behind", i);
    if (dip_report_number(report, path, &behind, NULL) != DIP_OK) {
        return;
    }
    printf("  behind by %.4f", behind);
    snprintf(path, sizeof path, "finalists/%zu/behind_low", i);
    if (dip_report_number(report, path, &low, NULL) != DIP_OK) {
        return;
    }
    snprintf(path, sizeof path, "finalists/%zu/behind_high", i);
    if (dip_report_number(report, path, &high, NULL) == DIP_OK) {
        printf(" (%.4f to %.4f)", low, high);
    }
}

static void print_finalists(const dip_report *report) {
    printf("\nfinalists, over their seeds:\n");
    for (size_t i = 0; number(report, "finalists/%zu/setting", i) >= 0; i++) {
        char path[64];
        printf("  %3.0f ", number(report, "finalists/%zu/setting", i));
        if (number(report, "finalists/%zu/mean", i) < 0) {
            printf(" diverged with some seed");
        }
        print_number(report, "finalists/%zu/mean", i, "");
        print_number(report, "finalists/%zu/sd", i, "+-");
        print_behind(report, i);
        print_number(report, "finalists/%zu/p_seed", i, " p by seed");
        print_number(report, "finalists/%zu/p_query", i, " p by query");
        printf("\n       ");
        snprintf(path, sizeof path, "finalists/%zu/options", i);
        print_options(report, path);
    }
}

static int run(const cli_args *args) {
    dip_error err;
    dip_report *report = NULL;
    if (!cli_has(args, "output")) {
        fprintf(stderr, "diptych tune: -o DIR is missing: where to write the result\n");
        return DIP_ERR_USAGE;
    }
    if (cli_run_study(args, dip_tune, &report, &err) != DIP_OK) {
        return cli_fail(&err);
    }
    if (cli_has(args, "json")) {
        fputs(dip_report_json(report), stdout);
    } else {
        print_tried(report);
        print_finalists(report);
        printf("\n%s/best.yaml holds the best: diptych train %s -o MODEL --options %s/best.yaml\n",
               cli_value(args, "output"), args->positional[0], cli_value(args, "output"));
    }
    dip_report_free(report);
    return DIP_OK;
}

const cli_command cli_tune = {
    .name = "tune",
    .summary = "dataset -> options: successive halving on the validation split",
    .usage = "DATASET -o DIR [flags]",
    .description =
        "Tries settings of rate, averaging, temperature, batch, correction, negatives, method, "
        "alpha and dropout: many for a few epochs, the best third of them for three times as many, "
        "and so on up to train.epochs. Half of the draws take the preset best with about two "
        "options drawn anew, the others are from the whole space. The last ones, the setting that "
        "the dataset came with and the preset best are then trained with several seeds. Prints "
        "what was tried, the best, and how sure that is: by seed (paired t) and by query (paired "
        "bootstrap). The test split is not looked at. Options that are given are not varied. "
        "Ctrl-C stops; the same command goes on where it was.",
    .example = "diptych tune shop.dip -o tuned --train.epochs 27 && "
               "diptych train shop.dip -o model --options tuned/best.yaml",
    .flags = FLAGS,
    .own = {dip_tune_setting_count, dip_tune_setting_get},
    .sections = {"", "model.", "train.", "ssl.", NULL},
    .positional_min = 1,
    .positional_max = 1,
    .run = run,
};
