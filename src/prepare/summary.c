/* SPDX-License-Identifier: Apache-2.0
 *
 * What the manifest and the report say about a preparation: schema, configuration, counts,
 * warnings.
 */
#include "prepare/summary.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static dip_status add_counts(const dip_summary *s, json_t *summary, dip_error *err) {
    json_t *counts = NULL;
    DIP_TRY(dip_json_new_object(&counts, err));
    DIP_TRY(dip_json_set(summary, "counts", counts, err));
    DIP_TRY(dip_json_set(counts, "item_rows", json_integer(s->n_items), err));
    if (!s->schema->queries_are_items) {
        DIP_TRY(dip_json_set(counts, "query_rows", json_integer(s->n_queries), err));
    }
    const struct {
        const char *key;
        int64_t value;
    } rows[] = {{"pairs", (int64_t)s->pairs->n + s->n_unused},
                {"train", s->counts[DIP_PART_TRAIN]},
                {"validation", s->counts[DIP_PART_VALIDATION]},
                {"test", s->counts[DIP_PART_TEST]},
                {"unused", s->counts[DIP_PART_UNUSED] + s->n_unused},
                {"duplicates", s->pairs->n_duplicates},
                {"self_pairs", s->pairs->n_self},
                {"unknown_ids", s->pairs->n_unknown},
                {"reversed_test_pairs", s->leaks->reversed_test_pairs},
                {"test_pairs_of_trained_queries", s->leaks->test_pairs_of_trained_queries},
                {"cold_test_pairs", s->leaks->cold_test_pairs}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        DIP_TRY(dip_json_set(counts, rows[i].key, json_integer(rows[i].value), err));
    }
    return DIP_OK;
}

static dip_status warn(json_t *warnings, dip_error *err, const char *format, ...) DIP_PRINTF(3, 4);

static dip_status warn(json_t *warnings, dip_error *err, const char *format, ...) {
    char text[1200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return dip_json_append(warnings, json_string(text), err);
}

static dip_status warn_unknown(const dip_summary *s, json_t *warnings, dip_error *err) {
    char list[900] = "";
    size_t used = 0;
    for (int64_t i = 0; i < s->pairs->n_unknown && i < DIP_SHOWN_UNKNOWN; i++) {
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? "; " : "",
                                 s->unknown->shown[i]);
    }
    return warn(warnings, err,
                "%lld interactions name an unknown id and are left out: %s (to stop instead: "
                "prepare.unknown_ids: stop)",
                (long long)s->pairs->n_unknown, list);
}

/* ---- about the training rows ----------------------------------------------------------------- */

/* Warnings that come anew when a dataset gets other training pairs. */
#define NO_TEST "there are no test pairs: evaluate has nothing to measure"
#define SHARE                                                                                      \
    "the mutual information of some features was measured on a random %.3g%% of the training rows"
#define REVERSED                                                                                   \
    "the split leaks: for %lld of %lld test pairs the reverse pair trains (split.by: "             \
    "unordered_pair keeps both together)"
#define NOT_BY_TIME                                                                                \
    "the split is not by time: training may know pairs that are newer than test pairs (split.by: " \
    "time, with a time column, is the honest cut for forecasting)"
#define FEW_VALUES "table \"%s\" has %lld value(s): its feature tells nothing"

static const char *const ANEW[] = {NO_TEST, SHARE, REVERSED, NOT_BY_TIME, FEW_VALUES};

static bool comes_anew(const char *text) {
    for (size_t i = 0; i < sizeof ANEW / sizeof ANEW[0]; i++) {
        const size_t fixed = strcspn(ANEW[i], "%");
        if (strncmp(text, ANEW[i], fixed) == 0) {
            return true;
        }
    }
    return false;
}

static dip_status warn_leaks(const dip_summary *s, json_t *warnings, dip_error *err) {
    const int by = s->config->split.by;
    if (s->leaks->reversed_test_pairs > 0) {
        DIP_TRY(warn(warnings, err, REVERSED, (long long)s->leaks->reversed_test_pairs,
                     (long long)s->counts[DIP_PART_TEST]));
    }
    return by != DIP_SPLIT_TIME && by != DIP_SPLIT_COLUMN ? warn(warnings, err, NOT_BY_TIME)
                                                          : DIP_OK;
}

static dip_status warn_features(const dip_summary *s, json_t *warnings, dip_error *err) {
    for (size_t t = 0; t < s->schema->n_tables; t++) {
        const dip_table *table = &s->schema->tables[t];
        const int64_t values = table->is_vocabulary ? s->fit->kept[t].rows : table->rows;
        if (values < 2) {
            DIP_TRY(warn(warnings, err, FEW_VALUES, table->name, (long long)values));
        }
    }
    return DIP_OK;
}

static dip_status warn_rows(const dip_summary *s, json_t *warnings, dip_error *err) {
    if (s->counts[DIP_PART_TEST] == 0) {
        DIP_TRY(warn(warnings, err, NO_TEST));
    }
    if (s->information_share < 1) {
        DIP_TRY(warn(warnings, err, SHARE, 100 * s->information_share));
    }
    DIP_TRY(warn_leaks(s, warnings, err));
    return warn_features(s, warnings, err);
}

/* ---- about the files ------------------------------------------------------------------------- */

static dip_status warn_files(const dip_summary *s, json_t *warnings, dip_error *err) {
    if (s->pairs->n_unknown > 0) {
        DIP_TRY(warn_unknown(s, warnings, err));
    }
    if (s->pairs->n_duplicates > 0) {
        DIP_TRY(warn(warnings, err, "%lld repeated pairs are kept once",
                     (long long)s->pairs->n_duplicates));
    }
    if (s->pairs->n_self > 0) {
        DIP_TRY(warn(warnings, err, "%lld pairs of an item with itself are left out",
                     (long long)s->pairs->n_self));
    }
    if (s->n_gone > 0) {
        DIP_TRY(warn(warnings, err,
                     "%lld rows of the dataset that grew are not in the files any more: they keep "
                     "their places, without features and pairs",
                     (long long)s->n_gone));
    }
    return DIP_OK;
}

static dip_status repeat_warnings(const json_t *before, json_t *warnings, dip_error *err) {
    for (size_t i = 0; i < json_array_size(before); i++) {
        json_t *warning = json_array_get(before, i);
        const char *text = json_string_value(warning);
        if (text != NULL && !comes_anew(text)) {
            DIP_TRY(dip_json_append(warnings, json_incref(warning), err));
        }
    }
    return DIP_OK;
}

static dip_status add_warnings(const dip_summary *s, json_t *summary, dip_error *err) {
    json_t *warnings = NULL;
    DIP_TRY(dip_json_new_array(&warnings, err));
    DIP_TRY(dip_json_set(summary, "warnings", warnings, err));
    DIP_TRY(s->before != NULL ? repeat_warnings(s->before, warnings, err)
                              : warn_files(s, warnings, err));
    return warn_rows(s, warnings, err);
}

dip_status dip_summary_fill(const dip_summary *s, json_t **summary, dip_error *err) {
    json_t *schema = NULL;
    json_t *config = NULL;
    DIP_TRY(dip_json_new_object(summary, err));
    DIP_TRY(dip_json_set(*summary, "created_by", json_pack("s+", "diptych ", dip_version()), err));
    DIP_TRY(dip_schema_to_json(s->schema, &schema, err));
    DIP_TRY(dip_json_set(*summary, "schema", schema, err));
    DIP_TRY(dip_config_to_json(s->config, &config, err));
    DIP_TRY(dip_json_set(*summary, "config", config, err));
    DIP_TRY(add_counts(s, *summary, err));
    return add_warnings(s, *summary, err);
}
