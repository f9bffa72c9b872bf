/* SPDX-License-Identifier: Apache-2.0
 *
 * Small steps in making results.json.
 */
#ifndef DIP_EXPERIMENT_VALUES_H
#define DIP_EXPERIMENT_VALUES_H

#include "base/json.h"
#include "experiment/plan.h"

#include <math.h>
#include <string.h>

/* The last part of a path. */
static inline const char *dip_last_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

/* Bytes that a check forecasts: "total" of a training, "machine_available". */
static inline double dip_check_bytes(const json_t *check, const char *key) {
    const json_t *memory = json_object_get(json_object_get(check, "forecast"), "memory");
    return json_number_value(json_object_get(memory, key));
}

/* What cannot be known is null. */
static inline json_t *dip_real_or_null(double number) {
    return isfinite(number) ? json_real(number) : json_null();
}

/* object[key] = {"preset": "best", "ssl.alpha": "0.3", ...} */
static inline dip_status dip_put_settings(json_t *object, const char *key,
                                          const dip_settings *settings, dip_error *err) {
    json_t *made = NULL;
    DIP_TRY(dip_json_put_object(object, key, &made, err));
    if (settings->preset[0] != '\0') {
        DIP_TRY(dip_json_set(made, "preset", json_string(settings->preset), err));
    }
    for (size_t i = 0; i < settings->n; i++) {
        DIP_TRY(dip_json_set(made, settings->at[i].key, json_string(settings->at[i].value), err));
    }
    return DIP_OK;
}

#endif
