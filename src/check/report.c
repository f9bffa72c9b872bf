/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "check/check.h"
#include "check/parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

dip_status dip_put_integer(json_t *object, const char *key, int64_t number, dip_error *err) {
    return dip_json_set(object, key, json_integer(number), err);
}

dip_status dip_put_real(json_t *object, const char *key, double number, dip_error *err) {
    return dip_json_set(object, key, json_real(number), err);
}

dip_status dip_put_text(json_t *object, const char *key, const char *text, dip_error *err) {
    return dip_json_set(object, key, json_string(text), err);
}

dip_status dip_find(const dip_checkup *check, dip_level level, const char *about,
                    const char *advice, dip_error *err, const char *format, ...) {
    static const char *const NAMES[] = {"note", "warning", "problem"};
    char text[1200];
    json_t *finding = NULL;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    DIP_TRY(dip_json_append_object(check->findings, &finding, err));
    DIP_TRY(dip_put_text(finding, "level", NAMES[level], err));
    DIP_TRY(dip_put_text(finding, "about", about, err));
    DIP_TRY(dip_put_text(finding, "text", text, err));
    return dip_put_text(finding, "advice", advice, err);
}

/* Problems first, then warnings, then notes; each in the order in which they were found. */
static dip_status sort_findings(dip_checkup *check, dip_error *err) {
    static const char *const LEVELS[] = {"problem", "warning", "note"};
    json_t *sorted = NULL;
    DIP_TRY(dip_json_put_array(check->report, "findings", &sorted, err));
    for (size_t l = 0; l < 3; l++) {
        size_t i = 0;
        json_t *finding = NULL;
        json_array_foreach(check->findings, i, finding) {
            if (strcmp(json_string_value(json_object_get(finding, "level")), LEVELS[l]) == 0) {
                DIP_TRY(dip_json_append(sorted, json_incref(finding), err));
            }
        }
    }
    return DIP_OK;
}

static dip_status run(dip_checkup *check, dip_error *err) {
    const dip_dataset *dataset = check->dataset;
    DIP_TRY(dip_json_new_object(&check->report, err));
    DIP_TRY(dip_json_new_array(&check->findings, err));
    DIP_TRY(dip_put_text(check->report, "dataset", dataset->folder.path, err));
    DIP_TRY(dip_put_text(check->report, "identity", dip_folder_identity(&dataset->folder), err));
    DIP_TRY(dip_check_pairs(check, err));
    DIP_TRY(dip_check_leaks(check, err));
    DIP_TRY(dip_check_popularity(check, err));
    DIP_TRY(dip_check_features(check, err));
    DIP_TRY(dip_check_masks(check, err));
    DIP_TRY(dip_check_forecast(check, err));
    return sort_findings(check, err);
}

dip_status dip_check_dataset(const dip_dataset *dataset, const dip_config *config, bool measures,
                             const dip_watch *watch, json_t **report, dip_error *err) {
    dip_checkup check = {.dataset = dataset,
                         .config = config,
                         .watch = watch,
                         .measures = measures,
                         .slots_most = DIP_LEAK_SLOTS};
    const dip_status status = run(&check, err);
    if (status == DIP_OK) {
        *report = json_incref(check.report);
    }
    dip_free(check.item_count);
    dip_free(check.item_facts);
    if (!dataset->schema.queries_are_items) {
        dip_free(check.query_facts);
    }
    json_decref(check.report);
    json_decref(check.findings);
    return status;
}
