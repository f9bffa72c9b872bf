/* SPDX-License-Identifier: Apache-2.0
 *
 * What a study is to compare, read from a YAML file or from a preset, which is such a file too:
 *
 *   options      of every run
 *   conditions   what the data and the loss are like: share of the training pairs, correction, ...
 *   methods      what is compared under each condition; options to choose, one after the other
 *   tables       methods by metrics, a table a condition
 *   figures      curves over the values tried, training curves, the map, ...
 *
 * docs/experiment.md describes the file.
 */
#ifndef DIP_EXPERIMENT_PLAN_H
#define DIP_EXPERIMENT_PLAN_H

#include "config/config.h"

enum {
    DIP_PLAN_NAME_MAX = 64,
    DIP_PLAN_TEXT_MAX = 600,
    DIP_PLAN_SETTINGS = 32, /* options of one method or condition */
    DIP_PLAN_VALUES = 16,   /* values tried of one option */
    DIP_PLAN_CHOICES = 8,   /* options chosen for one method */
    DIP_PLAN_SEEDS_MAX = 1000,
    DIP_PLAN_LIST = 32 /* methods, conditions, tables, figures, columns */
};

typedef struct dip_setting {
    char key[DIP_PLAN_NAME_MAX];
    char value[DIP_VALUE_MAX];
} dip_setting;

typedef struct dip_settings {
    char preset[DIP_PLAN_NAME_MAX]; /* of options, set before the others; "" for none */
    size_t n;
    dip_setting at[DIP_PLAN_SETTINGS];
} dip_settings;

/* Values of an option of which the best on the validation split is taken. */
typedef struct dip_choice {
    char key[DIP_PLAN_NAME_MAX];
    size_t n;
    char value[DIP_PLAN_VALUES][DIP_PLAN_NAME_MAX];
} dip_choice;

typedef struct dip_plan_method {
    char name[DIP_PLAN_NAME_MAX];
    char label[DIP_PLAN_TEXT_MAX];
    dip_settings options;
    size_t n_choices;
    dip_choice choice[DIP_PLAN_CHOICES]; /* in this order; what was chosen stays for the next */
    int like; /* the method whose chosen values this one begins with, -1 for none */
} dip_plan_method;

typedef struct dip_plan_condition {
    char name[DIP_PLAN_NAME_MAX];
    char label[DIP_PLAN_TEXT_MAX];
    dip_settings options;
} dip_plan_condition;

/* Indices into the methods or the conditions of a plan. */
typedef struct dip_subset {
    size_t n;
    size_t at[DIP_PLAN_LIST];
} dip_subset;

/* "tail/recall@10"; without a slice it is all. */
typedef struct dip_plan_column {
    size_t slice;  /* dip_slice */
    size_t metric; /* dip_metric_kind */
    int64_t k;
} dip_plan_column;

typedef struct dip_plan_columns {
    size_t n;
    dip_plan_column at[DIP_PLAN_LIST];
} dip_plan_columns;

typedef struct dip_plan_table {
    int64_t number;
    char title[DIP_PLAN_TEXT_MAX];
    dip_subset conditions; /* a table each */
    dip_subset methods;
    dip_plan_columns columns;
} dip_plan_table;

typedef enum dip_figure_kind {
    DIP_FIGURE_CHOICE,      /* validation metrics by the values tried of an option */
    DIP_FIGURE_CURVES,      /* validation metric and loss by epoch */
    DIP_FIGURE_DECILES,     /* recall by popularity of the item */
    DIP_FIGURE_POPULARITY,  /* share of the training pairs by share of the items */
    DIP_FIGURE_INFORMATION, /* mutual information of the features, and the masks it leads to */
    DIP_FIGURE_MAP          /* item vectors in two dimensions */
} dip_figure_kind;

typedef struct dip_plan_figure {
    int kind; /* dip_figure_kind */
    char title[DIP_PLAN_TEXT_MAX];
    char option[DIP_PLAN_NAME_MAX]; /* of a choice */
    dip_subset conditions;          /* a figure each */
    dip_subset methods;
    dip_plan_columns columns; /* a panel each */
} dip_plan_figure;

typedef struct dip_plan {
    char name[DIP_PLAN_TEXT_MAX]; /* of the preset or the file */
    dip_settings options;
    int64_t seeds;        /* of a final run */
    int64_t choice_seeds; /* of a run that serves a choice */
    size_t baseline;      /* method that the others are compared with */
    size_t n_methods;
    dip_plan_method method[DIP_PLAN_LIST];
    size_t n_conditions;
    dip_plan_condition condition[DIP_PLAN_LIST];
    size_t n_tables;
    dip_plan_table table[DIP_PLAN_LIST];
    size_t n_figures;
    dip_plan_figure figure[DIP_PLAN_LIST];
} dip_plan;

/* Caller dip_free()s the plan. `name` stands in errors and in the report.
 * DIP_ERR_USAGE names file, line, column and value. */
dip_status dip_plan_parse(dip_plan **plan, const char *text, size_t bytes, const char *name,
                          dip_error *err);
dip_status dip_plan_read(dip_plan **plan, const char *path, dip_error *err);

/* One of the presets; an unknown name is an error that lists them. */
dip_status dip_plan_preset(dip_plan **plan, const char *name, dip_error *err);

/* The text of a preset, which ends with a NUL too; likewise. */
dip_status dip_plan_preset_text(const char *name, const char **text, size_t *bytes, dip_error *err);

/* Keeps only the conditions of a list, "sparse,sparse-logq", and the tables and figures that then
 * have one left; a figure that has none is drawn of the first one that stays if no other shows the
 * same of it. DIP_ERR_USAGE when a name is no condition of the plan; it is then as before. */
dip_status dip_plan_keep_conditions(dip_plan *plan, const char *list, dip_error *err);

/* Likewise the methods, of which the baseline and what others are like must stay. */
dip_status dip_plan_keep_methods(dip_plan *plan, const char *list, dip_error *err);

/* "tail/recall@10", "recall@10": DIP_ERR_USAGE for other texts. */
dip_status dip_plan_column_parse(dip_plan_column *column, const char *text, dip_error *err);
void dip_plan_column_text(const dip_plan_column *column, char text[DIP_PLAN_NAME_MAX]);

/* For people, without the slice: "Recall@10". */
void dip_plan_column_label(const dip_plan_column *column, char text[DIP_PLAN_NAME_MAX]);

/* Where in a study an option is set. */
typedef enum dip_scope {
    DIP_SCOPE_EVERY_RUN, /* model, train, ssl, evaluate, threads */
    DIP_SCOPE_CONDITION, /* model, train, ssl, and split.train_fraction */
    DIP_SCOPE_METHOD,    /* model, train, ssl */
    DIP_SCOPE_CHOICE     /* the same without the metric that decides */
} dip_scope;

/* DIP_ERR_USAGE for an option that is settled elsewhere: by the dataset (split, prepare), or by the
 * study, whose runs have the seeds 1, 2, ... and are judged on the test split. */
dip_status dip_scope_check(dip_scope scope, const char *key, dip_error *err);

/* Sets options one after the other; `value` NULL-terminated texts as in the table of options. */
dip_status dip_settings_apply(const dip_settings *settings, dip_config *config, dip_error *err);

/* The place of a key among the settings, or n. */
size_t dip_settings_find(const dip_settings *settings, const char *key);

/* Sets or replaces one setting. DIP_ERR_USAGE when there are too many. */
dip_status dip_settings_put(dip_settings *settings, const char *key, const char *value,
                            dip_error *err);

#endif
