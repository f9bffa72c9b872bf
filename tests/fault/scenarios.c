/* SPDX-License-Identifier: Apache-2.0 */
#include "fault/scenarios.h"

#include "data/project.h"
#include "prepare/prepare.h"
#include "prepare/thin.h"

#include <string.h>

static dip_status prepare(const world *w, const char *output, unsigned flags, dip_error *err) {
    dip_project *project = NULL;
    dip_report *report = NULL;
    dip_status status = dip_project_load(&project, w->project, err);
    if (status == DIP_OK) {
        status = dip_project_set(project, "split.seed", "3", err);
    }
    if (status == DIP_OK) {
        status = dip_prepare(project, world_path(w, output), flags, NULL, &report, err);
    }
    dip_report_free(report);
    dip_project_free(project);
    return status;
}

static dip_status prepare_new(const world *w, dip_error *err) {
    return prepare(w, "new.dip", 0, err);
}

static dip_status prepare_replace(const world *w, dip_error *err) {
    return prepare(w, "old.dip", DIP_REPLACE, err);
}

/* Every numbering is spilled after its first round, so that what follows goes through the disk; the
 * rankings of values are merged from some runs. */
static dip_status prepare_spilled(const world *w, dip_error *err) {
    static const dip_means MEANS = {.memory = 4000, .threads = 1, .round_blocks = 1};
    dip_project project;
    DIP_TRY(dip_project_read(&project, world_path(w, "long.yaml"), err));
    project.schema.items.source.block_bytes = 1000;
    project.schema.interactions.block_bytes = 30000;
    const dip_status status =
        dip_prepare_by(&project, world_path(w, "spilled.dip"), false, &MEANS, NULL, err);
    dip_project_release(&project);
    return status;
}

static dip_status open_dataset(const world *w, dip_error *err) {
    dip_dataset *dataset = NULL;
    dip_config *config = NULL;
    dip_status status = dip_dataset_open(&dataset, w->dataset, err);
    if (status == DIP_OK) {
        status = dip_dataset_config(dataset, &config, err);
    }
    dip_config_free(config);
    dip_dataset_close(dataset);
    return status;
}

typedef dip_status (*train_fn)(const dip_dataset *dataset, const dip_config *config,
                               const char *output, dip_error *err);

/* Two steps and a save. */
static dip_status step_and_save(const dip_dataset *dataset, const dip_config *config,
                                const char *output, dip_error *err) {
    dip_trainer *trainer = NULL;
    dip_status status = dip_trainer_create(&trainer, dataset, config, err);
    for (int i = 0; i < 2 && status == DIP_OK; i++) {
        status = dip_trainer_step(trainer, NULL, err);
    }
    if (status == DIP_OK) {
        status = dip_trainer_save(trainer, output, 0, err);
    }
    dip_trainer_free(trainer);
    return status;
}

/* A run of one epoch, which is saved once. */
static dip_status whole_run(const dip_dataset *dataset, const dip_config *config,
                            const char *output, dip_error *err) {
    dip_report *report = NULL;
    const dip_status status = dip_train(dataset, config, output, DIP_REPLACE, NULL, &report, err);
    dip_report_free(report);
    return status;
}

static dip_status train(const world *w, const char *output, train_fn work, dip_error *err) {
    dip_dataset *dataset = NULL;
    dip_config *config = NULL;
    dip_status status = dip_dataset_open(&dataset, w->dataset, err);
    if (status == DIP_OK) {
        status = dip_dataset_config(dataset, &config, err);
    }
    if (status == DIP_OK) {
        status = dip_config_set(config, "train.epochs", "1", err);
    }
    if (status == DIP_OK) {
        status = work(dataset, config, world_path(w, output), err);
    }
    dip_config_free(config);
    dip_dataset_close(dataset);
    return status;
}

static dip_status train_steps(const world *w, dip_error *err) {
    return train(w, "new.model", step_and_save, err);
}

static dip_status train_new(const world *w, dip_error *err) {
    return train(w, "new.model", whole_run, err);
}

static dip_status train_replace(const world *w, dip_error *err) {
    return train(w, "old.model", whole_run, err);
}

static dip_status ask_index(const dip_model *model, const dip_dataset *dataset, dip_error *err) {
    static const char *const NAMES[] = {"title", "tags", "price", "year", "brand"};
    static const char *const VALUES[] = {"a red Chair table", "red|t1", "4.5", "2003", "brand1"};
    dip_index *index = NULL;
    int64_t items[3];
    float scores[3];
    float vector[4];
    size_t found = 0;
    dip_status status = dip_index_build(&index, model, dataset, NULL, err);
    if (status == DIP_OK) {
        status = dip_index_recommend(index, "u1", 3, items, scores, &found, err);
    }
    if (status == DIP_OK) {
        status = dip_model_encode_features(model, "item", NAMES, VALUES, 5, vector, err);
    }
    if (status == DIP_OK) {
        status = dip_index_search(index, vector, 1, 3, items, scores, err);
    }
    dip_index_free(index);
    return status;
}

static dip_status evaluate(const dip_model *model, const dip_dataset *dataset, dip_error *err) {
    dip_config *config = NULL;
    dip_report *report = NULL;
    dip_status status = dip_model_config(model, &config, err);
    if (status == DIP_OK) {
        status = dip_evaluate(model, dataset, config, NULL, &report, err);
    }
    dip_report_free(report);
    dip_config_free(config);
    return status;
}

static dip_status serve(const world *w, dip_error *err) {
    dip_model *model = NULL;
    dip_dataset *dataset = NULL;
    dip_status status = dip_model_load(&model, w->model, err);
    if (status == DIP_OK) {
        status = dip_dataset_open(&dataset, dip_model_dataset_path(model), err);
    }
    if (status == DIP_OK) {
        status = ask_index(model, dataset, err);
    }
    if (status == DIP_OK) {
        status = evaluate(model, dataset, err);
    }
    dip_dataset_close(dataset);
    dip_model_free(model);
    return status;
}

static dip_status check(const world *w, dip_error *err) {
    dip_dataset *dataset = NULL;
    dip_config *config = NULL;
    dip_report *report = NULL;
    dip_status status = dip_dataset_open(&dataset, w->dataset, err);
    if (status == DIP_OK) {
        status = dip_dataset_config(dataset, &config, err);
    }
    if (status == DIP_OK) {
        status = dip_check(dataset, config, DIP_QUICK, NULL, &report, err);
    }
    dip_report_free(report);
    dip_config_free(config);
    dip_dataset_close(dataset);
    return status;
}

static dip_status inspect(const world *w, dip_error *err) {
    static const char *const PATHS[] = {"shop.dip", "model", "shop.dip/item-count.npy",
                                        "model/model.safetensors", "shop.yaml"};
    dip_status status = DIP_OK;
    for (size_t i = 0; i < sizeof PATHS / sizeof PATHS[0] && status == DIP_OK; i++) {
        dip_report *report = NULL;
        status = dip_inspect(world_path(w, PATHS[i]), &report, err);
        dip_report_free(report);
    }
    return status;
}

static dip_status generate(const world *w, const char *format, const char *output, dip_error *err) {
    const char *const settings[][2] = {{"items", "64"},  {"pairs", "150"},  {"queries", "70"},
                                       {"threads", "2"}, {"truth", "true"}, {"format", format}};
    dip_recipe *recipe = NULL;
    dip_report *report = NULL;
    dip_status status = dip_recipe_create(&recipe, err);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0] && status == DIP_OK; i++) {
        status = dip_recipe_set(recipe, settings[i][0], settings[i][1], err);
    }
    if (status == DIP_OK) {
        status = dip_generate(recipe, world_path(w, output), 0, NULL, &report, err);
    }
    dip_report_free(report);
    dip_recipe_free(recipe);
    return status;
}

static dip_status generate_dataset(const world *w, dip_error *err) {
    return generate(w, "dataset", "new.dip", err);
}

static dip_status generate_tables(const world *w, dip_error *err) {
    return generate(w, "tsv", "new.tables", err);
}

static dip_status thin_dataset(const world *w, dip_error *err) {
    static const dip_means MEANS = {.memory = SIZE_MAX, .threads = 1};
    dip_dataset *dataset = NULL;
    dip_status status = dip_dataset_open(&dataset, w->dataset, err);
    if (status == DIP_OK) {
        status = dip_thin(dataset, 0.5, world_path(w, "old.dip"), true, &MEANS, err);
    }
    dip_dataset_close(dataset);
    return status;
}

const scenario SCENARIOS[] = {
    {"prepare", prepare_new, "new.dip", NULL, false},
    {"prepare over an old dataset", prepare_replace, "old.dip", "shop.dip", false},
    {"open a dataset", open_dataset, NULL, NULL, false},
    {"two steps and a save", train_steps, "new.model", NULL, true},
    {"train", train_new, "new.model", NULL, true},
    {"train over an old model", train_replace, "old.model", "model", true},
    {"load, recommend, evaluate", serve, NULL, NULL, true},
    {"inspect", inspect, NULL, NULL, false},
    {"check", check, NULL, NULL, true},
    {"generate a dataset", generate_dataset, "new.dip", NULL, false},
    {"generate tables", generate_tables, "new.tables", NULL, false},
    {"prepare in little memory", prepare_spilled, "spilled.dip", NULL, false},
    {"thin over an old dataset", thin_dataset, "old.dip", "shop.dip", false},
};

const size_t N_SCENARIOS = sizeof SCENARIOS / sizeof SCENARIOS[0];

void scenario_reset(const scenario *s, const world *w) {
    if (s->output == NULL) {
        return;
    }
    if (s->old == NULL ||
        folder_hash(world_path(w, s->output)) != folder_hash(world_path(w, s->old))) {
        remove_tree(world_path(w, s->output));
    }
    if (s->old != NULL && folder_hash(world_path(w, s->output)) == 0) {
        copy_folder(world_path(w, s->old), world_path(w, s->output));
    }
}

static bool opens(const scenario *s, const char *path) {
    dip_dataset *dataset = NULL;
    dip_model *model = NULL;
    dip_report *report = NULL;
    const dip_status status =
        strstr(s->output, ".dip") != NULL      ? dip_dataset_open(&dataset, path, NULL)
        : strstr(s->output, ".tables") != NULL ? dip_inspect(path, &report, NULL)
                                               : dip_model_load(&model, path, NULL);
    dip_dataset_close(dataset);
    dip_model_free(model);
    dip_report_free(report);
    return status == DIP_OK;
}

const char *scenario_problem(const scenario *s, const world *w, uint64_t old, uint64_t new) {
    if (s->output == NULL) {
        return NULL;
    }
    const char *path = world_path(w, s->output);
    const uint64_t found = folder_hash(path);
    if (found != 0 && !opens(s, path)) {
        return "the output that is left cannot be opened";
    }
    return found == old || found == new
               ? NULL
               : "the output is neither what was there nor what should be written";
}
