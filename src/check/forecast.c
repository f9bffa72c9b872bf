/* SPDX-License-Identifier: Apache-2.0 */
#include "check/forecast.h"

#include "base/mem.h"
#include "evaluate/questions.h"
#include "train/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Memory of the program itself, its libraries and a few pages of each thread's stack: the peak RSS
 * of small trainings, less what is counted below, was 13 to 19 MB. */
static const double PROGRAM_BYTES = 17e6;

/* Rows that evaluation encodes at a time. */
enum { ENCODE_ROWS = 2048 };

static bool is_step_table(const dip_param *param) {
    return param->kind == DIP_PARAM_TABLE;
}

/* ---- tensors --------------------------------------------------------------------------------- */

static size_t states_of(int optimizer) {
    switch (optimizer) {
    case DIP_OPTIMIZER_SGD:
        return 0;
    case DIP_OPTIMIZER_ADAM:
        return 2;
    default:
        return 1;
    }
}

/* Elements of the optimizer's state of one tensor, with its running mean where one is kept. */
static double state_size(const dip_config *config, const dip_param *param) {
    const int optimizer = config->train.optimizer;
    const bool is_by_row = optimizer == DIP_OPTIMIZER_ROWWISE_ADAGRAD && is_step_table(param);
    const double n = (double)param->rows * (double)param->columns;
    const double mean = config->train.average > 0 ? n : 0;
    return mean + (is_by_row ? (double)param->rows : (double)states_of(optimizer) * n);
}

static void add_tensors(const dip_params *params, const dip_config *config, dip_forecast *f) {
    for (size_t i = 0; i < params->n; i++) {
        const dip_param *param = &params->list[i];
        const double n = (double)param->rows * (double)param->columns;
        const double state = state_size(config, param);
        f->parameters += n;
        f->memory.tables += is_step_table(param) ? sizeof(dip_real) * n : 0;
        f->memory.layers += is_step_table(param) ? 0 : 2 * sizeof(dip_real) * n;
        f->memory.optimizer += sizeof(dip_real) * state;
        f->checkpoint_bytes += sizeof(float) * (n + state);
    }
    f->model_bytes = sizeof(float) * f->parameters;
}

static dip_status put_tensors(const dip_params *params, json_t *forecast, dip_error *err) {
    json_t *object = NULL;
    json_t *tables = NULL;
    double dense = 0;
    double total = 0;
    DIP_TRY(dip_json_put_object(forecast, "parameters", &object, err));
    DIP_TRY(dip_json_put_array(object, "tables", &tables, err));
    for (size_t i = 0; i < params->n; i++) {
        const dip_param *param = &params->list[i];
        const double n = (double)param->rows * (double)param->columns;
        json_t *table = NULL;
        total += n;
        dense += is_step_table(param) ? 0 : n;
        if (is_step_table(param)) {
            DIP_TRY(dip_json_append_object(tables, &table, err));
            DIP_TRY(dip_put_text(table, "name", param->name, err));
            DIP_TRY(dip_put_integer(table, "rows", (int64_t)param->rows, err));
            DIP_TRY(dip_put_integer(table, "width", (int64_t)param->columns, err));
            DIP_TRY(dip_put_real(table, "parameters", n, err));
        }
    }
    DIP_TRY(dip_put_real(object, "layers", dense, err));
    return dip_put_real(object, "total", total, err);
}

/* ---- buffers --------------------------------------------------------------------------------- */

/* Values of all features of a row that have a table. */
static double values_a_row(const dip_entity *entity, const dip_feature_facts *facts) {
    double values = 0;
    for (size_t f = 0; f < entity->n_features; f++) {
        values += entity->features[f].table >= 0 ? facts[f].mean_values : 0;
    }
    return values;
}

/* Occurrences of table rows in a step: each is a term twice (the sort needs two lists), a place,
 * and a kept value; lists have a quarter of room. */
static double sparse_bytes(const dip_checkup *check, const dip_config *config) {
    const dip_schema *schema = &check->dataset->schema;
    const double item = values_a_row(&schema->items, check->items);
    const double query =
        schema->queries_are_items ? item : values_a_row(&schema->queries, check->queries);
    const int method = config->ssl.method;
    const bool is_complementary =
        method == DIP_METHOD_CFM || method == DIP_METHOD_RFM || method == DIP_METHOD_CFM_NO_DROPOUT;
    const bool has_views = dip_method_has_views(method);
    const double both = dip_engine_has_queries(config) ? query : 0;
    const double views = !dip_engine_has_second_loss(config) ? 0
                         : has_views && !is_complementary    ? 2
                                                             : 1;
    const double extra = config->train.extra_negatives == DIP_EXTRA_ITEMS ? 1 : 0;
    const double values = (double)config->train.batch * (item + query) +
                          (double)config->ssl.batch * (item * (views + extra) + both * views);
    return 1.25 * values * (2 * sizeof(dip_term) + sizeof(size_t) + sizeof(int32_t));
}

static double rows_of_ids(const dip_schema *schema, const dip_entity *entity, uint64_t ids) {
    double rows = 0;
    for (; ids != 0; ids &= ids - 1) {
        const dip_feature *feature = &entity->features[__builtin_ctzll(ids)];
        rows += (double)schema->tables[feature->table].rows;
    }
    return rows;
}

/* A byte for each row of the ids, where rare ones are marked (model/rare.h). */
static double bytes_of_marks(const dip_schema *schema, const dip_config *config) {
    const bool has_two = schema->queries_are_items && config->model.share == DIP_SHARE_NONE;
    const uint64_t item_ids = config->train.id_min_pairs > 0 ? dip_schema_spare_ids(schema) : 0;
    const double items = rows_of_ids(schema, &schema->items, item_ids);
    const bool has_queries = !schema->queries_are_items && config->train.query_min_pairs > 0;
    const double queries =
        has_queries ? rows_of_ids(schema, &schema->queries, dip_entity_ids(&schema->queries)) : 0;
    return has_two ? 2 * items : items + queries;
}

/* Makes a trainer whose tables have one row each, and counts what it asks for; codes are not for
 * such tables, so that no ids are marked. `config` gets the batches that the data allow. */
static dip_status measure_buffers(const dip_checkup *check, dip_config *config, double *bytes,
                                  dip_error *err) {
    const size_t n = check->dataset->schema.n_tables;
    dip_dataset small = *check->dataset;
    dip_trainer trainer;
    dip_forecast own = {0};
    small.schema.tables = dip_alloc(n, sizeof *small.schema.tables, "tables", err);
    if (small.schema.tables == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t t = 0; t < n; t++) {
        small.schema.tables[t] = check->dataset->schema.tables[t];
        small.schema.tables[t].rows = 1;
    }
    const int64_t least = config->train.id_min_pairs;
    const int64_t least_of_queries = config->train.query_min_pairs;
    const double marks = bytes_of_marks(&check->dataset->schema, config);
    config->train.table_folder[0] = '\0';
    config->train.id_min_pairs = 0;
    config->train.query_min_pairs = 0;
    const uint64_t before = dip_mem_bytes();
    const dip_status status = dip_trainer_init(&trainer, &small, config, err);
    if (status == DIP_OK) {
        const uint64_t after = dip_mem_bytes();
        add_tensors(&dip_engine_towers(trainer.engine)->params, config, &own);
        *bytes = (double)(after - before) + marks - own.memory.tables - own.memory.layers -
                 own.memory.optimizer;
        *config = trainer.config;
        dip_trainer_release(&trainer);
    }
    config->train.id_min_pairs = least;
    config->train.query_min_pairs = least_of_queries;
    dip_free(small.schema.tables);
    return status;
}

/* Training pairs of the queries that the validation asks for. */
static double pairs_of_validated(const dip_checkup *check) {
    const dip_dataset *dataset = check->dataset;
    int64_t count = 0;
    for (int64_t i = 0; i < dataset->n_pairs[0]; i++) {
        const int32_t *pair = dataset->pairs[0] + 2 * i;
        count += (check->query_facts[pair[0]] & DIP_FACT_VALIDATED) != 0;
        if (dip_walk_ends(i)) {
            dip_dataset_pass(dataset, pair);
        }
    }
    return (double)count;
}

/* Questions of the validation split stay for the whole run (questions.c). Making them sorts the
 * training pairs of its queries, and each validation encodes the catalogue and ranks it: the larger
 * of the two comes on top. */
static double validation_bytes(const dip_checkup *check, const dip_config *config,
                               const dip_tower *tower) {
    const double nt = pairs_of_validated(check);
    const double nv = (double)check->dataset->n_pairs[1];
    const double m = (double)check->dataset->items.n;
    const double q = (double)check->n_valid_asked;
    const double d = (double)tower->output;
    const double k = (double)config->train.metric_k;
    if (nv == 0) {
        return 0;
    }
    double width = (double)tower->input + 2 * d;
    for (size_t l = 0; l < tower->n_layers; l++) {
        width += (double)tower->layer[l].out;
    }
    const double kept = 16 * nv + 8 * q + 4 * (nt + q) + m;
    const double sorting = 16 * (nt > nv ? nt : nv);
    const double ordering = 40 * m;
    const double ranking = 4 * d * (m + q) + 12 * q * k + 160 * q + 4 * ENCODE_ROWS * width;
    const double making = sorting > ordering ? sorting : ordering;
    return kept + (making > ranking ? making : ranking);
}

/* ---- files ----------------------------------------------------------------------------------- */

/* Pages of a part that training keeps in memory at most. Large parts are let go after they have
 * been checked; then columns are looked up at random, training pairs by windows, the rest never. */
static double pages_of(const char *name, double bytes, const dip_config *config) {
    const double rest = 2 * DIP_MAP_PIECE;
    if (strncmp(name, "vocab-", strlen("vocab-")) == 0) {
        return 0;
    }
    if (bytes <= DIP_MAP_LARGE) {
        return bytes;
    }
    if (strcmp(name, "pairs-train.npy") == 0) {
        const double windows = 16 * (double)config->train.shuffle_window;
        return windows > 0 && windows < bytes ? windows : bytes;
    }
    const bool is_text =
        strncmp(name, "item-ids", 8) == 0 || strncmp(name, "item-titles", 11) == 0 ||
        strncmp(name, "query-ids", 9) == 0 || strncmp(name, "query-titles", 12) == 0;
    return is_text || strncmp(name, "pairs-", strlen("pairs-")) == 0 ? rest : bytes;
}

static void add_files(const dip_checkup *check, const dip_config *config, dip_forecast *f) {
    const char *name = NULL;
    json_t *part = NULL;
    json_object_foreach(json_object_get(check->dataset->folder.manifest, "parts"), name, part) {
        const double bytes = (double)json_integer_value(json_object_get(part, "bytes"));
        f->memory.dataset += pages_of(name, bytes, config);
        f->model_bytes += strncmp(name, "vocab-", strlen("vocab-")) == 0 ? bytes : 0;
    }
}

/* A system without /proc, or where it cannot be read, does not say what is available. */
static dip_status ask_machine(dip_forecast *f, dip_error *err) {
    char *text = NULL;
    size_t bytes = 0;
    dip_error why = {DIP_OK, ""};
    f->machine_total = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    const dip_status status = dip_read_file("/proc/meminfo", 1 << 20, &text, &bytes, &why);
    if (status == DIP_ERR_MEMORY) {
        return dip_fail(err, status, "%s", why.message);
    }
    if (status != DIP_OK) {
        return DIP_OK;
    }
    const char *found = strstr(text, "MemAvailable:");
    f->machine_available = found != NULL ? 1024 * strtod(found + strlen("MemAvailable:"), NULL) : 0;
    dip_free(text);
    return DIP_OK;
}

/* ---- the report ------------------------------------------------------------------------------ */

static dip_status put_memory(const dip_checkup *check, const dip_forecast *f, bool in_folder,
                             json_t *forecast, dip_error *err) {
    const dip_memory_forecast *m = &f->memory;
    const struct {
        const char *key;
        double bytes;
    } rows[] = {{"tables", m->tables},
                {"optimizer", m->optimizer},
                {"layers", m->layers},
                {"buffers", m->buffers},
                {"sparse", m->sparse},
                {"validation", m->validation},
                {"dataset", m->dataset},
                {"program", m->program},
                {"total", m->total},
                {"machine_total", f->machine_total},
                {"machine_available", f->machine_available}};
    json_t *object = NULL;
    DIP_TRY(dip_json_put_object(forecast, "memory", &object, err));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        DIP_TRY(dip_put_real(object, rows[i].key, rows[i].bytes, err));
    }
    const double needed = m->total - m->dataset - (in_folder ? m->tables + m->optimizer : 0);
    if (f->machine_total > 0 && needed > f->machine_total) {
        return dip_find(check, DIP_PROBLEM, "memory",
                        "Set train.table_folder to a folder on a fast disk, lower model.dim, raise "
                        "min_count, or set train.optimizer: rowwise-adagrad.",
                        err, "Training needs %.1f GB; this machine has %.1f GB.", needed / 1e9,
                        f->machine_total / 1e9);
    }
    if (f->machine_available > 0 && needed > f->machine_available) {
        return dip_find(check, DIP_WARNING, "memory", "End other programs before training.", err,
                        "Training needs %.1f GB; %.1f GB are free now.", needed / 1e9,
                        f->machine_available / 1e9);
    }
    return DIP_OK;
}

/* The model beside the one that it replaces, the checkpoints that are kept, that of the model at
 * the output, and one more while it is written. */
static dip_status put_disk(const dip_checkup *check, const dip_config *config,
                           const dip_forecast *f, json_t *forecast, dip_error *err) {
    const bool has_checkpoints = config->train.checkpoint_every > 0;
    const double count = has_checkpoints ? (double)config->train.checkpoint_keep + 2 : 1;
    const bool in_folder = check->config->train.table_folder[0] != '\0';
    const double tables = in_folder ? f->memory.tables + f->memory.optimizer : 0;
    const double most = 2 * f->model_bytes + count * f->checkpoint_bytes;
    struct statvfs disk;
    json_t *object = NULL;
    const bool is_known = statvfs(check->dataset->folder.path, &disk) == 0;
    const double room = is_known ? (double)disk.f_bavail * (double)disk.f_frsize : 0;
    DIP_TRY(dip_json_put_object(forecast, "disk", &object, err));
    DIP_TRY(dip_put_real(object, "model", f->model_bytes, err));
    DIP_TRY(dip_put_real(object, "checkpoint", f->checkpoint_bytes, err));
    DIP_TRY(dip_put_real(object, "checkpoints_at_most", count, err));
    DIP_TRY(dip_put_real(object, "table_folder", tables, err));
    DIP_TRY(dip_put_real(object, "at_most", most, err));
    DIP_TRY(dip_put_real(object, "free", room, err));
    if (is_known && most > room) {
        return dip_find(check, DIP_WARNING, "disk",
                        "Write the model to a larger disk, or keep fewer checkpoints "
                        "(train.checkpoint_keep).",
                        err, "The run writes up to %.1f GB; the dataset's disk has %.1f GB free.",
                        most / 1e9, room / 1e9);
    }
    return DIP_OK;
}

static void add_total(dip_memory_forecast *m) {
    m->program = PROGRAM_BYTES;
    m->total = m->tables + m->optimizer + m->layers + m->buffers + m->sparse + m->validation +
               m->dataset + m->program;
}

static dip_status fill(const dip_checkup *check, const dip_towers *towers, dip_config *config,
                       json_t *forecast, dip_error *err) {
    dip_forecast f = {0};
    const bool in_folder = config->train.table_folder[0] != '\0';
    dip_error why = {DIP_OK, ""};
    DIP_TRY(put_tensors(&towers->params, forecast, err));
    add_tensors(&towers->params, config, &f);
    const dip_status status = measure_buffers(check, config, &f.memory.buffers, &why);
    if (status == DIP_ERR_USAGE || status == DIP_ERR_FAILED) {
        DIP_TRY(dip_put_text(forecast, "refused", why.message, err));
        return dip_find(check, DIP_PROBLEM, "training", "Change the options or the data.", err,
                        "Training would be refused: %s", why.message);
    }
    if (status != DIP_OK) {
        return dip_fail(err, status, "%s", why.message);
    }
    f.memory.sparse = sparse_bytes(check, config);
    f.memory.validation = validation_bytes(check, config, &towers->item);
    add_files(check, config, &f);
    add_total(&f.memory);
    DIP_TRY(ask_machine(&f, err));
    DIP_TRY(put_memory(check, &f, in_folder, forecast, err));
    DIP_TRY(put_disk(check, config, &f, forecast, err));
    return dip_check_time(check, &f, forecast, err);
}

dip_status dip_check_forecast(dip_checkup *check, dip_error *err) {
    dip_config config = *check->config;
    dip_towers towers;
    dip_error why = {DIP_OK, ""};
    json_t *forecast = NULL;
    DIP_TRY(dip_json_put_object(check->report, "forecast", &forecast, err));
    dip_status status = dip_towers_create(&towers, &check->dataset->schema, check->config, &why);
    if (status == DIP_ERR_USAGE) {
        DIP_TRY(dip_put_text(forecast, "refused", why.message, err));
        return dip_find(check, DIP_PROBLEM, "training", "Change the option.", err,
                        "Training would be refused: %s", why.message);
    }
    if (status != DIP_OK) {
        return dip_fail(err, status, "%s", why.message);
    }
    status = fill(check, &towers, &config, forecast, err);
    dip_towers_free(&towers);
    return status;
}
