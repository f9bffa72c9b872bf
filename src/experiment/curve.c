/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/curve.h"

#include <string.h>

#define METRICS_PART "metrics.jsonl"
#define VALIDATION "validation_"

typedef struct curve {
    json_t *epoch;
    json_t *validation;
    json_t *loss;
    double loss_sum; /* of the steps of the epoch that is being read */
    double steps;
} curve;

/* The number under the first key with a prefix, or NULL. */
static const json_t *with_prefix(const json_t *object, const char *prefix) {
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(dip_json_readable(object), key, value) {
        if (strncmp(key, prefix, strlen(prefix)) == 0) {
            return value;
        }
    }
    return NULL;
}

static dip_status end_epoch(curve *c, const json_t *line, const json_t *value, dip_error *err) {
    DIP_TRY(dip_json_append(c->epoch, json_incref(json_object_get(line, "epoch")), err));
    DIP_TRY(dip_json_append(c->validation, json_incref(dip_json_readable(value)), err));
    DIP_TRY(dip_json_append(c->loss, c->steps > 0 ? json_real(c->loss_sum / c->steps) : json_null(),
                            err));
    c->loss_sum = 0;
    c->steps = 0;
    return DIP_OK;
}

static dip_status read_line(curve *c, const char *text, size_t bytes, dip_error *err) {
    json_t *line = NULL;
    dip_status status = DIP_OK;
    DIP_TRY(dip_json_parse(&line, text, bytes, METRICS_PART, err));
    const json_t *value = with_prefix(line, VALIDATION);
    if (value != NULL) {
        status = end_epoch(c, line, value, err);
    } else {
        c->loss_sum += json_number_value(json_object_get(line, "loss"));
        c->steps += 1;
    }
    json_decref(line);
    return status;
}

static dip_status read_lines(curve *c, const char *text, size_t bytes, dip_error *err) {
    for (size_t at = 0; at < bytes;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        const size_t length = end != NULL ? (size_t)(end - (text + at)) : bytes - at;
        if (length > 0) {
            DIP_TRY(read_line(c, text + at, length, err));
        }
        at += length + 1;
    }
    return DIP_OK;
}

static dip_status begin(curve *c, json_t *content, dip_error *err) {
    json_t *object = NULL;
    DIP_TRY(dip_json_new_object(&object, err));
    DIP_TRY(dip_json_set(content, "curve", object, err));
    DIP_TRY(dip_json_new_array(&c->epoch, err));
    DIP_TRY(dip_json_set(object, "epoch", c->epoch, err));
    DIP_TRY(dip_json_new_array(&c->validation, err));
    DIP_TRY(dip_json_set(object, "validation", c->validation, err));
    DIP_TRY(dip_json_new_array(&c->loss, err));
    return dip_json_set(object, "loss", c->loss, err);
}

dip_status dip_curve_read(const dip_folder *model, json_t *content, dip_error *err) {
    curve c = {0};
    dip_map map;
    DIP_TRY(begin(&c, content, err));
    DIP_TRY(dip_folder_map(model, METRICS_PART, &map, err));
    const dip_status status = read_lines(&c, (const char *)map.data, map.bytes, err);
    dip_map_close(&map);
    return status;
}
