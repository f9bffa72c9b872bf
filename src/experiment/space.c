/* SPDX-License-Identifier: Apache-2.0
 *
 * The space that tuning searches, from YAML.
 */
#include "base/file.h"
#include "base/mem.h"
#include "experiment/halving.h"
#include "experiment/plan_files.h"
#include "experiment/plan_reader.h"

#include <stdio.h>

enum { SPACE_MAX_BYTES = 1 << 20 };

static dip_status read_axis(dip_plan_reader *r, void *object, const dip_yaml_node *key,
                            const dip_yaml_node *value, dip_error *err) {
    dip_space *space = object;
    if (space->n == DIP_PLAN_SETTINGS) {
        return dip_yaml_fail(&r->yaml, key, err, "more than %d options", DIP_PLAN_SETTINGS);
    }
    DIP_TRY(dip_plan_choice(r, &space->axis[space->n], key, value, err));
    if (strcmp(space->axis[space->n].key, "train.epochs") == 0) {
        return dip_yaml_fail(&r->yaml, key, err,
                             "train.epochs is what the rungs differ in; give it as an option");
    }
    space->n++;
    return DIP_OK;
}

dip_status dip_space_parse(dip_space *space, const char *text, size_t bytes, const char *name,
                           dip_error *err) {
    dip_space read = {0};
    dip_plan_reader r = {.plan = NULL};
    dip_options_default(&dip_config_table, &r.scratch, sizeof r.scratch);
    DIP_TRY(dip_yaml_parse(&r.yaml, text, bytes, name, err));
    const dip_status status = dip_plan_each(&r, dip_yaml_root(&r.yaml), read_axis, &read, err);
    dip_yaml_free(&r.yaml);
    DIP_TRY(status);
    if (read.n == 0) {
        return dip_fail(err, DIP_ERR_USAGE, "%s names no option to vary", name);
    }
    *space = read;
    return DIP_OK;
}

dip_status dip_space_read(dip_space *space, const char *path, dip_error *err) {
    char *text = NULL;
    size_t bytes = 0;
    DIP_TRY(dip_read_file(path, SPACE_MAX_BYTES, &text, &bytes, err));
    const dip_status status = dip_space_parse(space, text, bytes, path, err);
    dip_free(text);
    return status;
}

dip_status dip_space_default(dip_space *space, dip_error *err) {
    return dip_space_parse(space, (const char *)dip_plan_file_tune, dip_plan_file_tune_bytes,
                           "tune", err);
}
