/* SPDX-License-Identifier: Apache-2.0 */
#include "plain.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    SAMPLED_BATCHES = 4,
    FLOAT_BYTES = 4,
    CODE_BYTES = 4,
    OFFSET_BYTES = 16, /* begin and end of a bag */
    ROW_UPDATE = 4,    /* value and accumulator, each read and written */
    /* An activation is written once and read by two products; so is its gradient. */
    ACTIVATION_TOUCHES = 6,
    WEIGHT_PASS = 2,  /* read forward and backward, in each pass */
    WEIGHT_STEP = 6,  /* gradient written and read; value and accumulator read and written */
    LOGIT_TOUCHES = 5 /* product; softmax in place; two products back */
};

/* The second loss: how many views, and whether each feature is alive in just one of them. */
typedef struct second_loss {
    size_t n; /* views */
    bool is_complementary;
    double dropout;
} second_loss;

static second_loss second_of(const dip_config *config) {
    second_loss second = {.n = 2, .is_complementary = true, .dropout = config->ssl.dropout};
    switch (config->ssl.method) {
    case DIP_METHOD_NONE:
    case DIP_METHOD_FEATURE_DROPOUT:
        return (second_loss){0, false, 0};
    case DIP_METHOD_SPREAD_OUT:
    case DIP_METHOD_SPREAD_OUT_SQUARE:
    case DIP_METHOD_SPREAD_OUT_MOMENTS:
    case DIP_METHOD_NOISE:
        return (second_loss){1, false, 0};
    case DIP_METHOD_CFM_NO_COMPLEMENT:
    case DIP_METHOD_RFM_NO_COMPLEMENT:
    case DIP_METHOD_DROPOUT:
        second.is_complementary = false;
        break;
    case DIP_METHOD_CFM_NO_DROPOUT:
        second.dropout = 0;
        break;
    default:
        break;
    }
    return second;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static size_t input_width(const dip_entity *entity, const dip_config *config) {
    size_t width = 0;
    for (size_t f = 0; f < entity->n_features; f++) {
        width += entity->features[f].table < 0 ? 1 : (size_t)config->model.dim;
    }
    return width;
}

/* Elements of all weight matrices of a tower. */
static double weights_of(size_t width, const dip_config *config) {
    double sum = 0;
    double in = (double)width;
    for (size_t l = 0; l < config->model.hidden.n; l++) {
        const double out = (double)config->model.hidden.value[l];
        sum += in * out;
        in = out;
    }
    return sum;
}

static double activations_of(size_t width, const dip_config *config) {
    double sum = (double)width;
    for (size_t l = 0; l < config->model.hidden.n; l++) {
        sum += (double)config->model.hidden.value[l];
    }
    return sum;
}

/* Each product of the forward pass has two of the same size in the backward pass. */
static void add_shapes(const dip_dataset *dataset, const dip_config *config, plain_cost *cost) {
    const second_loss second = second_of(config);
    const double batch = (double)config->train.batch;
    const double d = (double)config->model.hidden.value[config->model.hidden.n - 1];
    const size_t query = input_width(dip_schema_entity(&dataset->schema, DIP_SIDE_QUERY), config);
    const size_t item = input_width(&dataset->schema.items, config);
    const double item_passes = 1 + (double)second.n;
    const double losses = second.n > 0 ? 2 : 1;
    const double product = 3 * 2;
    const double all_weights = weights_of(query, config) + item_passes * weights_of(item, config);
    const bool is_one_tower = config->model.share == DIP_SHARE_ALL;
    const double kept_weights =
        weights_of(item, config) + (is_one_tower ? 0 : weights_of(query, config));
    cost->operations = product * (all_weights + losses * batch * d);
    cost->bytes_activations =
        FLOAT_BYTES * ACTIVATION_TOUCHES *
        (activations_of(query, config) + item_passes * activations_of(item, config));
    cost->bytes_weights =
        FLOAT_BYTES * (WEIGHT_PASS * all_weights + WEIGHT_STEP * kept_weights) / batch;
    cost->bytes_logits = FLOAT_BYTES * LOGIT_TOUCHES * losses * batch;
}

/* ---- values ---------------------------------------------------------------------------------- */

typedef struct lookups {
    const dip_dataset *dataset;
    uint64_t state;
    int32_t **seen; /* [tables] rows looked up in the batch */
    size_t *n_seen;
    size_t *capacity;
    double values;
    double distinct;
    double codes; /* bytes */
} lookups;

/* SplitMix64 (Steele et al., OOPSLA 2014). */
static uint64_t next_random(lookups *sample) {
    uint64_t z = (sample->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(lookups *sample, int64_t n) {
    return (size_t)(next_random(sample) % (uint64_t)n);
}

static dip_status see(lookups *sample, int table, int32_t code, dip_error *err) {
    const size_t t = (size_t)table;
    DIP_TRY(dip_grow((void **)&sample->seen[t], &sample->capacity[t], sample->n_seen[t] + 1,
                     sizeof **sample->seen, "rows of a batch", err));
    sample->seen[t][sample->n_seen[t]++] = code;
    sample->values++;
    return DIP_OK;
}

/* One feature of one row, its values dropped with probability `dropout`. */
static dip_status see_feature(lookups *sample, const dip_feature *feature, const dip_column *column,
                              size_t row, double dropout, dip_error *err) {
    sample->codes += CODE_BYTES;
    if (feature->table < 0) {
        return DIP_OK;
    }
    if (column->offsets == NULL) {
        const int32_t code = column->codes[row];
        return code >= 0 ? see(sample, feature->table, code, err) : DIP_OK;
    }
    sample->codes +=
        OFFSET_BYTES + CODE_BYTES * (double)(column->offsets[row + 1] - column->offsets[row]);
    for (int64_t i = column->offsets[row]; i < column->offsets[row + 1]; i++) {
        if ((double)(next_random(sample) >> 11) * 0x1p-53 >= dropout) {
            DIP_TRY(see(sample, feature->table, column->codes[i], err));
        }
    }
    return DIP_OK;
}

static dip_status see_row(lookups *sample, dip_side side, size_t row, double dropout,
                          dip_error *err) {
    const dip_entity *entity = dip_schema_entity(&sample->dataset->schema, side);
    const dip_rows *rows = dip_dataset_rows(sample->dataset, side);
    for (size_t f = 0; f < entity->n_features; f++) {
        DIP_TRY(see_feature(sample, &entity->features[f], &rows->columns[f], row, dropout, err));
    }
    return DIP_OK;
}

static int order_codes(const void *a, const void *b) {
    const int32_t x = *(const int32_t *)a;
    const int32_t y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void count_distinct(lookups *sample) {
    for (size_t t = 0; t < sample->dataset->schema.n_tables; t++) {
        int32_t *seen = sample->seen[t];
        const size_t n = sample->n_seen[t];
        if (n == 0) {
            continue;
        }
        qsort(seen, n, sizeof *seen, order_codes);
        for (size_t i = 0; i < n; i++) {
            sample->distinct += i == 0 || seen[i] != seen[i - 1];
        }
        sample->n_seen[t] = 0;
    }
}

static dip_status draw_batch(lookups *sample, const dip_config *config, dip_error *err) {
    const dip_dataset *dataset = sample->dataset;
    const second_loss second = second_of(config);
    for (int64_t i = 0; i < config->train.batch; i++) {
        const int32_t *pair = dataset->pairs[0] + 2 * below(sample, dataset->n_pairs[0]);
        DIP_TRY(see_row(sample, DIP_SIDE_QUERY, (size_t)pair[0], 0, err));
        DIP_TRY(see_row(sample, DIP_SIDE_ITEM, (size_t)pair[1], 0, err));
        /* Complementary views look each feature up in one of the two. */
        for (size_t v = 0; v < (second.is_complementary ? 1 : second.n); v++) {
            const size_t row = below(sample, dataset->items.n);
            DIP_TRY(see_row(sample, DIP_SIDE_ITEM, row, second.dropout, err));
        }
    }
    count_distinct(sample);
    return DIP_OK;
}

static dip_status draw_batches(lookups *sample, const dip_config *config, dip_error *err) {
    const size_t n = sample->dataset->schema.n_tables;
    sample->seen = dip_alloc(n, sizeof *sample->seen, "rows of a batch", err);
    sample->n_seen = dip_alloc(n, sizeof *sample->n_seen, "rows of a batch", err);
    sample->capacity = dip_alloc(n, sizeof *sample->capacity, "rows of a batch", err);
    if (sample->seen == NULL || sample->n_seen == NULL || sample->capacity == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (int i = 0; i < SAMPLED_BATCHES; i++) {
        DIP_TRY(draw_batch(sample, config, err));
    }
    return DIP_OK;
}

static void free_sample(lookups *sample) {
    for (size_t t = 0; sample->seen != NULL && t < sample->dataset->schema.n_tables; t++) {
        dip_free(sample->seen[t]);
    }
    dip_free(sample->seen);
    dip_free(sample->n_seen);
    dip_free(sample->capacity);
}

dip_status plain_cost_of(const dip_dataset *dataset, const dip_config *config, plain_cost *cost,
                         dip_error *err) {
    lookups sample = {.dataset = dataset, .state = 1};
    const dip_status status = draw_batches(&sample, config, err);
    free_sample(&sample);
    if (status != DIP_OK) {
        return status;
    }
    const double examples = (double)SAMPLED_BATCHES * (double)config->train.batch;
    memset(cost, 0, sizeof *cost);
    cost->values = sample.values / examples;
    cost->rows = sample.distinct / examples;
    cost->bytes_rows =
        FLOAT_BYTES * (double)config->model.dim * (cost->values + ROW_UPDATE * cost->rows);
    cost->bytes_codes = sample.codes / examples;
    add_shapes(dataset, config, cost);
    cost->bytes =
        cost->bytes_rows + cost->bytes_codes + cost->bytes_activations + cost->bytes_weights;
    return DIP_OK;
}
