/* SPDX-License-Identifier: Apache-2.0
 *
 * The library from end to end: prepare a project, train for a few steps, save, load, evaluate, and
 * recommend for a query.
 *
 *   cc train_and_recommend.c $(pkg-config --cflags --libs diptych) -o train_and_recommend
 *   ./train_and_recommend data/docs-small/project.yaml WORK_FOLDER
 */
#include <diptych.h>

#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 60, LIST = 5 };

/* Prints the error and ends: an example may, a library may not. */
static void check(dip_status status, const dip_error *err) {
    if (status != DIP_OK) {
        fprintf(stderr, "%s: %s\n", dip_status_name(status), err->message);
        exit((int)status);
    }
}

static void prepare(const char *project_path, const char *dataset_path) {
    dip_error err;
    dip_project *project = NULL;
    check(dip_project_load(&project, project_path, &err), &err);
    check(dip_prepare(project, dataset_path, DIP_REPLACE, NULL, NULL, &err), &err);
    dip_project_free(project);
}

static void train(const dip_dataset *dataset, const char *model_path) {
    dip_error err;
    dip_config *config = NULL;
    dip_trainer *trainer = NULL;
    check(dip_dataset_config(dataset, &config, &err), &err);
    check(dip_config_set(config, "ssl.method", "cfm", &err), &err);
    check(dip_config_set(config, "model.hidden", "128,32", &err), &err);
    check(dip_trainer_create(&trainer, dataset, config, &err), &err);
    for (int i = 0; i < STEPS; i++) {
        dip_step step;
        check(dip_trainer_step(trainer, &step, &err), &err);
        if (step.step % 20 == 0) {
            printf("step %lld: loss %.3f (main %.3f, self %.3f)\n", (long long)step.step, step.loss,
                   step.loss_main, step.loss_self);
        }
    }
    check(dip_trainer_save(trainer, model_path, DIP_REPLACE, &err), &err);
    dip_trainer_free(trainer);
    dip_config_free(config);
}

static void evaluate(const dip_model *model, const dip_dataset *dataset) {
    dip_error err;
    dip_config *config = NULL;
    dip_report *report = NULL;
    double recall = 0;
    double popular = 0;
    check(dip_model_config(model, &config, &err), &err);
    check(dip_evaluate(model, dataset, config, NULL, &report, &err), &err);
    check(dip_report_number(report, "all/recall@50", &recall, &err), &err);
    check(dip_report_number(report, "baselines/top_popular/all/recall@50", &popular, &err), &err);
    printf("recall@50: model %.3f, TopPopular %.3f\n", recall, popular);
    dip_report_free(report);
    dip_config_free(config);
}

static void recommend(const dip_model *model, const dip_dataset *dataset, const char *query) {
    dip_error err;
    dip_index *index = NULL;
    int64_t items[LIST];
    float scores[LIST];
    size_t found = 0;
    check(dip_index_build(&index, model, dataset, NULL, &err), &err);
    check(dip_index_recommend(index, query, LIST, items, scores, &found, &err), &err);
    if (found == 0) {
        fprintf(stderr, "nothing was found for %s\n", query);
        exit(DIP_ERR_FAILED);
    }
    printf("for %s:\n", query);
    for (size_t i = 0; i < found; i++) {
        size_t length = 0;
        const char *title = dip_dataset_item_title(dataset, items[i], &length);
        printf("  %.3f  %.*s\n", (double)scores[i], (int)length, title);
    }
    dip_index_free(index);
}

/* The id of a dataset's first item, NUL-terminated. */
static void first_id(const dip_dataset *dataset, char *text, size_t size) {
    size_t length = 0;
    const char *id = dip_dataset_item_id(dataset, 0, &length);
    snprintf(text, size, "%.*s", (int)length, id);
}

int main(int argc, char **argv) {
    char dataset_path[1024];
    char model_path[1024];
    char query[512];
    dip_error err;
    dip_dataset *dataset = NULL;
    dip_model *model = NULL;
    if (argc != 3) {
        fprintf(stderr, "usage: %s PROJECT.yaml WORK_FOLDER\n", argv[0]);
        return DIP_ERR_USAGE;
    }
    snprintf(dataset_path, sizeof dataset_path, "%s/example.dip", argv[2]);
    snprintf(model_path, sizeof model_path, "%s/example.model", argv[2]);
    prepare(argv[1], dataset_path);
    check(dip_dataset_open(&dataset, dataset_path, &err), &err);
    train(dataset, model_path);
    check(dip_model_load(&model, model_path, &err), &err);
    evaluate(model, dataset);
    first_id(dataset, query, sizeof query);
    recommend(model, dataset, query);
    dip_model_free(model);
    dip_dataset_close(dataset);
    return DIP_OK;
}
