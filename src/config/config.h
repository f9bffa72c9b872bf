/* SPDX-License-Identifier: Apache-2.0
 *
 * Every option of Diptych as one typed struct. The table in config.c is the only list of them; the
 * enums here follow the order of its choices, which tests/unit/test_config.c checks by
 * name.
 */
#ifndef DIP_CONFIG_CONFIG_H
#define DIP_CONFIG_CONFIG_H

#include "base/json.h"
#include "base/options.h"

typedef enum dip_split_by {
    DIP_SPLIT_PAIR,
    DIP_SPLIT_UNORDERED_PAIR,
    DIP_SPLIT_QUERY,
    DIP_SPLIT_TIME,
    DIP_SPLIT_COLUMN
} dip_split_by;

typedef enum dip_share { DIP_SHARE_NONE, DIP_SHARE_TABLES, DIP_SHARE_ALL } dip_share;

typedef enum dip_logq { DIP_LOGQ_NONE, DIP_LOGQ_EXACT, DIP_LOGQ_REFINED } dip_logq;

typedef enum dip_extra { DIP_EXTRA_NONE, DIP_EXTRA_ITEMS, DIP_EXTRA_VIEWS } dip_extra;

typedef enum dip_optimizer_kind {
    DIP_OPTIMIZER_ADAGRAD,
    DIP_OPTIMIZER_SGD,
    DIP_OPTIMIZER_ADAM,
    DIP_OPTIMIZER_ROWWISE_ADAGRAD
} dip_optimizer_kind;

typedef enum dip_schedule_kind {
    DIP_SCHEDULE_CONSTANT,
    DIP_SCHEDULE_LINEAR,
    DIP_SCHEDULE_COSINE
} dip_schedule_kind;

typedef enum dip_precision {
    DIP_PRECISION_AUTO,
    DIP_PRECISION_FP32,
    DIP_PRECISION_BF16
} dip_precision;

typedef enum dip_method {
    DIP_METHOD_NONE,
    DIP_METHOD_CFM,
    DIP_METHOD_CFM_NO_COMPLEMENT,
    DIP_METHOD_CFM_NO_DROPOUT,
    DIP_METHOD_RFM,
    DIP_METHOD_RFM_NO_COMPLEMENT,
    DIP_METHOD_DROPOUT,
    DIP_METHOD_FEATURE_DROPOUT,
    DIP_METHOD_SPREAD_OUT,
    DIP_METHOD_SPREAD_OUT_SQUARE,
    DIP_METHOD_SPREAD_OUT_MOMENTS,
    DIP_METHOD_NOISE
} dip_method;

typedef enum dip_ssl_items { DIP_SSL_CATALOGUE, DIP_SSL_TRAINING } dip_ssl_items;

typedef enum dip_towers_kind { DIP_TOWERS_ITEM, DIP_TOWERS_BOTH } dip_towers_kind;

typedef enum dip_after_pretrain { DIP_AFTER_KEEP, DIP_AFTER_STOP } dip_after_pretrain;

typedef enum dip_ssl_masks { DIP_MASKS_BATCH, DIP_MASKS_EXAMPLE } dip_ssl_masks;

typedef enum dip_protocol { DIP_PROTOCOL_STANDARD, DIP_PROTOCOL_PAPER } dip_protocol;

typedef enum dip_metric_kind {
    DIP_METRIC_RECALL,
    DIP_METRIC_MAP,
    DIP_METRIC_NDCG,
    DIP_METRIC_MRR,
    DIP_METRIC_HIT_RATE
} dip_metric_kind;

typedef enum dip_unknown_ids { DIP_UNKNOWN_SKIP, DIP_UNKNOWN_STOP } dip_unknown_ids;

typedef enum dip_evaluate_split { DIP_EVALUATE_TEST, DIP_EVALUATE_VALIDATION } dip_evaluate_split;

struct dip_config {
    int64_t seed;
    int64_t threads;
    struct {
        int unknown_ids; /* dip_unknown_ids */
        int64_t memory;  /* bytes; 0: half of the machine's */
        char grow[DIP_TEXT_MAX];
    } prepare;
    struct {
        double test;
        double validation;
        double train_fraction;
        int by; /* dip_split_by */
        char column[DIP_TEXT_MAX];
        int64_t seed;
    } split;
    struct {
        int64_t dim;
        dip_list hidden;
        int share; /* dip_share */
    } model;
    struct {
        int64_t batch;
        int64_t epochs;
        double temperature;
        int logq; /* dip_logq */
        bool mask_hits;
        double id_dropout;
        int64_t id_min_pairs;
        int64_t query_min_pairs;
        int extra_negatives; /* dip_extra */
        int optimizer;       /* dip_optimizer_kind */
        double rate;
        int64_t rate_width;
        int schedule;  /* dip_schedule_kind */
        int precision; /* dip_precision */
        int64_t warmup;
        double decay;
        double accumulator;
        double beta1;
        double beta2;
        char table_folder[DIP_TEXT_MAX];
        int64_t average;
        int64_t patience;
        int metric; /* dip_metric_kind */
        int64_t metric_k;
        int64_t shuffle_window;
        int64_t checkpoint_every;
        int64_t checkpoint_keep;
        int64_t nonfinite_limit;
    } train;
    struct {
        int method; /* dip_method */
        double alpha;
        double dropout;
        int64_t batch;
        double temperature;
        int items;  /* dip_ssl_items */
        int towers; /* dip_towers_kind */
        int64_t pretrain;
        int after_pretrain; /* dip_after_pretrain */
        int masks;          /* dip_ssl_masks */
        double noise;
        bool mask_same;
        bool symmetric;
    } ssl;
    struct {
        int protocol; /* dip_protocol */
        dip_list k;
        int split; /* dip_evaluate_split */
        bool exclude_query;
        int64_t bootstrap;
    } evaluate;
};

extern const dip_option_table dip_config_table;

/* Applies the rows of a preset. */
dip_status dip_config_apply_preset(dip_config *config, const char *name, dip_error *err);

/* The option that row i of a preset sets; NULL beyond the last. */
const char *dip_config_preset_key(const char *name, size_t i);

/* {"train.rate": "0.05", ...} in table order, and back; keys left out keep their value. */
dip_status dip_config_to_json(const dip_config *config, json_t **json, dip_error *err);
dip_status dip_config_from_json(dip_config *config, const json_t *json, dip_error *err);

/* The method's name, as in the option table. */
void dip_method_name(int method, char text[DIP_VALUE_MAX]);

#endif
