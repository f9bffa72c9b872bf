/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config_yaml.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define PRESET "preset"

/* A file of options, and what else may stand in it. */
typedef struct reading {
    dip_config *config;
    dip_yaml *yaml;
    const char *const *other;
    size_t n_other;
} reading;

static bool is_other(const reading *r, const char *name) {
    for (size_t i = 0; i < r->n_other; i++) {
        if (strcmp(name, r->other[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether some option's key begins with "name.". */
static bool is_option_section(const char *name) {
    const size_t length = strlen(name);
    for (size_t i = 0; i < dip_config_table.n; i++) {
        const char *key = dip_config_table.row[i].key;
        if (strncmp(key, name, length) == 0 && key[length] == '.') {
            return true;
        }
    }
    return false;
}

static dip_status set_option(const reading *r, const dip_yaml_node *key_node, const char *key,
                             const dip_yaml_node *value, dip_error *err) {
    char text[DIP_VALUE_MAX];
    DIP_TRY(dip_yaml_scalar(r->yaml, value, text, sizeof text, err));
    const dip_status status = dip_options_set(&dip_config_table, r->config, key, text, err);
    return status == DIP_OK ? DIP_OK : dip_yaml_locate(r->yaml, key_node, status, err);
}

static dip_status set_section(const reading *r, const char *section, const dip_yaml_node *map,
                              dip_error *err) {
    for (size_t i = 0; i < dip_yaml_count(map); i++) {
        dip_yaml_node *key = NULL;
        dip_yaml_node *value = NULL;
        char full[DIP_TEXT_MAX];
        dip_yaml_at(r->yaml, map, i, &key, &value);
        const int n = snprintf(full, sizeof full, "%s.%s", section, dip_yaml_text(key));
        if (n < 0 || (size_t)n >= sizeof full) {
            return dip_yaml_fail(r->yaml, key, err, "the key is too long");
        }
        DIP_TRY(set_option(r, key, full, value, err));
    }
    return DIP_OK;
}

typedef struct nearest {
    char name[DIP_TEXT_MAX];
    unsigned distance;
} nearest;

/* Keeps a name when it is nearer to what was written than all before it. */
static void offer(nearest *best, const char *written, const char *name) {
    unsigned distance = 0;
    if (dip_spelling_is_near(written, name, &distance) && distance < best->distance) {
        best->distance = distance;
        snprintf(best->name, sizeof best->name, "%s", name);
    }
}

/* The nearest section, or option that stands at the top; "" when none is near. */
static nearest nearest_section(const reading *r, const char *written) {
    nearest best = {"", UINT32_MAX};
    for (size_t i = 0; i < r->n_other; i++) {
        offer(&best, written, r->other[i]);
    }
    offer(&best, written, PRESET);
    for (size_t i = 0; i < dip_config_table.n; i++) {
        char name[DIP_TEXT_MAX];
        const char *key = dip_config_table.row[i].key;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(key, "."), key);
        offer(&best, written, name);
    }
    return best;
}

static dip_status unknown_section(const reading *r, const dip_yaml_node *key, dip_error *err) {
    const char *name = dip_yaml_text(key);
    const nearest best = nearest_section(r, name);
    if (best.name[0] == '\0') {
        return dip_yaml_fail(r->yaml, key, err, "unknown section \"%s\"", name);
    }
    return dip_yaml_fail(r->yaml, key, err, "unknown section \"%s\"; did you mean \"%s\"?", name,
                         best.name);
}

static dip_status read_options(const reading *r, dip_error *err) {
    const dip_yaml_node *root = dip_yaml_root(r->yaml);
    const dip_yaml_node *preset = dip_yaml_get(r->yaml, root, PRESET);
    if (preset != NULL) {
        char name[DIP_VALUE_MAX];
        DIP_TRY(dip_yaml_scalar(r->yaml, preset, name, sizeof name, err));
        const dip_status status = dip_config_apply_preset(r->config, name, err);
        if (status != DIP_OK) {
            return dip_yaml_locate(r->yaml, preset, status, err);
        }
    }
    for (size_t i = 0; i < dip_yaml_count(root); i++) {
        dip_yaml_node *key = NULL;
        dip_yaml_node *value = NULL;
        dip_yaml_at(r->yaml, root, i, &key, &value);
        const char *name = dip_yaml_text(key);
        if (is_other(r, name) || strcmp(name, PRESET) == 0) {
            continue;
        }
        if (is_option_section(name) && !dip_yaml_is_map(value)) {
            return dip_yaml_fail(r->yaml, key, err, "%s: a mapping of options is expected", name);
        }
        if (is_option_section(name)) {
            DIP_TRY(set_section(r, name, value, err));
        } else if (dip_options_find(&dip_config_table, name) != NULL) {
            DIP_TRY(set_option(r, key, name, value, err));
        } else {
            return unknown_section(r, key, err);
        }
    }
    return DIP_OK;
}

dip_status dip_config_read_yaml(dip_config *config, dip_yaml *yaml, const char *const *other,
                                size_t n_other, dip_error *err) {
    const reading r = {.config = config, .yaml = yaml, .other = other, .n_other = n_other};
    return read_options(&r, err);
}

dip_status dip_config_read(dip_config *config, const char *path, dip_error *err) {
    dip_config read = *config;
    dip_yaml yaml;
    DIP_TRY(dip_yaml_load(&yaml, path, err));
    const dip_status status = dip_config_read_yaml(&read, &yaml, NULL, 0, err);
    dip_yaml_free(&yaml);
    if (status == DIP_OK) {
        *config = read;
    }
    return status;
}
