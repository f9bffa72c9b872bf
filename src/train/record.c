/* SPDX-License-Identifier: Apache-2.0 */
#include "train/record.h"

#include "engine/engine.h"

#include <stddef.h>
#include <stdio.h>

/* Steps between two lines of metrics.jsonl. */
enum { METRICS_EVERY = 10 };

typedef struct field {
    const char *key;
    size_t offset;
    int64_t low; /* of integers */
} field;

#define AT(member) offsetof(dip_record, member)

static const field INTEGERS[] = {
    {"last_step", AT(last.step), 0},    {"last_epoch", AT(last.epoch), 0},
    {"examples", AT(last.examples), 0}, {"epochs", AT(epochs), 0},
    {"best_epoch", AT(best_epoch), -1}, {"saved_step", AT(saved_step), 0},
    {"skipped", AT(skipped), 0},        {"skipped_in_a_row", AT(skipped_in_a_row), 0}};

static const field NUMBERS[] = {{"loss", AT(last.loss), 0},
                                {"loss_main", AT(last.loss_main), 0},
                                {"loss_self", AT(last.loss_self), 0},
                                {"rate", AT(last.rate), 0},
                                {"best", AT(best), 0},
                                {"gradient_norm", AT(last.gradient_norm), 0}};

static const field SWITCHES[] = {{"is_saved", AT(is_saved), 0}, {"replaces", AT(replaces), 0}};

enum {
    N_INTEGERS = sizeof INTEGERS / sizeof INTEGERS[0],
    N_NUMBERS = sizeof NUMBERS / sizeof NUMBERS[0],
    N_SWITCHES = sizeof SWITCHES / sizeof SWITCHES[0]
};

dip_record dip_record_new(bool replaces) {
    return (dip_record){.best_epoch = -1, .replaces = replaces};
}

dip_status dip_record_to_json(const dip_record *record, json_t *object, dip_error *err) {
    const char *base = (const char *)record;
    for (size_t i = 0; i < N_INTEGERS; i++) {
        const int64_t *value = (const void *)(base + INTEGERS[i].offset);
        DIP_TRY(dip_json_set(object, INTEGERS[i].key, json_integer(*value), err));
    }
    for (size_t i = 0; i < N_NUMBERS; i++) {
        const double *value = (const void *)(base + NUMBERS[i].offset);
        DIP_TRY(dip_json_set(object, NUMBERS[i].key, json_real(*value), err));
    }
    for (size_t i = 0; i < N_SWITCHES; i++) {
        const bool *value = (const void *)(base + SWITCHES[i].offset);
        DIP_TRY(dip_json_set(object, SWITCHES[i].key, json_boolean(*value), err));
    }
    return DIP_OK;
}

dip_status dip_record_from_json(dip_record *record, const json_t *object, dip_error *err) {
    char *base = (char *)record;
    for (size_t i = 0; i < N_INTEGERS; i++) {
        int64_t *value = (void *)(base + INTEGERS[i].offset);
        DIP_TRY(dip_json_integer(object, INTEGERS[i].key, INTEGERS[i].low, INT64_MAX, value, err));
    }
    for (size_t i = 0; i < N_NUMBERS; i++) {
        double *value = (void *)(base + NUMBERS[i].offset);
        DIP_TRY(dip_json_number(object, NUMBERS[i].key, value, err));
    }
    for (size_t i = 0; i < N_SWITCHES; i++) {
        bool *value = (void *)(base + SWITCHES[i].offset);
        const json_t *found = json_object_get(object, SWITCHES[i].key);
        if (!json_is_boolean(found)) {
            return dip_fail(err, DIP_ERR_FORMAT, "key \"%s\" is missing or not a switch",
                            SWITCHES[i].key);
        }
        *value = json_is_true(found);
    }
    return DIP_OK;
}

dip_status dip_record_note_step(dip_record *record, dip_error *err) {
    const dip_step *s = &record->last;
    if (s->step % METRICS_EVERY != 0 && s->step != 1) {
        return DIP_OK;
    }
    return dip_text_printf(&record->metrics, err,
                           "{\"step\": %lld, \"epoch\": %lld, \"examples\": %lld, \"loss\": %.9g, "
                           "\"loss_main\": %.9g, \"loss_self\": %.9g, \"rate\": %.9g, "
                           "\"gradient_norm\": %.9g}\n",
                           (long long)s->step, (long long)s->epoch, (long long)s->examples, s->loss,
                           s->loss_main, s->loss_self, s->rate, s->gradient_norm);
}

void dip_record_metric_name(const dip_config *config, char text[DIP_VALUE_MAX]) {
    char name[DIP_VALUE_MAX];
    dip_options_get(dip_options_find(&dip_config_table, "train.metric"), config, name);
    snprintf(text, DIP_VALUE_MAX, "%.200s@%lld", name, (long long)config->train.metric_k);
}

dip_status dip_record_note_epoch(dip_record *record, const dip_config *config, double value,
                                 dip_error *err) {
    char name[DIP_VALUE_MAX];
    dip_record_metric_name(config, name);
    return dip_text_printf(&record->metrics, err, "{\"epoch\": %lld, \"validation_%s\": %.9g}\n",
                           (long long)record->epochs + 1, name, value);
}

static dip_status fill_summary(const dip_record *record, const dip_config *config, json_t *state,
                               dip_error *err) {
    const dip_step *last = &record->last;
    DIP_TRY(dip_json_set(state, "steps", json_integer(last->step), err));
    DIP_TRY(dip_json_set(state, "epochs", json_integer(record->epochs), err));
    DIP_TRY(dip_json_set(state, "examples", json_integer(last->examples), err));
    DIP_TRY(dip_json_set(state, "precision", json_string(dip_engine_precision(config)), err));
    DIP_TRY(dip_json_set(state, "loss", json_real(last->loss), err));
    DIP_TRY(dip_json_set(state, "loss_main", json_real(last->loss_main), err));
    DIP_TRY(dip_json_set(state, "loss_self", json_real(last->loss_self), err));
    if (record->skipped > 0) {
        DIP_TRY(dip_json_set(state, "skipped_batches", json_integer(record->skipped), err));
    }
    if (record->best_epoch < 0) {
        return DIP_OK;
    }
    char name[DIP_VALUE_MAX];
    dip_record_metric_name(config, name);
    DIP_TRY(dip_json_set(state, "validation_metric", json_string(name), err));
    DIP_TRY(dip_json_set(state, "best_validation", json_real(record->best), err));
    return dip_json_set(state, "best_epoch", json_integer(record->best_epoch + 1), err);
}

dip_status dip_record_summary(const dip_record *record, const dip_config *config, json_t **out,
                              dip_error *err) {
    json_t *state = NULL;
    DIP_TRY(dip_json_new_object(&state, err));
    const dip_status status = fill_summary(record, config, state, err);
    if (status != DIP_OK) {
        json_decref(state);
        return status;
    }
    *out = state;
    return DIP_OK;
}

void dip_record_free(dip_record *record) {
    dip_text_free(&record->metrics);
    dip_text_free(&record->quarantine);
}
