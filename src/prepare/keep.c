/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/keep.h"

#include "base/mem.h"
#include "data/vocab.h"

#include <stdlib.h>
#include <string.h>

/* A value in a run. `prefix` holds the first 8 bytes of the text, high ones first, so that most
 * comparisons need nothing else. */
typedef struct candidate {
    int64_t count;
    uint64_t prefix;
    const char *text;
    uint32_t length;
    int32_t code;
} candidate;

/* Values that are sorted together. */
typedef struct run {
    candidate *list;
    candidate *sorted; /* room for the merge of two halves */
    size_t n;
    size_t capacity;
    size_t sorted_capacity;
    dip_text texts;
} run;

/* A run in scratch space, and its value that comes next. */
typedef struct stored_run {
    dip_spool spool; /* {int64 count, int32 code, uint32 length, text} */
    dip_spool_cursor cursor;
    candidate head;
    dip_text text;
    bool is_over;
} stored_run;

typedef struct keeping {
    dip_kept *kept;
    const dip_keep_rule *rule;
    stored_run *runs;
    size_t n_runs;
    size_t run_capacity;
} keeping;

static uint64_t prefix_of(const char *text, uint32_t length) {
    uint64_t prefix = 0;
    for (uint32_t i = 0; i < 8; i++) {
        prefix = prefix << 8 | (i < length ? (unsigned char)text[i] : 0);
    }
    return prefix;
}

static int by_count_then_text(const void *left, const void *right) {
    const candidate *a = left;
    const candidate *b = right;
    if (a->count != b->count) {
        return a->count > b->count ? -1 : 1;
    }
    if (a->prefix != b->prefix) {
        return a->prefix < b->prefix ? -1 : 1;
    }
    const uint32_t shorter = a->length < b->length ? a->length : b->length;
    const int order = memcmp(a->text, b->text, shorter);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

/* ---- sorting a run --------------------------------------------------------------------------- */

static void merge_halves(run *r, size_t middle) {
    size_t a = 0;
    size_t b = middle;
    for (size_t i = 0; i < r->n; i++) {
        const bool takes_a =
            b == r->n || (a < middle && by_count_then_text(&r->list[a], &r->list[b]) <= 0);
        r->sorted[i] = r->list[takes_a ? a++ : b++];
    }
}

/* Texts have their final address by now. Two halves are sorted at once and then merged. */
static dip_status sort_run(run *r, int threads, dip_error *err) {
    const char *at = r->texts.data;
    if (r->n == 0) {
        return DIP_OK;
    }
    DIP_TRY(dip_grow((void **)&r->sorted, &r->sorted_capacity, r->n, sizeof *r->sorted,
                     "a vocabulary's ranking", err));
    for (size_t i = 0; i < r->n; i++) {
        r->list[i].text = at;
        r->list[i].prefix = prefix_of(at, r->list[i].length);
        at += r->list[i].length;
    }
    const size_t middle = r->n / 2;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int half = 0; half < 2; half++) {
        qsort(r->list + (half == 0 ? 0 : middle), half == 0 ? middle : r->n - middle,
              sizeof *r->list, by_count_then_text);
    }
    merge_halves(r, middle);
    return DIP_OK;
}

/* ---- the result ------------------------------------------------------------------------------ */

static dip_status keep(keeping *k, const candidate *c, dip_error *err) {
    dip_kept *kept = k->kept;
    if (k->rule->max_vocab > 0 && kept->rows >= k->rule->max_vocab && c->code >= k->rule->pinned) {
        return DIP_OK;
    }
    kept->remap[c->code] = (int32_t)kept->rows++;
    DIP_TRY(dip_spool_put(&kept->entries, &c->count, sizeof c->count, err));
    DIP_TRY(dip_spool_put(&kept->entries, &c->length, sizeof c->length, err));
    return dip_spool_put(&kept->entries, c->text, c->length, err);
}

static dip_status store_run(keeping *k, run *r, dip_scratch *scratch, dip_error *err) {
    DIP_TRY(dip_grow((void **)&k->runs, &k->run_capacity, k->n_runs + 1, sizeof *k->runs,
                     "runs of a ranking", err));
    stored_run *stored = &k->runs[k->n_runs++];
    stored->spool.scratch = scratch;
    for (size_t i = 0; i < r->n; i++) {
        const candidate *c = &r->sorted[i];
        DIP_TRY(dip_spool_put(&stored->spool, &c->count, sizeof c->count, err));
        DIP_TRY(dip_spool_put(&stored->spool, &c->code, sizeof c->code, err));
        DIP_TRY(dip_spool_put(&stored->spool, &c->length, sizeof c->length, err));
        DIP_TRY(dip_spool_put(&stored->spool, c->text, c->length, err));
    }
    r->n = 0;
    dip_text_clear(&r->texts);
    return DIP_OK;
}

static dip_status advance(stored_run *stored, dip_error *err) {
    candidate *head = &stored->head;
    size_t got = 0;
    DIP_TRY(dip_spool_read(&stored->cursor, &head->count, sizeof head->count, &got, err));
    stored->is_over = got == 0;
    if (stored->is_over) {
        return DIP_OK;
    }
    DIP_TRY(dip_spool_get(&stored->cursor, &head->code, sizeof head->code, err));
    DIP_TRY(dip_spool_get(&stored->cursor, &head->length, sizeof head->length, err));
    DIP_TRY(dip_grow((void **)&stored->text.data, &stored->text.capacity, (size_t)head->length + 1,
                     1, "a text", err));
    head->text = stored->text.data;
    DIP_TRY(dip_spool_get(&stored->cursor, stored->text.data, head->length, err));
    head->prefix = prefix_of(head->text, head->length);
    return DIP_OK;
}

static dip_status merge_runs(keeping *k, dip_error *err) {
    for (size_t i = 0; i < k->n_runs; i++) {
        k->runs[i].cursor.spool = &k->runs[i].spool;
        DIP_TRY(advance(&k->runs[i], err));
    }
    for (;;) {
        stored_run *best = NULL;
        for (size_t i = 0; i < k->n_runs; i++) {
            stored_run *other = &k->runs[i];
            if (!other->is_over &&
                (best == NULL || by_count_then_text(&other->head, &best->head) < 0)) {
                best = other;
            }
        }
        if (best == NULL) {
            return DIP_OK;
        }
        DIP_TRY(keep(k, &best->head, err));
        DIP_TRY(advance(best, err));
    }
}

/* ---- reading the values ---------------------------------------------------------------------- */

static dip_status add_text(run *r, dip_spool_cursor *cursor, uint32_t length, int64_t count,
                           int32_t code, dip_error *err) {
    dip_text *texts = &r->texts;
    DIP_TRY(dip_grow((void **)&texts->data, &texts->capacity, texts->length + length + 1, 1,
                     "a vocabulary's texts", err));
    DIP_TRY(dip_spool_get(cursor, texts->data + texts->length, length, err));
    texts->length += length;
    DIP_TRY(dip_grow((void **)&r->list, &r->capacity, r->n + 1, sizeof *r->list,
                     "a vocabulary's ranking", err));
    r->list[r->n++] = (candidate){.count = count, .length = length, .code = code};
    return DIP_OK;
}

static dip_status pass_over(dip_spool_cursor *cursor, uint32_t length, dip_error *err) {
    char rest[256];
    for (uint32_t left = length; left > 0;) {
        const uint32_t part = left < sizeof rest ? left : (uint32_t)sizeof rest;
        DIP_TRY(dip_spool_get(cursor, rest, part, err));
        left -= part;
    }
    return DIP_OK;
}

/* Values come in the order of their codes, so pinned ones are kept before all others. */
static dip_status keep_pinned(keeping *k, run *r, dip_spool_cursor *cursor, uint32_t length,
                              int64_t count, int32_t code, dip_error *err) {
    DIP_TRY(add_text(r, cursor, length, count, code, err));
    r->list[0].text = r->texts.data;
    DIP_TRY(keep(k, &r->list[0], err));
    r->n = 0;
    dip_text_clear(&r->texts);
    return DIP_OK;
}

static size_t run_bytes(const run *r) {
    return r->texts.length + 2 * r->n * sizeof *r->list;
}

static dip_status read_values(keeping *k, run *r, dip_spool_cursor *cursor, const int64_t *count,
                              uint64_t n, const dip_means *means, dip_scratch *scratch,
                              dip_error *err) {
    for (uint64_t code = 0; code < n; code++) {
        uint32_t length = 0;
        k->kept->remap[code] = DIP_CODE_UNKNOWN;
        DIP_TRY(dip_spool_get(cursor, &length, sizeof length, err));
        if ((int64_t)code < k->rule->pinned) {
            DIP_TRY(keep_pinned(k, r, cursor, length, count[code], (int32_t)code, err));
            continue;
        }
        if (count[code] < k->rule->min_count) {
            DIP_TRY(pass_over(cursor, length, err));
            continue;
        }
        DIP_TRY(add_text(r, cursor, length, count[code], (int32_t)code, err));
        /* Growing by doubling may hold half as much again. */
        if (run_bytes(r) > means->memory / 2) {
            DIP_TRY(sort_run(r, means->threads, err));
            DIP_TRY(store_run(k, r, scratch, err));
        }
    }
    DIP_TRY(sort_run(r, means->threads, err));
    if (k->n_runs > 0) {
        DIP_TRY(store_run(k, r, scratch, err));
        return merge_runs(k, err);
    }
    for (size_t i = 0; i < r->n; i++) {
        DIP_TRY(keep(k, &r->sorted[i], err));
    }
    return DIP_OK;
}

static void run_free(run *r) {
    dip_free(r->list);
    dip_free(r->sorted);
    dip_text_free(&r->texts);
}

static void keeping_free(keeping *k) {
    for (size_t i = 0; i < k->n_runs; i++) {
        dip_spool_cursor_free(&k->runs[i].cursor);
        dip_spool_free(&k->runs[i].spool);
        dip_text_free(&k->runs[i].text);
    }
    dip_free(k->runs);
}

dip_status dip_keep_values(dip_kept *kept, const dip_intern *seen, const int64_t *count,
                           const dip_keep_rule *rule, dip_scratch *scratch, const dip_means *means,
                           dip_error *err) {
    const uint64_t n = dip_intern_count(seen);
    keeping k = {.kept = kept, .rule = rule};
    run r = {0};
    dip_spool_cursor cursor = {.spool = dip_intern_texts(seen)};
    kept->rows = 0;
    kept->entries.scratch = scratch;
    kept->remap = dip_alloc(n, sizeof *kept->remap, "a vocabulary's renumbering", err);
    if (kept->remap == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status = read_values(&k, &r, &cursor, count, n, means, scratch, err);
    dip_spool_cursor_free(&cursor);
    run_free(&r);
    keeping_free(&k);
    return status;
}

static dip_status write_entries(const dip_kept *kept, dip_writer *writer, dip_text *text,
                                dip_error *err) {
    dip_spool_cursor cursor = {.spool = &kept->entries};
    dip_status status = DIP_OK;
    for (int64_t row = 0; status == DIP_OK && row < kept->rows; row++) {
        int64_t count = 0;
        status = dip_spool_get(&cursor, &count, sizeof count, err);
        if (status == DIP_OK) {
            status = dip_texts_get(&cursor, text, err);
        }
        if (status == DIP_OK) {
            status = dip_vocab_put(writer, text->data, text->length, count, err);
        }
    }
    dip_spool_cursor_free(&cursor);
    return status;
}

dip_status dip_keep_write(const dip_kept *kept, dip_folder_writer *folder, const char *name,
                          dip_error *err) {
    dip_writer *writer = NULL;
    dip_text text = {0};
    DIP_TRY(dip_folder_begin(folder, name, &writer, err));
    const dip_status status = write_entries(kept, writer, &text, err);
    dip_text_free(&text);
    return status == DIP_OK ? dip_folder_end(folder, err) : status;
}

void dip_kept_free(dip_kept *kept) {
    dip_spool_free(&kept->entries);
    dip_free(kept->remap);
    memset(kept, 0, sizeof *kept);
}
