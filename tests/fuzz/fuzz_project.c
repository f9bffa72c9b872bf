/* SPDX-License-Identifier: Apache-2.0
 *
 * Project files: YAML, options and the schema.
 */
#include "data/project.h"
#include "fuzz/fuzz.h"

#include <stdlib.h>

/* What a project says about options is stored in datasets: it must come back the same. */
static void store_options(const dip_project *project) {
    dip_config again;
    json_t *stored = NULL;
    json_t *restored = NULL;
    dip_error err = {DIP_OK, ""};
    dip_options_default(&dip_config_table, &again, sizeof again);
    if (dip_config_to_json(&project->config, &stored, &err) == DIP_OK) {
        CLAIM(dip_config_from_json(&again, stored, &err) == DIP_OK);
        CLAIM(dip_config_to_json(&again, &restored, &err) == DIP_OK);
        CLAIM(json_equal(stored, restored));
    }
    json_decref(stored);
    json_decref(restored);
}

static void check_schema(const dip_schema *schema) {
    const dip_entity *entities[2] = {&schema->items, &schema->queries};
    for (size_t e = 0; e < 2; e++) {
        CLAIM(entities[e]->n_features <= DIP_FEATURES_MAX);
        for (size_t f = 0; f < entities[e]->n_features; f++) {
            CLAIM(entities[e]->features[f].name[0] != '\0');
            CLAIM(entities[e]->features[f].column[0] != '\0');
            CLAIM(dip_feature_problem(&entities[e]->features[f]) == NULL);
        }
    }
    CLAIM(schema->items.n_features > 0 && schema->items.source.files.n > 0);
    CLAIM(schema->interactions.files.n > 0 && schema->item_column[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    dip_project project;
    dip_error err = {DIP_OK, ""};
    char *text = copy_of(data, bytes);
    const dip_status status = dip_project_parse(&project, text, bytes, "folder/p.yaml", &err);
    free(text);
    if (went_well(status, status == DIP_ERR_USAGE ? DIP_ERR_USAGE : DIP_ERR_FORMAT, &err)) {
        store_options(&project);
        check_schema(&project.schema);
        dip_project_release(&project);
    }
    return 0;
}
