/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON by jansson: a parser with our limits and typed look-ups whose errors name the key.
 */
#ifndef DIP_BASE_JSON_H
#define DIP_BASE_JSON_H

#include "base/mem.h"
#include "base/status.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* jansson takes non-const pointers where it only reads. */
static inline json_t *dip_json_readable(const json_t *json) {
    union {
        const json_t *in;
        json_t *out;
    } cast = {json};
    return cast.out;
}

/* Parses text (duplicate keys are refused); `name` is used in errors. Caller json_decref()s. */
dip_status dip_json_parse(json_t **json, const char *text, size_t bytes, const char *name,
                          dip_error *err);

/* Typed look-ups in an object: DIP_ERR_FORMAT names the missing or mistyped key. */
dip_status dip_json_text(const json_t *object, const char *key, const char **text, dip_error *err);
dip_status dip_json_integer(const json_t *object, const char *key, int64_t low, int64_t high,
                            int64_t *number, dip_error *err);
dip_status dip_json_number(const json_t *object, const char *key, double *number, dip_error *err);
dip_status dip_json_object(const json_t *object, const char *key, json_t **found, dip_error *err);
dip_status dip_json_array(const json_t *object, const char *key, json_t **found, dip_error *err);

/* object[key] = value; steals value, which may be NULL after a failed construction. Failures are
 * remembered by the caller through the returned status. */
dip_status dip_json_set(json_t *object, const char *key, json_t *value, dip_error *err);
dip_status dip_json_append(json_t *array, json_t *value, dip_error *err);

/* A new empty object or array, or DIP_ERR_MEMORY. */
dip_status dip_json_new_object(json_t **object, dip_error *err);
dip_status dip_json_new_array(json_t **array, dip_error *err);

/* A new empty object or array under a key, or at the end of an array, borrowed. */
dip_status dip_json_put_object(json_t *object, const char *key, json_t **made, dip_error *err);
dip_status dip_json_put_array(json_t *object, const char *key, json_t **made, dip_error *err);
dip_status dip_json_append_object(json_t *array, json_t **made, dip_error *err);

/* The canonical text of a document, keys in order, one blank of indentation, with a final newline;
 * or on one line without. The caller dip_free()s it. */
dip_status dip_json_dump(const json_t *json, char **text, dip_error *err);
dip_status dip_json_dump_compact(const json_t *json, char **text, dip_error *err);

#endif
