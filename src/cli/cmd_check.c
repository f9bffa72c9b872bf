/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_draw.h"
#include "cli/command.h"
#include "cli/progress_bar.h"

#include <stdio.h>
#include <string.h>

static const cli_flag FLAGS[] = {
    {"strict", 0, NULL, "exit with 1 when there is a finding of level \"problem\""},
    {"no-measure", 0, NULL, "make no training steps to measure the time that training takes"},
    {"preset", 0, "NAME", "forecast with a preset of options: best, or paper"},
    {NULL, 0, NULL, NULL},
};

static bool has_problem(const json_t *report) {
    size_t i = 0;
    json_t *finding = NULL;
    json_array_foreach(json_object_get(report, "findings"), i, finding) {
        if (strcmp(cli_string(finding, "level"), "problem") == 0) {
            return true;
        }
    }
    return false;
}

static int show(const cli_args *args, const dip_report *report) {
    const cli_paper paper = cli_paper_find();
    json_t *json = json_loads(dip_report_json(report), 0, NULL);
    if (json == NULL) {
        fprintf(stderr, "diptych: out of memory for the report\n");
        return DIP_ERR_MEMORY;
    }
    if (cli_has(args, "json")) {
        fputs(dip_report_json(report), stdout);
    } else {
        cli_draw_check(json, &paper);
    }
    const int code = cli_has(args, "strict") && has_problem(json) ? DIP_ERR_FAILED : DIP_OK;
    json_decref(json);
    return code;
}

static dip_status check(const cli_args *args, const dip_dataset *dataset, dip_report **report,
                        dip_error *err) {
    cli_bar bar;
    dip_config *config = NULL;
    dip_status status = dip_dataset_config(dataset, &config, err);
    if (status == DIP_OK) {
        status = cli_configure(args, config, err);
    }
    if (status == DIP_OK) {
        const dip_watch watch = cli_bar_start(&bar, cli_has(args, "quiet"));
        status = dip_check(dataset, config, cli_has(args, "no-measure") ? DIP_QUICK : 0, &watch,
                           report, err);
        cli_bar_stop(&bar);
    }
    dip_config_free(config);
    return status;
}

static int run(const cli_args *args) {
    dip_error err;
    dip_dataset *dataset = NULL;
    dip_report *report = NULL;
    dip_status status = dip_dataset_open(&dataset, args->positional[0], &err);
    if (status == DIP_OK) {
        status = check(args, dataset, &report, &err);
    }
    dip_dataset_close(dataset);
    if (status != DIP_OK) {
        return cli_fail(&err);
    }
    const int code = show(args, report);
    dip_report_free(report);
    return code;
}

const cli_command cli_check = {
    .name = "check",
    .summary = "what is in a dataset, what is wrong with it, and what training on it will cost",
    .usage = "DATASET [flags]",
    .description =
        "Counts rows, shows each feature's vocabulary, coverage and commonest value, how pairs are "
        "spread over items, what the splits leak (from the pairs themselves), the mutual "
        "information of the features with what each CFM seed masks, and a forecast of memory, disk "
        "and time for the training that the stored options and those given here ask for. Ends with "
        "findings: problems, warnings and notes, each with what to do. The time is measured by a "
        "few seconds of training in memory. docs/check.md defines every number. The exit code is 0 "
        "whatever is found, unless --strict is given.",
    .example = "diptych check shop.dip --train.batch 4096 --model.dim 128",
    .flags = FLAGS,
    .sections = {"", "model.", "train.", "ssl.", NULL},
    .positional_min = 1,
    .positional_max = 1,
    .run = run,
};
