/* SPDX-License-Identifier: Apache-2.0 */
#include "generate/columns.h"

#include "data/dataset.h"
#include "data/values.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Bytes that a row adds to any part. */
enum { ROW_MAX_BYTES = 160 };

/* ---- running a job --------------------------------------------------------------------------- */

typedef struct running {
    const dip_part_job *job;
    int64_t rows;
    bool as_offsets;
    int64_t total;
    dip_writer *writer;
} running;

static size_t fill(void *context, int64_t chunk, int thread, char *out) {
    const running *r = context;
    const int64_t end = (chunk + 1) * DIP_ROWS_A_CHUNK;
    int64_t state = r->job->base != NULL ? r->job->base[chunk] : 0;
    char *at = out;
    (void)thread;
    for (int64_t row = chunk * DIP_ROWS_A_CHUNK; row < end && row < r->rows; row++) {
        at = r->job->put(r->job, row, &state, at);
    }
    return (size_t)(at - out);
}

static dip_status take(void *context, int64_t chunk, const char *data, size_t bytes,
                       dip_error *err) {
    running *r = context;
    (void)chunk;
    if (!r->as_offsets) {
        return dip_writer_put(r->writer, data, bytes, err);
    }
    int64_t offset[DIP_ROWS_A_CHUNK];
    const size_t n = bytes / sizeof(int32_t);
    for (size_t i = 0; i < n; i++) {
        int32_t length = 0;
        memcpy(&length, data + i * sizeof length, sizeof length);
        r->total += length;
        offset[i] = r->total;
    }
    return dip_writer_put(r->writer, offset, n * sizeof offset[0], err);
}

static dip_status run(running *r, const char *name, dip_error *err) {
    char phase[DIP_PART_NAME_MAX + 16];
    dip_generation *g = r->job->g;
    r->rows = r->job->of_queries ? g->world.queries : g->world.items;
    snprintf(phase, sizeof phase, "making %s", name);
    const dip_chunks chunks = {.n = (r->rows + DIP_ROWS_A_CHUNK - 1) / DIP_ROWS_A_CHUNK,
                               .capacity = (size_t)DIP_ROWS_A_CHUNK * ROW_MAX_BYTES,
                               .threads = g->threads,
                               .watch = g->watch,
                               .phase = phase,
                               .unit = "rows",
                               .total = (uint64_t)r->rows,
                               .context = r,
                               .fill = fill,
                               .take = take};
    DIP_TRY(dip_chunks_run(&chunks, err));
    return dip_folder_end(&g->folder, err);
}

dip_status dip_put_text_part(const dip_part_job *job, const char *name, dip_error *err) {
    running r = {.job = job};
    DIP_TRY(dip_folder_begin(&job->g->folder, name, &r.writer, err));
    return run(&r, name, err);
}

dip_status dip_put_array_part(const dip_part_job *job, const char *name, dip_npy_type type,
                              int64_t elements, dip_error *err) {
    running r = {.job = job};
    DIP_TRY(dip_npy_begin(&job->g->folder, name, type, elements, 0, &r.writer, err));
    return run(&r, name, err);
}

dip_status dip_put_offsets_part(const dip_part_job *job, const char *name, int64_t *total,
                                dip_error *err) {
    running r = {.job = job, .as_offsets = true};
    const dip_world *world = &job->g->world;
    const int64_t rows = job->of_queries ? world->queries : world->items;
    DIP_TRY(dip_npy_begin(&job->g->folder, name, DIP_NPY_I64, rows + 1, 0, &r.writer, err));
    DIP_TRY(dip_writer_put(r.writer, &r.total, sizeof r.total, err));
    DIP_TRY(run(&r, name, err));
    *total = r.total;
    return DIP_OK;
}

/* ---- what rows put --------------------------------------------------------------------------- */

static char *put_i32(char *out, int32_t value) {
    memcpy(out, &value, sizeof value);
    return out + sizeof value;
}

static dip_cell cell_of(const dip_part_job *job, int64_t row) {
    const dip_world *world = &job->g->world;
    return job->of_queries ? dip_query_cell(world, row, (dip_query_feature)job->which)
                           : dip_item_cell(world, row, (dip_item_feature)job->which);
}

static bool trains(const dip_part_job *job, int64_t row) {
    return job->of_queries ? dip_generation_query_trains(job->g, row)
                           : dip_generation_item_trains(job->g, row);
}

static char *put_id(const dip_part_job *job, int64_t row, int64_t *state, char *out) {
    (void)state;
    return dip_value_text(&job->g->world, job->of_queries ? DIP_SPACE_QUERY : DIP_SPACE_ITEM, row,
                          out);
}

/* Ids have one training row each, so their vocabulary is in the order of their bytes, which is
 * that of the rows: the state counts the training rows. */
static char *put_id_code(const dip_part_job *job, int64_t row, int64_t *state, char *out) {
    return put_i32(out, trains(job, row) ? (int32_t)(*state)++ : -1);
}

static char *put_id_line(const dip_part_job *job, int64_t row, int64_t *state, char *out) {
    if (!trains(job, row)) {
        return out;
    }
    out = put_id(job, row, state, out);
    memcpy(out, "\t1\n", 3);
    return out + 3;
}

static char *put_title(const dip_part_job *job, int64_t row, int64_t *state, char *out) {
    (void)state;
    if (job->of_queries) {
        return out;
    }
    const dip_cell cell = dip_item_cell(&job->g->world, row, DIP_ITEM_TITLE);
    return dip_cell_text(&job->g->world, DIP_SPACE_WORD, &cell, ' ', out);
}

static char *put_id_length(const dip_part_job *job, int64_t row, int64_t *state, char *out) {
    char text[ROW_MAX_BYTES];
    return put_i32(out, (int32_t)(put_id(job, row, state, text) - text));
}

static char *put_title_length(const dip_part_job *job, int64_t row, int64_t *state, char *out) {
    char text[ROW_MAX_BYTES];
    return put_i32(out, (int32_t)(put_title(job, row, state, text) - text));
}

static char *put_code(const dip_part_job *job, int64_t row, int64_t *state, char *out) {
    (void)state;
    return put_i32(out, job->ranked->row[cell_of(job, row).value[0]]);
}

static char *put_bag(const dip_part_job *job, int64_t row, int64_t *state, char *out) {
    const dip_cell cell = cell_of(job, row);
    (void)state;
    for (int i = 0; i < cell.n; i++) {
        const int32_t code = job->ranked->row[cell.value[i]];
        out = code >= 0 ? put_i32(out, code) : out;
    }
    return out;
}

static char *put_bag_length(const dip_part_job *job, int64_t row, int64_t *state, char *out) {
    char codes[ROW_MAX_BYTES];
    const size_t bytes = (size_t)(put_bag(job, row, state, codes) - codes);
    return put_i32(out, (int32_t)(bytes / sizeof(int32_t)));
}

static char *put_price(const dip_part_job *job, int64_t row, int64_t *state, char *out) {
    const double price = cell_of(job, row).value[0] / 100.0;
    const float normal = (float)dip_values_normalise(job->feature, price);
    (void)state;
    memcpy(out, &normal, sizeof normal);
    return out + sizeof normal;
}

static char *put_bucket(const dip_part_job *job, int64_t row, int64_t *state, char *out) {
    (void)state;
    return put_i32(out, dip_values_bucket(job->feature, cell_of(job, row).value[0]));
}

static char *put_count(const dip_part_job *job, int64_t row, int64_t *state, char *out) {
    const int64_t count = dip_generation_count(job->g, row);
    (void)state;
    memcpy(out, &count, sizeof count);
    return out + sizeof count;
}

static char *put_trains(const dip_part_job *job, int64_t row, int64_t *state, char *out) {
    (void)state;
    *out = (char)trains(job, row);
    return out + 1;
}

/* ---- a side ---------------------------------------------------------------------------------- */

static const char *prefix_of(const dip_part_job *job) {
    return job->of_queries ? "query" : "item";
}

static dip_status put_strings(dip_part_job job, const char *stem, bool titles, dip_error *err) {
    char name[DIP_PART_NAME_MAX];
    int64_t total = 0;
    snprintf(name, sizeof name, "%s-%s.offsets.npy", prefix_of(&job), stem);
    job.put = titles ? put_title_length : put_id_length;
    DIP_TRY(dip_put_offsets_part(&job, name, &total, err));
    snprintf(name, sizeof name, "%s-%s.bytes.npy", prefix_of(&job), stem);
    job.put = titles ? put_title : put_id;
    return dip_put_array_part(&job, name, DIP_NPY_U8, total, err);
}

static dip_status put_bag_column(dip_part_job job, dip_error *err) {
    char name[DIP_PART_NAME_MAX];
    int64_t total = 0;
    const char *feature = job.feature->name;
    dip_part_name(name, prefix_of(&job), (size_t)job.which, feature, ".offsets.npy");
    job.put = put_bag_length;
    DIP_TRY(dip_put_offsets_part(&job, name, &total, err));
    dip_part_name(name, prefix_of(&job), (size_t)job.which, feature, ".values.npy");
    job.put = put_bag;
    return dip_put_array_part(&job, name, DIP_NPY_I32, total, err);
}

static dip_status put_column(dip_part_job job, dip_error *err) {
    char name[DIP_PART_NAME_MAX];
    if (dip_feature_is_bag(job.feature)) {
        return put_bag_column(job, err);
    }
    const bool is_plain = job.feature->table < 0;
    const int64_t rows = job.of_queries ? job.g->world.queries : job.g->world.items;
    dip_part_name(name, prefix_of(&job), (size_t)job.which, job.feature->name, ".npy");
    job.put = job.feature->type == DIP_FEATURE_ID ? put_id_code
              : is_plain                          ? put_price
              : job.feature->buckets > 0          ? put_bucket
                                                  : put_code;
    return dip_put_array_part(&job, name, is_plain ? DIP_NPY_F32 : DIP_NPY_I32, rows, err);
}

static dip_part_job job_of(dip_generation *g, const dip_fitted *fitted, const dip_entity *entity,
                           bool of_queries, int feature) {
    return (dip_part_job){.g = g,
                          .fitted = fitted,
                          .feature = &entity->features[feature],
                          .ranked = of_queries ? &fitted->query[feature] : &fitted->item[feature],
                          .which = feature,
                          .of_queries = of_queries,
                          .base = of_queries ? fitted->query_base : fitted->item_base};
}

dip_status dip_put_side(dip_generation *g, const dip_fitted *fitted, const dip_schema *schema,
                        bool of_queries, dip_error *err) {
    const dip_entity *entity = of_queries ? &schema->queries : &schema->items;
    DIP_TRY(put_strings(job_of(g, fitted, entity, of_queries, 0), "ids", false, err));
    DIP_TRY(put_strings(job_of(g, fitted, entity, of_queries, 0), "titles", true, err));
    for (size_t f = 0; f < entity->n_features; f++) {
        DIP_TRY(put_column(job_of(g, fitted, entity, of_queries, (int)f), err));
    }
    return DIP_OK;
}

static dip_status put_ranked(dip_generation *g, const dip_ranked *ranked, const char *name,
                             dip_error *err) {
    dip_writer *writer = NULL;
    DIP_TRY(dip_folder_begin(&g->folder, name, &writer, err));
    for (int64_t row = 0; row < ranked->kept; row++) {
        char line[2 * DIP_VALUE_TEXT_MAX];
        const int32_t value = ranked->value[row];
        char *end = dip_value_text(&g->world, ranked->space, value, line);
        *end++ = '\t';
        end = dip_put_number(end, (uint64_t)ranked->count[value]);
        *end++ = '\n';
        DIP_TRY(dip_writer_put(writer, line, (size_t)(end - line), err));
    }
    return dip_folder_end(&g->folder, err);
}

dip_status dip_put_vocabularies(dip_generation *g, const dip_fitted *fitted,
                                const dip_schema *schema, bool of_queries, dip_error *err) {
    const dip_entity *entity = of_queries ? &schema->queries : &schema->items;
    for (size_t f = 0; f < entity->n_features; f++) {
        char name[DIP_PART_NAME_MAX];
        const int t = entity->features[f].table;
        if (t < 0 || !schema->tables[t].is_vocabulary) {
            continue;
        }
        dip_part_job job = job_of(g, fitted, entity, of_queries, (int)f);
        dip_part_name(name, "vocab", (size_t)t, schema->tables[t].name, ".tsv");
        job.put = put_id_line;
        DIP_TRY(f == 0 ? dip_put_text_part(&job, name, err) : put_ranked(g, job.ranked, name, err));
    }
    return DIP_OK;
}

dip_status dip_put_counts(dip_generation *g, dip_error *err) {
    dip_part_job job = {.g = g, .put = put_count};
    DIP_TRY(dip_put_array_part(&job, "item-count.npy", DIP_NPY_I64, g->world.items, err));
    job.put = put_trains;
    return dip_put_array_part(&job, "item-trains.npy", DIP_NPY_U8, g->world.items, err);
}
