/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/growth.h"

#include "base/mem.h"
#include "data/vocab.h"

#include <stdio.h>
#include <string.h>

enum { TEXTS_AT_ONCE = 1 << 16 };

/* ---- the schema stays ------------------------------------------------------------------------ */

static dip_status differs(const char *path, const char *what, const char *before, const char *now,
                          dip_error *err) {
    return dip_fail(err, DIP_ERR_FAILED,
                    "%s cannot grow: %s is \"%s\" there and \"%s\" in the project file; prepare "
                    "without prepare.grow for another schema",
                    path, what, before, now);
}

static dip_status compare_features(const char *path, const dip_feature *before,
                                   const dip_feature *now, dip_error *err) {
    for (size_t i = 0; i < dip_feature_table.n; i++) {
        char texts[2][DIP_VALUE_MAX];
        char what[2 * DIP_TEXT_MAX];
        dip_options_get(&dip_feature_table.row[i], before, texts[0]);
        dip_options_get(&dip_feature_table.row[i], now, texts[1]);
        if (strcmp(texts[0], texts[1]) != 0) {
            snprintf(what, sizeof what, "%s of feature %s", dip_feature_table.row[i].key,
                     now->name);
            return differs(path, what, texts[0], texts[1], err);
        }
    }
    return DIP_OK;
}

static dip_status compare_entities(const char *path, const char *name, const dip_entity *before,
                                   const dip_entity *now, dip_error *err) {
    char counts[2][24];
    char what[64];
    for (size_t f = 0; f < before->n_features && f < now->n_features; f++) {
        if (strcmp(before->features[f].name, now->features[f].name) != 0) {
            snprintf(what, sizeof what, "feature %zu of the %s", f + 1, name);
            return differs(path, what, before->features[f].name, now->features[f].name, err);
        }
        DIP_TRY(compare_features(path, &before->features[f], &now->features[f], err));
    }
    if (before->n_features == now->n_features) {
        return DIP_OK;
    }
    snprintf(counts[0], sizeof counts[0], "%zu", before->n_features);
    snprintf(counts[1], sizeof counts[1], "%zu", now->n_features);
    snprintf(what, sizeof what, "the number of features of the %s", name);
    return differs(path, what, counts[0], counts[1], err);
}

static dip_status compare_schemas(const char *path, const dip_schema *before, const dip_schema *now,
                                  dip_error *err) {
    if (before->queries_are_items != now->queries_are_items) {
        return differs(path, "what a query is", before->queries_are_items ? "an item" : "no item",
                       now->queries_are_items ? "an item" : "no item", err);
    }
    DIP_TRY(compare_entities(path, "items", &before->items, &now->items, err));
    return compare_entities(path, "queries", &before->queries, &now->queries, err);
}

dip_status dip_growth_open(dip_growth **out, const char *path, const dip_schema *schema,
                           dip_error *err) {
    dip_growth *growth = dip_alloc(1, sizeof *growth, "a growth", err);
    if (growth == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_status status = dip_dataset_load(&growth->old, path, err);
    if (status != DIP_OK) {
        dip_free(growth);
        return status;
    }
    growth->path = dip_copy_text(path, strlen(path), "a path", err);
    status = growth->path != NULL ? compare_schemas(path, &growth->old.schema, schema, err)
                                  : DIP_ERR_MEMORY;
    if (status != DIP_OK) {
        dip_growth_close(growth);
        return status;
    }
    *out = growth;
    return DIP_OK;
}

/* ---- numbering what is known ----------------------------------------------------------------- */

/* Puts the texts gathered so far through the numbering. */
static dip_status number_texts(dip_texts *texts, dip_intern *intern, dip_intern_stream *stream,
                               dip_raw *raw, const dip_means *means, dip_error *err) {
    dip_texts *const one[1] = {texts};
    DIP_TRY(dip_texts_arrange(texts, err));
    DIP_TRY(dip_intern_round(intern, stream, one, 1, means->threads, err));
    dip_texts_clear(texts);
    return dip_raw_spill(raw, means, err);
}

static dip_status seed_ids(const dip_strings *ids, int64_t n, dip_texts *texts, dip_raw *raw,
                           dip_raw_entity *side, const dip_means *means, dip_error *err) {
    for (int64_t row = 0; row < n; row++) {
        size_t length = 0;
        const char *id = dip_strings_at(ids, row, &length);
        DIP_TRY(dip_texts_add(texts, id, length, err));
        if (texts->n == TEXTS_AT_ONCE || row == n - 1) {
            DIP_TRY(number_texts(texts, side->ids, &side->seed, raw, means, err));
        }
    }
    return DIP_OK;
}

static dip_status seed_vocabulary(const dip_vocab *vocab, size_t table, dip_texts *texts,
                                  dip_raw *raw, const dip_means *means, dip_error *err) {
    for (size_t row = 0; row < vocab->n; row++) {
        size_t length = 0;
        const char *value = dip_vocab_text(vocab, row, &length);
        DIP_TRY(dip_texts_add(texts, value, length, err));
        if (texts->n == TEXTS_AT_ONCE || row == vocab->n - 1) {
            DIP_TRY(number_texts(texts, raw->values[table], &raw->seeds[table], raw, means, err));
        }
    }
    return DIP_OK;
}

static dip_status seed_table(const dip_growth *growth, size_t table, dip_texts *texts, dip_raw *raw,
                             const dip_means *means, dip_error *err) {
    const dip_table *known = &growth->old.schema.tables[table];
    char name[DIP_PART_NAME_MAX];
    dip_vocab vocab;
    if (!known->is_vocabulary) {
        return DIP_OK;
    }
    dip_part_name(name, "vocab", table, known->name, ".tsv");
    DIP_TRY(dip_vocab_read(&vocab, &growth->old.folder, name, known->rows, err));
    const dip_status status = seed_vocabulary(&vocab, table, texts, raw, means, err);
    dip_texts_clear(texts);
    dip_vocab_free(&vocab);
    return status;
}

static dip_status seed_all(const dip_growth *growth, dip_texts *texts, dip_raw *raw,
                           const dip_schema *schema, const dip_means *means, dip_error *err) {
    const dip_dataset *old = &growth->old;
    DIP_TRY(seed_ids(&old->items.ids, old->items.n, texts, raw, &raw->items, means, err));
    if (!schema->queries_are_items) {
        DIP_TRY(seed_ids(&old->queries.ids, old->queries.n, texts, raw, &raw->queries, means, err));
    }
    for (size_t t = 0; t < schema->n_tables; t++) {
        DIP_TRY(seed_table(growth, t, texts, raw, means, err));
    }
    return DIP_OK;
}

dip_status dip_growth_seed(const dip_growth *growth, dip_raw *raw, const dip_schema *schema,
                           const dip_means *means, dip_error *err) {
    dip_texts texts = {0};
    const dip_status status = seed_all(growth, &texts, raw, schema, means, err);
    dip_texts_free(&texts);
    return status;
}

int64_t dip_growth_values(const dip_growth *growth, size_t table) {
    return growth != NULL ? growth->old.schema.tables[table].rows : 0;
}

int64_t dip_growth_rows(const dip_growth *growth, dip_side side) {
    return growth != NULL ? dip_dataset_rows(&growth->old, side)->n : 0;
}

/* ---- lineage --------------------------------------------------------------------------------- */

static dip_status describe(const dip_growth *growth, json_t *list, dip_error *err) {
    const json_t *manifest = growth->old.folder.manifest;
    json_t *entry = NULL;
    json_t *counts = json_object_get(manifest, "counts");
    DIP_TRY(dip_json_new_object(&entry, err));
    DIP_TRY(dip_json_append(list, entry, err));
    DIP_TRY(dip_json_set(entry, "checksum", json_string(dip_folder_identity(&growth->old.folder)),
                         err));
    DIP_TRY(dip_json_set(entry, "created_by", json_incref(json_object_get(manifest, "created_by")),
                         err));
    return dip_json_set(entry, "counts", json_incref(counts), err);
}

dip_status dip_growth_lineage(const dip_growth *growth, json_t **lineage, dip_error *err) {
    json_t *list = NULL;
    DIP_TRY(dip_json_new_array(&list, err));
    json_t *before = json_object_get(growth->old.folder.manifest, "lineage");
    dip_status status = DIP_OK;
    for (size_t i = 0; status == DIP_OK && i < json_array_size(before); i++) {
        status = dip_json_append(list, json_incref(json_array_get(before, i)), err);
    }
    if (status == DIP_OK) {
        status = describe(growth, list, err);
    }
    if (status != DIP_OK) {
        json_decref(list);
        return status;
    }
    *lineage = list;
    return DIP_OK;
}

void dip_growth_close(dip_growth *growth) {
    if (growth == NULL) {
        return;
    }
    dip_dataset_release(&growth->old);
    dip_free(growth->path);
    dip_free(growth);
}
