/* SPDX-License-Identifier: Apache-2.0
 *
 * The features of items and queries, each from one walk over its column.
 *
 *   coverage   share of rows with a value. A dataset keeps the values of its vocabularies only, so
 *              a value that was too rare or new counts as none, as it does in training
 *   entropy    of the feature's values over all rows, in nats: a row has weight 1, spread evenly
 *              over its values, and no value is one more value (as in Eq. 4, over all rows)
 *   silent     the same for all rows
 */
#include "base/mem.h"
#include "base/text.h"
#include "check/parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_BYTES = 60, LARGE_SHARE_PERCENT = 90 };

typedef struct column_facts {
    int64_t n;       /* rows */
    int64_t with;    /* rows with a value */
    int64_t trained; /* rows in training pairs */
    int64_t trained_with;
    int64_t n_values;
    int64_t most_values;
    double median_values;
    int64_t distinct; /* values that occur; of a plain number, 1 or 2 (more than one) */
    int64_t top;      /* the row of the commonest value, -1 without one */
    double top_share;
    double entropy;
    double least; /* of a plain number, as the files have it */
    double largest;
} column_facts;

/* A column of one side. */
typedef struct source {
    const dip_checkup *check;
    dip_side side;
    const dip_feature *feature;
    const dip_column *column;
    const uint8_t *facts;
    int64_t n;
} source;

static int64_t length_at(const dip_column *column, int64_t row) {
    if (column->numbers != NULL) {
        return !isnan(column->numbers[row]);
    }
    return column->offsets != NULL ? column->offsets[row + 1] - column->offsets[row]
                                   : column->codes[row] >= 0;
}

static void pass_column(const source *s, int64_t row) {
    const dip_column *column = s->column;
    const dip_dataset *dataset = s->check->dataset;
    if (column->numbers != NULL) {
        dip_dataset_pass(dataset, column->numbers + row);
    } else if (column->offsets != NULL) {
        dip_dataset_pass(dataset, column->offsets + row);
    } else {
        dip_dataset_pass(dataset, column->codes + row);
    }
}

/* ---- how many values ------------------------------------------------------------------------- */

static int64_t rows_up_to(const source *s, int64_t length) {
    int64_t count = 0;
    for (int64_t row = 0; row < s->n; row++) {
        count += length_at(s->column, row) <= length;
        if (dip_walk_ends(row)) {
            pass_column(s, row);
        }
    }
    return count;
}

/* The smallest length that at least `rank` rows do not exceed, by halving: walks, no memory. */
static int64_t length_of_rank(const source *s, int64_t rank, int64_t most) {
    int64_t low = 0;
    int64_t high = most;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (rows_up_to(s, middle) >= rank) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static void count_values(const source *s, column_facts *facts) {
    facts->n = s->n;
    for (int64_t row = 0; row < s->n; row++) {
        const int64_t length = length_at(s->column, row);
        const bool trains = (s->facts[row] & DIP_FACT_TRAINS) != 0;
        facts->with += length > 0;
        facts->trained += trains;
        facts->trained_with += trains && length > 0;
        facts->n_values += length;
        facts->most_values = length > facts->most_values ? length : facts->most_values;
        if (dip_walk_ends(row)) {
            pass_column(s, row);
        }
    }
    facts->median_values = ((double)length_of_rank(s, (s->n + 1) / 2, facts->most_values) +
                            (double)length_of_rank(s, s->n / 2 + 1, facts->most_values)) /
                           2;
}

/* ---- which values ---------------------------------------------------------------------------- */

static void weigh_rows(const source *s, double *weight) {
    const dip_column *column = s->column;
    for (int64_t row = 0; row < s->n; row++) {
        const int64_t length = length_at(column, row);
        const int64_t first = column->offsets != NULL ? column->offsets[row] : row;
        for (int64_t i = first; i < first + length; i++) {
            weight[column->codes[i]] += 1.0 / (double)length;
            if (dip_walk_ends(i)) {
                dip_dataset_pass(s->check->dataset, column->codes + i);
            }
        }
        if (dip_walk_ends(row)) {
            pass_column(s, row);
        }
    }
}

static double information_of(double weight, double total) {
    return weight > 0 ? -weight / total * log(weight / total) : 0;
}

static dip_status weigh_values(const source *s, column_facts *facts, dip_error *err) {
    const int64_t rows = s->check->dataset->schema.tables[s->feature->table].rows;
    double *weight = dip_alloc((size_t)rows, sizeof *weight, "values of a feature", err);
    if (weight == NULL) {
        return DIP_ERR_MEMORY;
    }
    weigh_rows(s, weight);
    facts->top = -1;
    facts->entropy = information_of((double)(s->n - facts->with), (double)s->n);
    for (int64_t v = 0; v < rows; v++) {
        facts->distinct += weight[v] > 0;
        facts->entropy += information_of(weight[v], (double)s->n);
        if (weight[v] > 0 && (facts->top < 0 || weight[v] > weight[facts->top])) {
            facts->top = v;
        }
    }
    facts->top_share = facts->top >= 0 ? weight[facts->top] / (double)s->n : 0;
    dip_free(weight);
    return DIP_OK;
}

static void range_of_numbers(const source *s, column_facts *facts) {
    const float *number = s->column->numbers;
    float least = INFINITY;
    float largest = -INFINITY;
    for (int64_t row = 0; row < s->n; row++) {
        least = number[row] < least ? number[row] : least;
        largest = number[row] > largest ? number[row] : largest;
    }
    facts->top = -1;
    facts->distinct = least > largest ? 0 : least < largest ? 2 : 1;
    facts->least = (double)least * s->feature->deviation + s->feature->mean;
    facts->largest = (double)largest * s->feature->deviation + s->feature->mean;
}

static dip_status measure(const source *s, column_facts *facts, dip_error *err) {
    *facts = (column_facts){.top = -1};
    count_values(s, facts);
    if (s->column->numbers != NULL) {
        range_of_numbers(s, facts);
        return DIP_OK;
    }
    return weigh_values(s, facts, err);
}

/* ---- the commonest value's text -------------------------------------------------------------- */

/* Line `row` of a vocabulary up to its tab, cut to whole letters. */
static void copy_value(const dip_map *map, int64_t row, char text[SHOWN_BYTES + 4]) {
    const char *at = (const char *)map->data;
    const char *end = at + map->bytes;
    for (int64_t line = 0; at < end && line < row; line++) {
        const char *found = memchr(at, '\n', (size_t)(end - at));
        at = found != NULL ? found + 1 : end;
    }
    size_t n = 0;
    while (at + n < end && at[n] != '\t' && at[n] != '\n' && n < SHOWN_BYTES) {
        n++;
    }
    const bool is_cut = n == SHOWN_BYTES;
    n = dip_utf8_check(at, n);
    snprintf(text, SHOWN_BYTES + 4, "%.*s%s", (int)n, at, is_cut ? "..." : "");
}

static dip_status name_value(const source *s, int64_t row, char text[SHOWN_BYTES + 4],
                             dip_error *err) {
    const size_t t = (size_t)s->feature->table;
    const dip_table *table = &s->check->dataset->schema.tables[t];
    char name[DIP_PART_NAME_MAX];
    dip_map map;
    if (!table->is_vocabulary) {
        snprintf(text, SHOWN_BYTES + 4, "bucket %lld", (long long)row);
        return DIP_OK;
    }
    dip_part_name(name, "vocab", t, table->name, ".tsv");
    DIP_TRY(dip_folder_map(&s->check->dataset->folder, name, &map, err));
    copy_value(&map, row, text);
    dip_map_close(&map);
    return DIP_OK;
}

/* ---- the report ------------------------------------------------------------------------------ */

static dip_status put_head(const source *s, json_t *object, dip_error *err) {
    char type[DIP_VALUE_MAX];
    const int table = s->feature->table;
    dip_options_get(dip_options_find(&dip_feature_table, "type"), s->feature, type);
    DIP_TRY(dip_put_text(object, "side", s->side == DIP_SIDE_ITEM ? "item" : "query", err));
    DIP_TRY(dip_put_text(object, "name", s->feature->name, err));
    DIP_TRY(dip_put_text(object, "type", type, err));
    if (table < 0) {
        DIP_TRY(dip_json_set(object, "table", json_null(), err));
        return DIP_OK;
    }
    DIP_TRY(dip_put_text(object, "table", s->check->dataset->schema.tables[table].name, err));
    return dip_put_integer(object, "rows", s->check->dataset->schema.tables[table].rows, err);
}

static dip_status put_values(const source *s, const column_facts *f, json_t *object,
                             dip_error *err) {
    char text[SHOWN_BYTES + 4] = "";
    if (s->column->numbers != NULL) {
        if (f->with > 0) {
            DIP_TRY(dip_put_real(object, "least", f->least, err));
            DIP_TRY(dip_put_real(object, "largest", f->largest, err));
        }
        return DIP_OK;
    }
    DIP_TRY(dip_put_integer(object, "distinct", f->distinct, err));
    DIP_TRY(dip_put_real(object, "entropy", f->entropy, err));
    if (f->top >= 0) {
        DIP_TRY(name_value(s, f->top, text, err));
        DIP_TRY(dip_put_text(object, "top_value", text, err));
        DIP_TRY(dip_put_real(object, "top_share", f->top_share, err));
    }
    return DIP_OK;
}

static dip_status put_feature(const source *s, const column_facts *f, json_t *list,
                              dip_error *err) {
    json_t *object = NULL;
    DIP_TRY(dip_json_append_object(list, &object, err));
    DIP_TRY(put_head(s, object, err));
    DIP_TRY(dip_put_real(object, "coverage", dip_share_of(f->with, f->n), err));
    DIP_TRY(
        dip_put_real(object, "coverage_training", dip_share_of(f->trained_with, f->trained), err));
    DIP_TRY(dip_put_real(object, "coverage_new",
                         dip_share_of(f->with - f->trained_with, f->n - f->trained), err));
    DIP_TRY(dip_put_real(object, "values_mean", dip_share_of(f->n_values, f->n), err));
    DIP_TRY(dip_put_real(object, "values_median", f->median_values, err));
    DIP_TRY(dip_put_integer(object, "values_most", f->most_values, err));
    return put_values(s, f, object, err);
}

static bool is_silent(const column_facts *f) {
    return f->with == 0 || (f->with == f->n && f->distinct == 1);
}

/* Each value in one row only, and so nothing that two rows share. */
static bool is_all_distinct(const source *s, const column_facts *f) {
    return s->column->numbers == NULL && s->feature->type != DIP_FEATURE_ID && f->n_values > 1 &&
           f->distinct == f->n_values;
}

static dip_status find_in_feature(const source *s, const column_facts *f, dip_error *err) {
    char about[2 * DIP_TEXT_MAX];
    const dip_checkup *check = s->check;
    snprintf(about, sizeof about, "%s feature %s", s->side == DIP_SIDE_ITEM ? "item" : "query",
             s->feature->name);
    if (f->with == 0) {
        return dip_find(check, DIP_WARNING, about,
                        "Leave the feature out, or lower its min_count if all values were too "
                        "rare.",
                        err, "No row has a value: the feature is dead.");
    }
    if (is_silent(f)) {
        return dip_find(check, DIP_WARNING, about, "Leave the feature out.", err,
                        "All rows have the same value: the feature tells nothing.");
    }
    if (is_all_distinct(s, f)) {
        return dip_find(check, DIP_WARNING, about,
                        "Make it the id, cut it into words (type: text) or leave it out.", err,
                        "Each of its %lld values occurs in one row only: nothing that rows share "
                        "can be learned from it.",
                        (long long)f->n_values);
    }
    if (100 * f->top_share >= LARGE_SHARE_PERCENT) {
        return dip_find(check, DIP_NOTE, about, "It may be worth little; compare with and without.",
                        err, "%.1f%% of the rows have the same value.", 100 * f->top_share);
    }
    if (2 * f->with < f->n) {
        return dip_find(check, DIP_NOTE, about,
                        "Rows without it take a learned default; a lower min_count keeps more.",
                        err, "Only %.1f%% of the rows have a value.",
                        100 * dip_share_of(f->with, f->n));
    }
    return DIP_OK;
}

static dip_status check_side(dip_checkup *check, dip_side side, json_t *list, dip_error *err) {
    const dip_dataset *dataset = check->dataset;
    const dip_entity *entity =
        side == DIP_SIDE_ITEM ? &dataset->schema.items : &dataset->schema.queries;
    const dip_rows *rows = dip_dataset_rows(dataset, side);
    dip_progress progress = {.phase = "reading features",
                             .unit = "features",
                             .detail = side == DIP_SIDE_ITEM ? "items" : "queries",
                             .total = entity->n_features};
    for (size_t f = 0; f < entity->n_features; f++) {
        const source s = {check,
                          side,
                          &entity->features[f],
                          &rows->columns[f],
                          side == DIP_SIDE_ITEM ? check->item_facts : check->query_facts,
                          rows->n};
        column_facts facts;
        progress.done = f;
        DIP_TRY(dip_tell(check->watch, &progress, err));
        DIP_TRY(measure(&s, &facts, err));
        DIP_TRY(put_feature(&s, &facts, list, err));
        DIP_TRY(find_in_feature(&s, &facts, err));
        dip_feature_facts *kept = side == DIP_SIDE_ITEM ? check->items : check->queries;
        kept[f] = (dip_feature_facts){dip_share_of(facts.with, facts.n),
                                      dip_share_of(facts.n_values, facts.n), is_silent(&facts)};
    }
    return DIP_OK;
}

static dip_status put_tables(const dip_checkup *check, dip_error *err) {
    json_t *list = NULL;
    DIP_TRY(dip_json_put_array(check->report, "tables", &list, err));
    for (size_t t = 0; t < check->dataset->schema.n_tables; t++) {
        const dip_table *table = &check->dataset->schema.tables[t];
        json_t *object = NULL;
        DIP_TRY(dip_json_append_object(list, &object, err));
        DIP_TRY(dip_put_text(object, "name", table->name, err));
        DIP_TRY(dip_put_integer(object, "rows", table->rows, err));
        DIP_TRY(dip_json_set(object, "is_vocabulary", json_boolean(table->is_vocabulary), err));
    }
    return DIP_OK;
}

dip_status dip_check_features(dip_checkup *check, dip_error *err) {
    json_t *list = NULL;
    DIP_TRY(dip_json_put_array(check->report, "features", &list, err));
    DIP_TRY(check_side(check, DIP_SIDE_ITEM, list, err));
    if (!check->dataset->schema.queries_are_items) {
        DIP_TRY(check_side(check, DIP_SIDE_QUERY, list, err));
    }
    return put_tables(check, err);
}
