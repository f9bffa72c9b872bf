/* SPDX-License-Identifier: Apache-2.0
 *
 * A trained model: towers, the schema and vocabularies that turn raw values into rows, and where it
 * came from. As a folder:
 *
 *   manifest.json      sizes and checksums, format version
 *   config.json        options, schema, dataset path and identity, how training ended
 *   model.safetensors  every tensor by name
 *   vocab-TT-NAME.tsv  vocabularies, as in the dataset
 *   metrics.jsonl      one line per reported step and per epoch
 *   quarantine.jsonl   one line per batch that was left out for not being finite; only with some
 */
#ifndef DIP_MODEL_MODEL_H
#define DIP_MODEL_MODEL_H

#include "data/dataset.h"
#include "data/vocab.h"
#include "model/tower.h"

#define DIP_MODEL_FORMAT "diptych-model"
enum { DIP_MODEL_VERSION = 1 };

struct dip_model {
    dip_folder folder;
    json_t *description; /* config.json */
    dip_config config;
    dip_schema schema;
    dip_towers towers;
    dip_vocab *vocabs; /* [n_tables]; empty where a table is no vocabulary */
};

/* What is saved beside the parameters. */
typedef struct dip_model_source {
    const dip_towers *towers;
    const dip_config *config;
    const dip_dataset *dataset;
    const json_t *training; /* how far training went; may be NULL */
    const char *metrics;    /* the text of metrics.jsonl */
    const char *quarantine; /* the text of quarantine.jsonl; NULL or "" for none */
} dip_model_source;

dip_status dip_model_write(const dip_model_source *source, const char *path, bool replace,
                           dip_error *err);

/* Where a model or a checkpoint comes from: object["dataset"] = {"path": ..., "identity": ...}. */
dip_status dip_model_describe_dataset(const dip_dataset *dataset, json_t *object, dip_error *err);

/* config.json of a model folder. Caller json_decref()s it. */
dip_status dip_model_read_description(const dip_folder *folder, json_t **description,
                                      dip_error *err);

/* Publishes the model at path once more, now with what is known at the end of training: the key
 * "finished" in its description, and the whole metrics and quarantine. */
dip_status dip_model_finish(const char *path, const char *metrics, const char *quarantine,
                            dip_error *err);

dip_status dip_model_read(dip_model *model, const char *path, dip_error *err);

/* The same from a folder that is open. The model takes it over, also when it fails. */
dip_status dip_model_read_folder(dip_model *model, dip_folder *folder, dip_error *err);
void dip_model_release(dip_model *model);

/* Whether the rows of a dataset mean the same as when the model was trained: equal schemas and
 * vocabularies. DIP_ERR_FAILED names the difference. */
dip_status dip_model_check_dataset(const dip_model *model, const dip_dataset *dataset,
                                   dip_error *err);

/* One row of an entity from raw cells, as prepare would have encoded it. Features that are not
 * given are missing. */
typedef struct dip_cells {
    dip_rows rows; /* one row; columns as in a dataset */
    dip_column *columns;
    int64_t (*offsets)[2];
    int32_t **codes;
    float *numbers;
    size_t n;
} dip_cells;

dip_status dip_cells_create(dip_cells *cells, const dip_model *model, dip_side side,
                            const char *const *names, const char *const *values, size_t n,
                            dip_error *err);
void dip_cells_free(dip_cells *cells);

#endif
