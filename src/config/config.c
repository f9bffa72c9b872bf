/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <stdio.h>
#include <string.h>

#define AT(member) offsetof(struct dip_config, member)
#define INTEGER(key, member, fallback, low, high, help)                                            \
    { key, DIP_OPTION_INTEGER, AT(member), fallback, low, high, NULL, help }
#define NUMBER(key, member, fallback, low, high, help)                                             \
    { key, DIP_OPTION_NUMBER, AT(member), fallback, low, high, NULL, help }
#define SWITCH(key, member, fallback, help)                                                        \
    { key, DIP_OPTION_SWITCH, AT(member), fallback, 0, 0, NULL, help }
#define CHOICE(key, member, fallback, choices, help)                                               \
    { key, DIP_OPTION_CHOICE, AT(member), fallback, 0, 0, choices, help }
#define TEXT(key, member, fallback, help)                                                          \
    { key, DIP_OPTION_TEXT, AT(member), fallback, 0, 0, NULL, help }
#define SIZE(key, member, fallback, low, high, help)                                               \
    { key, DIP_OPTION_SIZE, AT(member), fallback, low, high, NULL, help }
#define LIST(key, member, fallback, low, high, help)                                               \
    { key, DIP_OPTION_LIST, AT(member), fallback, low, high, NULL, help }

/* clang-format off */
static const dip_option ROWS[] = {
    INTEGER("seed", seed, "1", 0, 9007199254740992.0,
            "seed of initial parameters, batches, masks and dropout"),
    INTEGER("threads", threads, "0", 0, 1024,
            "threads to use; 0 takes all cores; results have the same bits for any number"),

    CHOICE("prepare.unknown_ids", prepare.unknown_ids, "skip", "skip|stop",
           "what to do with interactions whose query or item is not in its file: count and leave "
           "them out, or stop"),
    SIZE("prepare.memory", prepare.memory, "0", 0, 1125899906842624.0,
         "memory that prepare may take, such as 2G; what is more goes to temporary files beside "
         "the output; 0 takes half of the machine's; the result has the same bits for any"),
    TEXT("prepare.grow", prepare.grow, "",
         "a dataset whose items, queries and values keep their rows: what is new is appended; the "
         "schema must be the same"),

    NUMBER("split.test", split.test, "0.1", 0, 0.9, "share of the pairs kept for the test"),
    NUMBER("split.validation", split.validation, "0.05", 0, 0.9,
           "share of the pairs kept for early stopping and tuning"),
    NUMBER("split.train_fraction", split.train_fraction, "1", 0.0001, 1,
           "share of the training pairs that is kept, for the low-supervision test"),
    CHOICE("split.by", split.by, "pair", "pair|unordered_pair|query|time|column",
           "what is kept together: pairs, a pair and its reverse, all pairs of a query, all after "
           "a global point in time, or what a column says"),
    TEXT("split.column", split.column, "split",
         "with split.by = column: the column that says train, validation or test"),
    INTEGER("split.seed", split.seed, "1", 0, 9007199254740992.0, "seed of the split"),

    INTEGER("model.dim", model.dim, "64", 1, 4096, "width of the embedding of one feature"),
    LIST("model.hidden", model.hidden, "1024,128", 1, 65536,
         "widths of the layers; the last one is the width of the vectors"),
    CHOICE("model.share", model.share, "tables", "none|tables|all",
           "what the towers share: nothing, the embedding tables of features that name the same "
           "vocabulary, or tables and layers"),

    INTEGER("train.batch", train.batch, "1024", 2, 65536, "pairs in a batch"),
    INTEGER("train.epochs", train.epochs, "10", 1, 100000, "passes over the training pairs"),
    NUMBER("train.temperature", train.temperature, "0.07", 0.001, 100,
           "tau of the batch softmax (Eq. 6)"),
    CHOICE("train.logq", train.logq, "exact", "none|exact|refined",
           "sampling-bias correction: -log p_j with p_j from the training counts; refined leaves "
           "the positive out of it, which is in every batch by construction, and estimates the "
           "loss over the whole catalogue"),
    SWITCH("train.mask_hits", train.mask_hits, "yes",
           "leave out negatives of the batch that are the positive's own item"),
    CHOICE("train.extra_negatives", train.extra_negatives, "none", "none|items|views",
           "further negatives for every query, beside the batch's own: the uniform items of the "
           "self-supervised batch, encoded whole, or their first views, which are there anyway; "
           "with a correction, p_j is then the share in the mixture"),
    NUMBER("train.id_dropout", train.id_dropout, "0", 0, 0.99,
           "rate at which an item in the main loss shows the default in the place of its id, as a "
           "new item does; the other features then learn to do without: for the tail and for new "
           "items (DropoutNet)"),
    INTEGER("train.id_min_pairs", train.id_min_pairs, "0", 0, 1000000000,
            "training pairs from which on an item's id counts: with fewer, the item shows the "
            "default in its place, as a new item does, in training and in the model; 0 lets all "
            "count"),
    INTEGER("train.query_min_pairs", train.query_min_pairs, "0", 0, 1000000000,
            "the same for the ids of queries that are no items, such as users, by the training "
            "pairs of the query; queries that are items go by train.id_min_pairs"),
    CHOICE("train.optimizer", train.optimizer, "adagrad", "adagrad|sgd|adam|rowwise-adagrad",
           "update rule; rows of embedding tables are updated only when touched; rowwise-adagrad "
           "keeps one sum of squares a row of a table, and adagrad's for the layers"),
    NUMBER("train.rate", train.rate, "0.05", 0, 1e38, "learning rate"),
    INTEGER("train.rate_width", train.rate_width, "0", 0, 65536,
            "width of the first layer that train.rate is meant for: with another width the rate is "
            "train.rate * train.rate_width / width, as wide layers take smaller steps of Adam; 0 "
            "takes train.rate for any"),
    CHOICE("train.schedule", train.schedule, "constant", "constant|linear|cosine",
           "how the rate falls to 0 over the run, after the warm-up"),
    CHOICE("train.precision", train.precision, "auto", "auto|fp32|bf16",
           "matrix products in bfloat16 with sums and parameters in fp32, or all in fp32; auto "
           "takes bf16 where the processor has instructions for it"),
    INTEGER("train.warmup", train.warmup, "0", 0, 1000000000,
            "steps over which the rate rises linearly from 0"),
    NUMBER("train.decay", train.decay, "0", 0, 1,
           "decoupled weight decay of tables and layer weights: w -= rate * decay * w"),
    NUMBER("train.accumulator", train.accumulator, "0", 0, 1000,
           "what Adagrad's sum of squares starts from"),
    NUMBER("train.beta1", train.beta1, "0.9", 0, 0.9999999, "Adam: memory of the gradient"),
    NUMBER("train.beta2", train.beta2, "0.999", 0, 0.9999999, "Adam: memory of its square"),
    TEXT("train.table_folder", train.table_folder, "",
         "a folder on a fast disk for embedding tables larger than the memory, with their "
         "optimizer state; the space is given back at the end"),
    INTEGER("train.average", train.average, "0", 0, 1000,
            "the model that is validated and saved is a running mean of the parameters at the ends "
            "of epochs, which remembers about this many; 0 takes the parameters themselves"),
    INTEGER("train.patience", train.patience, "3", 0, 100000,
            "stop after this many epochs without a better validation metric; 0 never stops"),
    CHOICE("train.metric", train.metric, "recall", "recall|map|ndcg|mrr|hit_rate",
           "the validation metric that picks the best epoch"),
    INTEGER("train.metric_k", train.metric_k, "50", 1, 1000, "list length of that metric"),
    INTEGER("train.shuffle_window", train.shuffle_window, "67108864", 0, 9007199254740992.0,
            "training pairs that are shuffled at a time: an epoch takes windows of so many stored "
            "pairs in random order, and the pairs of each in random order, 8 bytes of memory a "
            "pair; 0 takes one window for all"),
    INTEGER("train.checkpoint_every", train.checkpoint_every, "0", 0, 1000000000,
            "steps between two checkpoints in MODEL.checkpoints; 0 writes one only when a signal "
            "stops the run"),
    INTEGER("train.checkpoint_keep", train.checkpoint_keep, "2", 1, 1000,
            "checkpoints to keep, beside that of the model that is at the output"),
    INTEGER("train.nonfinite_limit", train.nonfinite_limit, "10", 1, 1000000,
            "batches in a row with a loss or gradient that is not finite at which training gives "
            "up; fewer are left out and listed"),

    CHOICE("ssl.method", ssl.method, "cfm",
           "none|cfm|cfm-no-complement|cfm-no-dropout|rfm|rfm-no-complement|dropout|"
           "feature-dropout|spread-out|spread-out-square|spread-out-moments|noise",
           "what is trained beside the main loss: nothing, a self-supervised task, or a baseline"),
    NUMBER("ssl.alpha", ssl.alpha, "0.3", 0, 1000, "weight of the second loss (Eq. 5)"),
    NUMBER("ssl.dropout", ssl.dropout, "0.3", 0, 0.99,
           "rate at which values of a bag are dropped in a view; for feature-dropout, the rate at "
           "which whole features are"),
    INTEGER("ssl.batch", ssl.batch, "0", 0, 65536,
            "items in the self-supervised batch; 0 takes train.batch"),
    NUMBER("ssl.temperature", ssl.temperature, "0", 0, 100,
           "tau of the self-supervised softmax (Eq. 3); 0 takes train.temperature"),
    CHOICE("ssl.items", ssl.items, "catalogue", "catalogue|training",
           "where the items of the self-supervised batch come from, uniformly: the whole "
           "catalogue, or those in training pairs"),
    CHOICE("ssl.towers", ssl.towers, "item", "item|both",
           "which towers the second loss trains: the item tower, or the query tower as well, with "
           "queries drawn uniformly and the same weight"),
    INTEGER("ssl.pretrain", ssl.pretrain, "0", 0, 100000,
            "first epochs, of train.epochs, in which the second loss trains alone; they are "
            "neither validated nor saved, and early stopping begins after them"),
    CHOICE("ssl.after_pretrain", ssl.after_pretrain, "keep", "keep|stop",
           "whether the second loss goes on beside the main one after those epochs"),
    CHOICE("ssl.masks", ssl.masks, "batch", "batch|example",
           "features masked in a view: the same in the whole batch, or drawn for every item by "
           "itself"),
    NUMBER("ssl.noise", ssl.noise, "0.1", 0, 100,
           "with method noise: length of the random vector that each view adds to the unit vector "
           "of an item"),
    SWITCH("ssl.symmetric", ssl.symmetric, "no",
           "the self-supervised softmax (Eq. 3) both ways, from view h to view g and back, and the "
           "mean of the two"),
    SWITCH("ssl.mask_same", ssl.mask_same, "no",
           "leave out negatives of which a view shows the same as of the item: equal values of all "
           "features that are not masked"),

    CHOICE("evaluate.protocol", evaluate.protocol, "standard", "standard|paper",
           "standard: all held-out items of a query are right and its training items are taken "
           "out; paper: each pair is one example with one right item"),
    LIST("evaluate.k", evaluate.k, "10,50", 1, 1000, "list lengths"),
    CHOICE("evaluate.split", evaluate.split, "test", "test|validation", "which pairs to use"),
    SWITCH("evaluate.exclude_query", evaluate.exclude_query, "yes",
           "never rank the query item itself"),
    INTEGER("evaluate.bootstrap", evaluate.bootstrap, "1000", 0, 100000,
            "resamples over queries for the 95% intervals; 0 leaves them out"),
};
/* clang-format on */

const dip_option_table dip_config_table = {ROWS, sizeof ROWS / sizeof ROWS[0], "option"};

typedef struct preset_row {
    const char *preset;
    const char *key;
    const char *value;
} preset_row;

static const preset_row PRESETS[] = {
    /* The setting of arXiv 2007.12865, section 4: plain softmax, Adagrad at 0.01, Wikipedia's tau.
     */
    {"paper", "train.rate", "0.01"},
    {"paper", "train.logq", "none"},
    {"paper", "train.mask_hits", "no"},
    {"paper", "train.temperature", "0.07"},
    {"paper", "train.optimizer", "adagrad"},
    {"paper", "train.accumulator", "0.1"},
    {"paper", "model.hidden", "1024,128"},
    {"paper", "ssl.method", "cfm"},
    {"paper", "ssl.dropout", "0.3"},
    {"paper", "evaluate.protocol", "paper"},
    /* What did well over small and large, sparse and whole sets by their validation splits
     * (docs/levers.md): Adam, averaged, the refined correction, negatives from the whole catalogue,
     * no ids of items with few pairs, items without their ids, and two views of them in which
     * values are dropped. */
    {"best", "train.optimizer", "adam"},
    {"best", "train.rate", "0.001"},
    {"best", "train.rate_width", "1024"},
    {"best", "train.average", "5"},
    {"best", "train.batch", "1024"},
    {"best", "train.temperature", "0.07"},
    {"best", "train.logq", "refined"},
    {"best", "train.extra_negatives", "items"},
    {"best", "train.id_dropout", "0.1"},
    {"best", "train.id_min_pairs", "5"},
    {"best", "train.epochs", "30"},
    {"best", "train.patience", "5"},
    {"best", "ssl.method", "dropout"},
    {"best", "ssl.alpha", "1"},
    {"best", "ssl.dropout", "0.3"},
    {"best", "ssl.temperature", "0.1"},
    {"best", "ssl.items", "catalogue"},
    {"best", "ssl.batch", "1024"},
    /* What did well at the cost of a supervised model that is stopped early (docs/levers.md): few
     * epochs, a short mean, no ids of items with few pairs, in-batch negatives alone, and a small
     * second batch. */
    {"light", "train.optimizer", "adam"},
    {"light", "train.rate", "0.001"},
    {"light", "train.rate_width", "1024"},
    {"light", "train.average", "2"},
    {"light", "train.batch", "1024"},
    {"light", "train.temperature", "0.07"},
    {"light", "train.logq", "exact"},
    {"light", "train.id_min_pairs", "5"},
    {"light", "train.epochs", "8"},
    {"light", "train.patience", "5"},
    {"light", "ssl.method", "dropout"},
    {"light", "ssl.alpha", "0.3"},
    {"light", "ssl.dropout", "0.3"},
    {"light", "ssl.temperature", "0.1"},
    {"light", "ssl.items", "catalogue"},
    {"light", "ssl.batch", "256"},
};

/* The names of all presets, each once, in quotes. */
static void list_presets(char text[DIP_VALUE_MAX]) {
    size_t used = 0;
    for (size_t i = 0; i < sizeof PRESETS / sizeof PRESETS[0]; i++) {
        if (i == 0 || strcmp(PRESETS[i].preset, PRESETS[i - 1].preset) != 0) {
            used += (size_t)snprintf(text + used, DIP_VALUE_MAX - used, "%s\"%s\"",
                                     used > 0 ? ", " : "", PRESETS[i].preset);
        }
    }
}

dip_status dip_config_apply_preset(dip_config *config, const char *name, dip_error *err) {
    bool is_known = false;
    for (size_t i = 0; i < sizeof PRESETS / sizeof PRESETS[0]; i++) {
        if (strcmp(PRESETS[i].preset, name) == 0) {
            is_known = true;
            DIP_TRY(
                dip_options_set(&dip_config_table, config, PRESETS[i].key, PRESETS[i].value, err));
        }
    }
    if (!is_known) {
        char names[DIP_VALUE_MAX];
        list_presets(names);
        return dip_fail(err, DIP_ERR_USAGE, "unknown preset \"%s\"; there are %s", name, names);
    }
    return DIP_OK;
}

const char *dip_config_preset_key(const char *name, size_t i) {
    for (size_t row = 0; row < sizeof PRESETS / sizeof PRESETS[0]; row++) {
        if (strcmp(PRESETS[row].preset, name) == 0 && i-- == 0) {
            return PRESETS[row].key;
        }
    }
    return NULL;
}

dip_status dip_config_to_json(const dip_config *config, json_t **json, dip_error *err) {
    json_t *object = NULL;
    DIP_TRY(dip_json_new_object(&object, err));
    for (size_t i = 0; i < dip_config_table.n; i++) {
        char text[DIP_VALUE_MAX];
        dip_options_get(&ROWS[i], config, text);
        const dip_status status = dip_json_set(object, ROWS[i].key, json_string(text), err);
        if (status != DIP_OK) {
            json_decref(object);
            return status;
        }
    }
    *json = object;
    return DIP_OK;
}

dip_status dip_config_from_json(dip_config *config, const json_t *json, dip_error *err) {
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(dip_json_readable(json), key, value) {
        if (!json_is_string(value)) {
            return dip_fail(err, DIP_ERR_FORMAT, "option \"%s\" is not stored as text", key);
        }
        const dip_status status =
            dip_options_set(&dip_config_table, config, key, json_string_value(value), err);
        if (status != DIP_OK) {
            return dip_fail_context(err, DIP_ERR_FORMAT, "stored configuration");
        }
    }
    return DIP_OK;
}

void dip_method_name(int method, char text[DIP_VALUE_MAX]) {
    const dip_option *row = dip_options_find(&dip_config_table, "ssl.method");
    struct dip_config config = {.ssl.method = method};
    dip_options_get(row, &config, text);
}
