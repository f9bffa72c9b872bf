/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* jansson reports some failed allocations as mistakes of the text; then the next one fails as
 * well. */
static bool memory_is_out(void) {
    json_t *probe = json_object();
    json_decref(probe);
    return probe == NULL;
}

/* jansson's lexer stops the process (an assertion of version 2.14) when its buffer cannot grow at
 * the last digit of a long number. So the text is read as the second member of a list whose first
 * is a string longer than any number: then the buffer has grown before. */
#define OPENING "[\"................................................................\","

typedef struct feed {
    const char *part[3];
    size_t left[3];
    size_t at;
} feed;

static size_t feed_part(void *buffer, size_t room, void *context) {
    feed *f = context;
    while (f->at < 3 && f->left[f->at] == 0) {
        f->at++;
    }
    if (f->at == 3) {
        return 0;
    }
    const size_t n = f->left[f->at] < room ? f->left[f->at] : room;
    memcpy(buffer, f->part[f->at], n);
    f->part[f->at] += n;
    f->left[f->at] -= n;
    return n;
}

/* The parsed text, or NULL when it is not one whole object or list: "{}, {}" makes a list that has
 * not two members. */
static json_t *load(const char *text, size_t bytes, json_error_t *problem) {
    feed f = {{OPENING, text, "]"}, {sizeof OPENING - 1, bytes, 1}, 0};
    json_t *list = json_load_callback(feed_part, &f, JSON_REJECT_DUPLICATES, problem);
    json_t *parsed = json_array_size(list) == 2 ? json_array_get(list, 1) : NULL;
    parsed = json_is_object(parsed) || json_is_array(parsed) ? json_incref(parsed) : NULL;
    json_decref(list);
    return parsed;
}

/* A text that does not load is read once more as it is, for the place of the mistake; when there
 * is none, it was memory that was short. */
dip_status dip_json_parse(json_t **json, const char *text, size_t bytes, const char *name,
                          dip_error *err) {
    json_error_t problem = {0};
    json_t *parsed = load(text, bytes, &problem);
    if (parsed != NULL) {
        *json = parsed;
        return DIP_OK;
    }
    bool is_out = json_error_code(&problem) == json_error_out_of_memory || memory_is_out();
    if (!is_out) {
        json_t *again = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &problem);
        is_out = again != NULL;
        json_decref(again);
    }
    return is_out ? dip_fail(err, DIP_ERR_MEMORY, "out of memory for the JSON of %s (%zu bytes)",
                             name, bytes)
                  : dip_fail(err, DIP_ERR_FORMAT, "%s:%d:%d: not valid JSON: %s", name,
                             problem.line, problem.column, problem.text);
}

static dip_status find(const json_t *object, const char *key, const char *wanted, json_t **value,
                       dip_error *err) {
    json_t *found = json_object_get(object, key);
    if (found == NULL) {
        return dip_fail(err, DIP_ERR_FORMAT, "key \"%s\" (%s) is missing", key, wanted);
    }
    *value = found;
    return DIP_OK;
}

static dip_status mistyped(const char *key, const char *wanted, dip_error *err) {
    return dip_fail(err, DIP_ERR_FORMAT, "key \"%s\" is not %s", key, wanted);
}

dip_status dip_json_text(const json_t *object, const char *key, const char **text, dip_error *err) {
    json_t *value = NULL;
    DIP_TRY(find(object, key, "a string", &value, err));
    if (!json_is_string(value)) {
        return mistyped(key, "a string", err);
    }
    *text = json_string_value(value);
    return DIP_OK;
}

dip_status dip_json_integer(const json_t *object, const char *key, int64_t low, int64_t high,
                            int64_t *number, dip_error *err) {
    json_t *value = NULL;
    DIP_TRY(find(object, key, "an integer", &value, err));
    if (!json_is_integer(value)) {
        return mistyped(key, "an integer", err);
    }
    const int64_t found = json_integer_value(value);
    if (found < low || found > high) {
        return dip_fail(err, DIP_ERR_FORMAT, "key \"%s\" is %lld, outside %lld to %lld", key,
                        (long long)found, (long long)low, (long long)high);
    }
    *number = found;
    return DIP_OK;
}

dip_status dip_json_number(const json_t *object, const char *key, double *number, dip_error *err) {
    json_t *value = NULL;
    DIP_TRY(find(object, key, "a number", &value, err));
    if (!json_is_number(value)) {
        return mistyped(key, "a number", err);
    }
    *number = json_number_value(value);
    return DIP_OK;
}

dip_status dip_json_object(const json_t *object, const char *key, json_t **found, dip_error *err) {
    json_t *value = NULL;
    DIP_TRY(find(object, key, "an object", &value, err));
    if (!json_is_object(value)) {
        return mistyped(key, "an object", err);
    }
    *found = value;
    return DIP_OK;
}

dip_status dip_json_array(const json_t *object, const char *key, json_t **found, dip_error *err) {
    json_t *value = NULL;
    DIP_TRY(find(object, key, "an array", &value, err));
    if (!json_is_array(value)) {
        return mistyped(key, "an array", err);
    }
    *found = value;
    return DIP_OK;
}

static dip_status no_memory(dip_error *err) {
    return dip_fail(err, DIP_ERR_MEMORY, "out of memory for a JSON document");
}

dip_status dip_json_set(json_t *object, const char *key, json_t *value, dip_error *err) {
    if (value == NULL || json_object_set_new(object, key, value) != 0) {
        return no_memory(err);
    }
    return DIP_OK;
}

dip_status dip_json_append(json_t *array, json_t *value, dip_error *err) {
    if (value == NULL || json_array_append_new(array, value) != 0) {
        return no_memory(err);
    }
    return DIP_OK;
}

dip_status dip_json_new_object(json_t **object, dip_error *err) {
    *object = json_object();
    return *object != NULL ? DIP_OK : no_memory(err);
}

dip_status dip_json_new_array(json_t **array, dip_error *err) {
    *array = json_array();
    return *array != NULL ? DIP_OK : no_memory(err);
}

dip_status dip_json_put_object(json_t *object, const char *key, json_t **made, dip_error *err) {
    DIP_TRY(dip_json_new_object(made, err));
    return dip_json_set(object, key, *made, err);
}

dip_status dip_json_put_array(json_t *object, const char *key, json_t **made, dip_error *err) {
    DIP_TRY(dip_json_new_array(made, err));
    return dip_json_set(object, key, *made, err);
}

dip_status dip_json_append_object(json_t *array, json_t **made, dip_error *err) {
    DIP_TRY(dip_json_new_object(made, err));
    return dip_json_append(array, *made, err);
}

/* jansson 2.14 can drop a piece of the text when one of its allocations fails, and still report
 * success; what is written must read back as what was meant. */
static bool reads_back(const json_t *json, const char *text) {
    json_error_t problem = {0};
    json_t *again = load(text, strlen(text), &problem);
    const bool is_equal = again != NULL && json_equal(dip_json_readable(json), again) != 0;
    json_decref(again);
    return is_equal;
}

/* The text is copied out of jansson's memory, so that all of ours is freed in one way. */
static dip_status dump(const json_t *json, size_t flags, const char *end, char **text,
                       dip_error *err) {
    void (*release)(void *) = NULL;
    void *(*acquire)(size_t) = NULL;
    json_get_alloc_funcs(&acquire, &release);
    char *dumped = json_dumps(json, flags | JSON_ENSURE_ASCII);
    if (dumped == NULL || !reads_back(json, dumped)) {
        release(dumped);
        return no_memory(err);
    }
    const size_t size = strlen(dumped) + strlen(end) + 1;
    char *copy = dip_alloc(size, 1, "a JSON text", err);
    if (copy != NULL) {
        snprintf(copy, size, "%s%s", dumped, end);
    }
    release(dumped);
    *text = copy;
    return copy != NULL ? DIP_OK : DIP_ERR_MEMORY;
}

dip_status dip_json_dump(const json_t *json, char **text, dip_error *err) {
    return dump(json, JSON_INDENT(1), "\n", text, err);
}

dip_status dip_json_dump_compact(const json_t *json, char **text, dip_error *err) {
    return dump(json, JSON_COMPACT, "", text, err);
}
