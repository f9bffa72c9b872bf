/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <jansson.h>
#include <stdio.h>

static const cli_flag FLAGS[] = {
    {NULL, 0, NULL, NULL},
};

static void print_scalar(const json_t *value) {
    if (json_is_string(value)) {
        printf("%s\n", json_string_value(value));
    } else if (json_is_integer(value)) {
        printf("%lld\n", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        printf("%g\n", json_real_value(value));
    } else {
        printf("%s\n", json_is_true(value) ? "yes" : json_is_null(value) ? "-" : "no");
    }
}

static bool is_nested(const json_t *value) {
    return json_is_object(value) || json_is_array(value);
}

static void print_value(json_t *value, int indent);

static void print_member(const char *key, json_t *value, int indent) {
    printf("%*s%s:", indent, "", key);
    if (is_nested(value)) {
        putchar('\n');
        print_value(value, indent + 2);
    } else {
        putchar(' ');
        print_scalar(value);
    }
}

/* Reports nest four levels deep at most: the depth of our own manifests. */
static void print_value(json_t *value, int indent) {
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;
    if (json_is_array(value)) {
        json_array_foreach(value, i, member) {
            char number[24];
            snprintf(number, sizeof number, "%zu", i);
            print_member(number, member, indent);
        }
        return;
    }
    json_object_foreach(value, key, member) {
        print_member(key, member, indent);
    }
}

static int run(const cli_args *args) {
    dip_error err;
    dip_report *report = NULL;
    if (dip_inspect(args->positional[0], &report, &err) != DIP_OK) {
        return cli_fail(&err);
    }
    if (cli_has(args, "json")) {
        fputs(dip_report_json(report), stdout);
    } else {
        json_t *json = json_loads(dip_report_json(report), 0, NULL);
        print_value(json, 0);
        json_decref(json);
    }
    dip_report_free(report);
    return DIP_OK;
}

const cli_command cli_inspect = {
    .name = "inspect",
    .summary = "what a dataset, model, .npy, .safetensors or project file holds",
    .usage = "FILE|DIR [flags]",
    .description = "Reads headers and manifests only; nothing large is loaded.",
    .example = "diptych inspect shop.dip --json",
    .flags = FLAGS,
    .sections = {NULL},
    .positional_min = 1,
    .positional_max = 1,
    .run = run,
};
