/* SPDX-License-Identifier: Apache-2.0 */
#include "api/report.h"

#include "base/mem.h"
#include "base/number.h"

#include <string.h>

enum { STEP_MAX = 128 };

dip_status dip_report_wrap(dip_report **out, json_t *json, dip_error *err) {
    dip_report *report = dip_alloc(1, sizeof *report, "a report", err);
    if (report == NULL) {
        json_decref(json);
        return DIP_ERR_MEMORY;
    }
    report->json = json;
    const dip_status status = dip_json_dump(json, &report->text, err);
    if (status != DIP_OK) {
        dip_report_free(report);
        return status;
    }
    *out = report;
    return DIP_OK;
}

const char *dip_report_json(const dip_report *report) {
    return report->text;
}

/* Walks a path of object keys and array positions. */
static const json_t *find(const json_t *json, const char *path) {
    while (*path != '\0' && json != NULL) {
        char step[STEP_MAX];
        int64_t index = 0;
        const size_t length = strcspn(path, "/");
        if (length >= sizeof step) {
            return NULL;
        }
        memcpy(step, path, length);
        step[length] = '\0';
        if (json_is_array(json)) {
            json = dip_parse_integer(step, &index) && index >= 0
                       ? json_array_get(json, (size_t)index)
                       : NULL;
        } else {
            json = json_object_get(json, step);
        }
        path += length + (path[length] == '/');
    }
    return json;
}

dip_status dip_report_number(const dip_report *report, const char *path, double *number,
                             dip_error *err) {
    const json_t *value = find(report->json, path);
    if (!json_is_number(value)) {
        return dip_fail(err, DIP_ERR_FAILED, "the report has no number at \"%s\"", path);
    }
    *number = json_number_value(value);
    return DIP_OK;
}

const char *dip_report_text(const dip_report *report, const char *path) {
    return json_string_value(find(report->json, path));
}

void dip_report_free(dip_report *report) {
    if (report == NULL) {
        return;
    }
    json_decref(report->json);
    dip_free(report->text);
    dip_free(report);
}
