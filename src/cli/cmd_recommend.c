/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/open_model.h"
#include "cli/progress_bar.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEATURES_MAX = 64 };

static const cli_flag FLAGS[] = {
    {"query", 0, "ID", "a query of the dataset"},
    {"features", 0, "NAME=VALUE,...", "features of something that was never seen; may be repeated"},
    {"side", 0, "query|item", "which tower reads --features (default: query)"},
    {"k", 'k', "N", "length of the list (default: 10)"},
    CLI_DATA_FLAG,
    {NULL, 0, NULL, NULL},
};

typedef struct answer {
    size_t k;
    size_t found;
    int64_t *items;
    float *scores;
} answer;

static dip_status usage(dip_error *err, const char *text) {
    err->code = DIP_ERR_USAGE;
    snprintf(err->message, sizeof err->message, "recommend: %s", text);
    return DIP_ERR_USAGE;
}

static dip_status no_memory(dip_error *err) {
    err->code = DIP_ERR_MEMORY;
    snprintf(err->message, sizeof err->message, "out of memory for the list");
    return DIP_ERR_MEMORY;
}

typedef struct features {
    size_t n;
    const char *name[FEATURES_MAX];
    const char *value[FEATURES_MAX];
} features;

/* Cuts "a=b,c=d" in place. A part without '=' belongs to the value before it, so that values may
 * hold commas. */
static dip_status cut_features(features *list, char *text, dip_error *err) {
    char *part = text;
    while (part != NULL) {
        char *comma = strchr(part, ',');
        while (comma != NULL) {
            const size_t length = strcspn(comma + 1, ",");
            if (memchr(comma + 1, '=', length) != NULL) {
                break;
            }
            comma = strchr(comma + 1, ',');
        }
        if (comma != NULL) {
            *comma = '\0';
        }
        char *equals = strchr(part, '=');
        if (equals == NULL || list->n == FEATURES_MAX) {
            return usage(err, "--features takes NAME=VALUE,NAME=VALUE,...");
        }
        *equals = '\0';
        list->name[list->n] = part;
        list->value[list->n++] = equals + 1;
        part = comma != NULL ? comma + 1 : NULL;
    }
    return DIP_OK;
}

/* All --features flags of the command line, in texts that the caller frees. */
static dip_status collect_features(const cli_args *args, features *list, char *texts[CLI_FLAGS_MAX],
                                   dip_error *err) {
    size_t n = 0;
    for (size_t i = 0; i < args->n_flags; i++) {
        if (strcmp(args->given[i].flag->name, "features") != 0) {
            continue;
        }
        const size_t size = strlen(args->given[i].value) + 1;
        texts[n] = malloc(size);
        if (texts[n] == NULL) {
            return no_memory(err);
        }
        memcpy(texts[n], args->given[i].value, size);
        const dip_status status = cut_features(list, texts[n++], err);
        if (status != DIP_OK) {
            return status;
        }
    }
    return DIP_OK;
}

static dip_status search_features(const cli_args *args, const cli_opened *opened,
                                  const dip_index *index, answer *a, dip_error *err) {
    features list = {0};
    char *texts[CLI_FLAGS_MAX] = {NULL};
    const char *side = cli_value(args, "side");
    float *vector = malloc(dip_model_dim(opened->model) * sizeof *vector);
    dip_status status = vector != NULL ? collect_features(args, &list, texts, err) : no_memory(err);
    if (status == DIP_OK) {
        status = dip_model_encode_features(opened->model, side != NULL ? side : "query", list.name,
                                           list.value, list.n, vector, err);
    }
    if (status == DIP_OK) {
        status = dip_index_search(index, vector, 1, a->k, a->items, a->scores, err);
    }
    while (status == DIP_OK && a->found < a->k && a->items[a->found] >= 0) {
        a->found++;
    }
    for (size_t i = 0; i < CLI_FLAGS_MAX; i++) {
        free(texts[i]);
    }
    free(vector);
    return status;
}

static dip_status search(const cli_args *args, const cli_opened *opened, answer *a,
                         dip_error *err) {
    cli_bar bar;
    dip_index *index = NULL;
    const char *query = cli_value(args, "query");
    const dip_watch watch = cli_bar_start(&bar, cli_has(args, "quiet"));
    dip_status status = dip_index_build(&index, opened->model, opened->dataset, &watch, err);
    cli_bar_stop(&bar);
    if (status == DIP_OK && query != NULL) {
        status = dip_index_recommend(index, query, a->k, a->items, a->scores, &a->found, err);
    } else if (status == DIP_OK) {
        status = search_features(args, opened, index, a, err);
    }
    dip_index_free(index);
    return status;
}

static dip_status print_json(const cli_args *args, const dip_dataset *dataset, const answer *a,
                             dip_error *err) {
    json_t *list = json_array();
    for (size_t i = 0; i < a->found; i++) {
        size_t id_length = 0;
        size_t title_length = 0;
        const char *id = dip_dataset_item_id(dataset, a->items[i], &id_length);
        const char *title = dip_dataset_item_title(dataset, a->items[i], &title_length);
        json_array_append_new(list, json_pack("{s:s%, s:s%, s:f}", "id", id, id_length, "title",
                                              title, title_length, "score", (double)a->scores[i]));
    }
    const char *query = cli_value(args, "query");
    json_t *answer_json = json_pack("{s:s?, s:o}", "query", query, "items", list);
    char *text = json_dumps(answer_json, JSON_INDENT(1));
    json_decref(answer_json);
    if (text == NULL) {
        return no_memory(err);
    }
    puts(text);
    free(text);
    return DIP_OK;
}

static void print_text(const dip_dataset *dataset, const answer *a) {
    for (size_t i = 0; i < a->found; i++) {
        size_t id_length = 0;
        size_t title_length = 0;
        const char *id = dip_dataset_item_id(dataset, a->items[i], &id_length);
        const char *title = dip_dataset_item_title(dataset, a->items[i], &title_length);
        printf("%3zu  %.4f  %.*s  %.*s\n", i + 1, (double)a->scores[i], (int)id_length, id,
               (int)title_length, title);
    }
}

static dip_status parse_k(const cli_args *args, size_t *k, dip_error *err) {
    const char *text = cli_value(args, "k");
    if (text == NULL) {
        *k = 10;
        return DIP_OK;
    }
    char *end = NULL;
    const long value = strspn(text, "0123456789") == strlen(text) ? strtol(text, &end, 10) : 0;
    if (value < 1 || value > 100000) {
        return usage(err, "-k takes a whole number from 1 to 100000");
    }
    *k = (size_t)value;
    return DIP_OK;
}

static dip_status recommend(const cli_args *args, const cli_opened *opened, dip_error *err) {
    answer a = {0};
    dip_status status = parse_k(args, &a.k, err);
    if (status != DIP_OK) {
        return status;
    }
    a.items = malloc(a.k * sizeof *a.items);
    a.scores = malloc(a.k * sizeof *a.scores);
    status = a.items != NULL && a.scores != NULL ? search(args, opened, &a, err) : no_memory(err);
    if (status == DIP_OK && cli_has(args, "json")) {
        status = print_json(args, opened->dataset, &a, err);
    } else if (status == DIP_OK) {
        print_text(opened->dataset, &a);
    }
    free(a.items);
    free(a.scores);
    return status;
}

static int run(const cli_args *args) {
    dip_error err;
    cli_opened opened;
    if (cli_has(args, "query") == cli_has(args, "features")) {
        usage(&err, "give either --query ID or --features NAME=VALUE,...");
        return cli_fail(&err);
    }
    dip_status status = cli_open(&opened, args, &err);
    if (status == DIP_OK) {
        status = recommend(args, &opened, &err);
    }
    cli_close(&opened);
    return status == DIP_OK ? DIP_OK : cli_fail(&err);
}

const cli_command cli_recommend = {
    .name = "recommend",
    .summary = "the best items for a query, known or described by its features",
    .usage = "MODEL --query ID | --features NAME=VALUE,... [-k N] [flags]",
    .description =
        "Ranks the whole catalogue exactly. With --query, the query item itself is left out. With "
        "--features, features that are not given, and values that training never saw, take their "
        "learned default embedding. A part without '=' continues the value before it, so values "
        "may "
        "hold commas.",
    .example = "diptych recommend model --features 'title=Draw a rounded rectangle' -k 5",
    .flags = FLAGS,
    .sections = {NULL},
    .positional_min = 1,
    .positional_max = 1,
    .run = run,
};
