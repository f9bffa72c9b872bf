/* SPDX-License-Identifier: Apache-2.0 */
#include "train/machine.h"

#include "engine/engine.h"
#include "math/gemm.h"
#include "math/isa.h"

#include <stdio.h>
#include <string.h>

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown"
#endif

enum { VALUE_MAX = 128 };

typedef struct property {
    const char *key;
    const char *name; /* for people */
    void (*get)(char text[VALUE_MAX]);
} property;

static void get_instructions(char text[VALUE_MAX]) {
    snprintf(text, VALUE_MAX, "%s", dip_isa_name(dip_isa_get()));
}

static void get_products(char text[VALUE_MAX]) {
    dip_gemm_version(text);
}

static void get_compiler(char text[VALUE_MAX]) {
    snprintf(text, VALUE_MAX, "%.100s", COMPILER);
}

static void get_version(char text[VALUE_MAX]) {
    snprintf(text, VALUE_MAX, "%s", dip_version());
}

static const property PROPERTIES[] = {{"instructions", "vector instructions", get_instructions},
                                      {"onednn", "oneDNN", get_products},
                                      {"compiler", "compiler", get_compiler},
                                      {"diptych", "diptych", get_version}};

enum { N_PROPERTIES = sizeof PROPERTIES / sizeof PROPERTIES[0] };

dip_status dip_machine_describe(const dip_config *config, json_t *content, dip_error *err) {
    json_t *machine = NULL;
    DIP_TRY(dip_json_new_object(&machine, err));
    DIP_TRY(dip_json_set(content, "machine", machine, err));
    DIP_TRY(dip_json_set(machine, "precision", json_string(dip_engine_precision(config)), err));
    for (size_t i = 0; i < N_PROPERTIES; i++) {
        char text[VALUE_MAX];
        PROPERTIES[i].get(text);
        DIP_TRY(dip_json_set(machine, PROPERTIES[i].key, json_string(text), err));
    }
    return DIP_OK;
}

dip_status dip_machine_check_precision(const json_t *content, const dip_config *config,
                                       const char *path, dip_error *err) {
    json_t *machine = NULL;
    const char *then = NULL;
    DIP_TRY(dip_json_object(content, "machine", &machine, err));
    DIP_TRY(dip_json_text(machine, "precision", &then, err));
    return strcmp(then, dip_engine_precision(config)) == 0
               ? DIP_OK
               : dip_fail(err, DIP_ERR_FAILED,
                          "checkpoint %s was computed in %s; here train.precision comes to %s",
                          path, then, dip_engine_precision(config));
}

dip_status dip_machine_compare(const json_t *content, dip_text *text, dip_error *err) {
    const json_t *machine = json_object_get(content, "machine");
    for (size_t i = 0; i < N_PROPERTIES; i++) {
        char now[VALUE_MAX];
        const char *then = json_string_value(json_object_get(machine, PROPERTIES[i].key));
        PROPERTIES[i].get(now);
        if (then == NULL || strcmp(then, now) != 0) {
            DIP_TRY(dip_text_printf(text, err, "%s%s was %.*s, is %s", text->length > 0 ? "; " : "",
                                    PROPERTIES[i].name, VALUE_MAX, then != NULL ? then : "not said",
                                    now));
        }
    }
    return DIP_OK;
}
