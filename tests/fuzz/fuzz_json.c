/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON: accepted exactly when jansson, asked without detour, accepts it; what is written reads back
 * the same.
 */
#include "base/json.h"
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void look_up(const json_t *json) {
    const char *text = NULL;
    int64_t integer = 0;
    double number = 0;
    json_t *found = NULL;
    if (dip_json_integer(json, "a", -5, 5, &integer, NULL) == DIP_OK) {
        CLAIM(integer >= -5 && integer <= 5);
    }
    CLAIM(dip_json_text(json, "a", &text, NULL) != DIP_OK || text != NULL);
    CLAIM(dip_json_number(json, "a", &number, NULL) != DIP_OK || number * 0 == 0);
    CLAIM(dip_json_object(json, "a", &found, NULL) != DIP_OK || json_is_object(found));
    CLAIM(dip_json_array(json, "a", &found, NULL) != DIP_OK || json_is_array(found));
}

static void write_and_read(const json_t *json,
                           dip_status (*dump)(const json_t *, char **, dip_error *)) {
    char *text = NULL;
    char *again = NULL;
    json_t *parsed = NULL;
    CLAIM(dump(json, &text, NULL) == DIP_OK);
    CLAIM(dip_json_parse(&parsed, text, strlen(text), "dump", NULL) == DIP_OK);
    CLAIM(dump(parsed, &again, NULL) == DIP_OK);
    CLAIM(strcmp(text, again) == 0);
    dip_free(text);
    dip_free(again);
    json_decref(parsed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    json_t *json = NULL;
    dip_error err = {DIP_OK, ""};
    char *text = copy_of(data, bytes);
    json_t *reference = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL);
    const dip_status status = dip_json_parse(&json, text, bytes, "fuzz.json", &err);
    free(text);
    CLAIM((status == DIP_OK) == (reference != NULL));
    if (went_well(status, DIP_ERR_FORMAT, &err)) {
        CLAIM(json_equal(json, reference));
        look_up(json);
        write_and_read(json, dip_json_dump);
        write_and_read(json, dip_json_dump_compact);
    }
    json_decref(json);
    json_decref(reference);
    return 0;
}
