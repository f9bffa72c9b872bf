/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/progress_bar.h"

#include <stdio.h>

static const cli_flag FLAGS[] = {
    {"output", 'o', "DIR", "the model to write (needed)"},
    {"force", 'f', NULL, "replace an existing model, and checkpoints of a run that was stopped"},
    {"checkpoint-every", 0, "N", "short for --train.checkpoint_every N"},
    {"resume", 0, NULL,
     "go on from the last whole checkpoint in MODEL.checkpoints, or start when there is none"},
    {"preset", 0, "NAME", "start from a preset of options: best, or paper"},
    {"options", 0, "FILE", "then take options from a YAML file, such as diptych tune writes"},
    {NULL, 0, NULL, NULL},
};

static void print_start(const dip_dataset *dataset, const dip_config *config) {
    static const char *const KEYS[] = {
        "ssl.method",       "ssl.alpha",     "ssl.dropout", "train.logq",   "train.rate",
        "train.rate_width", "train.average", "train.batch", "train.epochs", "seed"};
    char pairs[32];
    fprintf(stderr, "training on %s pairs:",
            cli_thousands((double)dip_dataset_pair_count(dataset, "train"), pairs));
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        char value[256];
        if (dip_config_get(config, KEYS[i], value, sizeof value, NULL) == DIP_OK) {
            fprintf(stderr, " %s %s", KEYS[i], value);
        }
    }
    fputc('\n', stderr);
}

/* What is said of resumed runs and of batches that were left out. */
static void print_extras(const dip_report *report, const char *output) {
    double number = 0;
    if (dip_report_number(report, "resumed_from", &number, NULL) == DIP_OK) {
        printf(", resumed from step %.0f", number);
    }
    if (dip_report_number(report, "skipped_batches", &number, NULL) == DIP_OK) {
        printf("; %.0f batches were not finite and left out, see %s/%s", number, output,
               dip_report_text(report, "quarantine"));
    }
}

static void print_end(const dip_report *report, const char *output) {
    double epochs = 0;
    double seconds = 0;
    double rate = 0;
    double best = 0;
    double best_epoch = 0;
    char text[32];
    if (dip_report_number(report, "epochs", &epochs, NULL) != DIP_OK ||
        dip_report_number(report, "seconds", &seconds, NULL) != DIP_OK ||
        dip_report_number(report, "examples_per_second", &rate, NULL) != DIP_OK) {
        return;
    }
    if (rate > 0) {
        const char *precision = dip_report_text(report, "precision");
        printf("%s: %.0f epochs in %.1f s (%s examples/s, %s)", output, epochs, seconds,
               cli_thousands(rate, text), precision != NULL ? precision : "");
    } else {
        printf("%s is finished already; nothing was done", output);
    }
    print_extras(report, output);
    const char *metric = dip_report_text(report, "validation_metric");
    if (metric != NULL && dip_report_number(report, "best_validation", &best, NULL) == DIP_OK &&
        dip_report_number(report, "best_epoch", &best_epoch, NULL) == DIP_OK) {
        printf("; best validation %s %.4f at epoch %.0f, which is the one kept", metric, best,
               best_epoch);
    }
    putchar('\n');
}

static dip_status train(const cli_args *args, const dip_dataset *dataset, dip_config *config,
                        dip_report **report, dip_error *err) {
    cli_bar bar;
    const char *every = cli_value(args, "checkpoint-every");
    const unsigned flags =
        (cli_has(args, "force") ? DIP_REPLACE : 0) | (cli_has(args, "resume") ? DIP_RESUME : 0);
    dip_status status = cli_configure(args, config, err);
    if (status == DIP_OK && every != NULL) {
        status = dip_config_set(config, "train.checkpoint_every", every, err);
    }
    if (status != DIP_OK) {
        return status;
    }
    const bool quiet = cli_has(args, "quiet");
    if (!quiet) {
        print_start(dataset, config);
    }
    const dip_watch watch = cli_bar_start(&bar, quiet);
    status = dip_train(dataset, config, cli_value(args, "output"), flags, &watch, report, err);
    cli_bar_stop(&bar);
    return status;
}

static int run(const cli_args *args) {
    dip_error err;
    dip_dataset *dataset = NULL;
    dip_config *config = NULL;
    dip_report *report = NULL;
    if (!cli_has(args, "output")) {
        fprintf(stderr, "diptych train: -o DIR is missing: where to write the model\n");
        return DIP_ERR_USAGE;
    }
    dip_status status = dip_dataset_open(&dataset, args->positional[0], &err);
    if (status == DIP_OK) {
        status = dip_dataset_config(dataset, &config, &err);
    }
    if (status == DIP_OK) {
        status = train(args, dataset, config, &report, &err);
    }
    dip_config_free(config);
    dip_dataset_close(dataset);
    if (status != DIP_OK) {
        return cli_fail(&err);
    }
    if (cli_has(args, "json")) {
        fputs(dip_report_json(report), stdout);
    } else {
        print_end(report, cli_value(args, "output"));
    }
    dip_report_free(report);
    return DIP_OK;
}

const cli_command cli_train = {
    .name = "train",
    .summary = "dataset -> model: two towers with a self-supervised task beside the main one",
    .usage = "DATASET -o MODEL [flags]",
    .description =
        "Trains query and item tower with the batch softmax and, beside it, the task that "
        "ssl.method names: cfm and rfm mask features in two views of an item, dropout drops values "
        "only, noise moves whole vectors a little, feature-dropout and spread-out are baselines, "
        "none is supervised only. Options start "
        "from the project file that made the dataset. With a validation split the best epoch is "
        "kept. Ctrl-C or SIGTERM stops after the batch: the best model so far stays, a checkpoint "
        "is written beside it, and the same command with --resume goes on to the same bits. Where "
        "the process may be killed without warning, --checkpoint-every N writes one every N steps. "
        "A second signal ends the process at once.",
    .example = "diptych train shop.dip -o model --ssl.method cfm --ssl.alpha 0.3 --seed 2",
    .flags = FLAGS,
    .sections = {"", "model.", "train.", "ssl.", NULL},
    .positional_min = 1,
    .positional_max = 1,
    .run = run,
};
