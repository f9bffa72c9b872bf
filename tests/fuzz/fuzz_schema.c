/* SPDX-License-Identifier: Apache-2.0
 *
 * The schema of a manifest: what is read is written back the same, and can be used.
 */
#include "data/schema.h"
#include "data/values.h"
#include "fuzz/fuzz.h"

#include <math.h>

static void use_feature(const dip_schema *schema, const dip_feature *feature) {
    static const double NUMBERS[] = {-1e308, -1, 0, 0.5, 1e308};
    CLAIM(feature->table < (int)schema->n_tables);
    CLAIM(feature->table >= 0 || feature->type == DIP_FEATURE_NUMERIC);
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++) {
        CLAIM(isfinite(dip_values_normalise(feature, NUMBERS[i])));
        if (feature->type == DIP_FEATURE_NUMERIC && feature->table >= 0) {
            const int32_t bucket = dip_values_bucket(feature, NUMBERS[i]);
            CLAIM(bucket >= 0 && bucket < schema->tables[feature->table].rows);
        }
    }
}

static void use_schema(const dip_schema *schema) {
    for (dip_side side = DIP_SIDE_ITEM; side <= DIP_SIDE_QUERY; side++) {
        const dip_entity *entity = dip_schema_entity(schema, side);
        CLAIM(entity->n_features > 0 && entity->n_features <= DIP_FEATURES_MAX);
        for (size_t f = 0; f < entity->n_features; f++) {
            use_feature(schema, &entity->features[f]);
        }
    }
}

static void write_and_read(const dip_schema *schema) {
    dip_schema again;
    json_t *written = NULL;
    json_t *rewritten = NULL;
    CLAIM(dip_schema_to_json(schema, &written, NULL) == DIP_OK);
    CLAIM(dip_schema_from_json(&again, written, NULL) == DIP_OK);
    CLAIM(dip_schema_to_json(&again, &rewritten, NULL) == DIP_OK);
    CLAIM(json_equal(written, rewritten));
    dip_schema_free(&again);
    json_decref(written);
    json_decref(rewritten);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    dip_schema schema;
    dip_error err = {DIP_OK, ""};
    json_t *json = json_loadb((const char *)data, bytes, JSON_REJECT_DUPLICATES, NULL);
    if (json != NULL &&
        went_well(dip_schema_from_json(&schema, json, &err), DIP_ERR_FORMAT, &err)) {
        use_schema(&schema);
        write_and_read(&schema);
        dip_schema_free(&schema);
    }
    json_decref(json);
    return 0;
}
