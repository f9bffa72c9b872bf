/* SPDX-License-Identifier: Apache-2.0 */
#include "plain.h"

/* Tests read a few hundred thousand of anything at most. */
static void *make(size_t n, size_t size) {
    void *array = calloc(n + 1, size);
    assert_non_null(array);
    return array;
}

void plain_scratch(dip_scratch *scratch) {
    const char *folder = getenv("TMPDIR");
    dip_scratch_init(scratch, folder != NULL && folder[0] != '\0' ? folder : "/tmp", 0);
}

/* ---- texts ----------------------------------------------------------------------------------- */

static void add_text(plain_texts *texts, dip_spool_cursor *cursor, uint32_t length, size_t *room) {
    if (texts->n == *room) {
        *room = 2 * *room + 16;
        texts->text = realloc(texts->text, *room * sizeof *texts->text);
        texts->length = realloc(texts->length, *room * sizeof *texts->length);
        assert_true(texts->text != NULL && texts->length != NULL);
    }
    char *text = make(length, 1);
    check_ok(dip_spool_get(cursor, text, length, check_error()));
    texts->length[texts->n] = length;
    texts->text[texts->n++] = text;
}

plain_texts plain_texts_of(const dip_spool *spool) {
    plain_texts texts = {0};
    dip_spool_cursor cursor = {.spool = spool};
    size_t room = 0;
    for (;;) {
        uint32_t length = 0;
        size_t got = 0;
        check_ok(dip_spool_read(&cursor, &length, sizeof length, &got, check_error()));
        if (got == 0) {
            break;
        }
        assert_int_equal(got, sizeof length);
        add_text(&texts, &cursor, length, &room);
    }
    dip_spool_cursor_free(&cursor);
    return texts;
}

plain_texts plain_texts_of_kept(const dip_kept *kept) {
    plain_texts texts = {0};
    dip_spool_cursor cursor = {.spool = &kept->entries};
    size_t room = 0;
    size_t got = 1;
    texts.count = make((size_t)kept->rows, sizeof *texts.count);
    for (int64_t row = 0; row < kept->rows; row++) {
        uint32_t length = 0;
        check_ok(dip_spool_get(&cursor, &texts.count[row], sizeof texts.count[row], check_error()));
        check_ok(dip_spool_get(&cursor, &length, sizeof length, check_error()));
        add_text(&texts, &cursor, length, &room);
    }
    check_ok(dip_spool_read(&cursor, &(char){0}, 1, &got, check_error()));
    assert_int_equal(got, 0);
    dip_spool_cursor_free(&cursor);
    return texts;
}

void plain_texts_free(plain_texts *texts) {
    for (size_t i = 0; i < texts->n; i++) {
        free(texts->text[i]);
    }
    free(texts->text);
    free(texts->length);
    free(texts->count);
    *texts = (plain_texts){0};
}

static void check_joined(plain_texts texts, const char *expected) {
    char joined[2000] = "";
    for (size_t i = 0; i < texts.n; i++) {
        char count[32] = "";
        if (texts.count != NULL) {
            snprintf(count, sizeof count, ":%lld", (long long)texts.count[i]);
        }
        snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s%s",
                 i > 0 ? "~" : "", texts.text[i], count);
    }
    assert_string_equal(joined, expected);
    plain_texts_free(&texts);
}

void check_texts(const dip_spool *spool, const char *expected) {
    check_joined(plain_texts_of(spool), expected);
}

void check_kept(const dip_kept *kept, const char *expected) {
    check_joined(plain_texts_of_kept(kept), expected);
}

/* ---- columns --------------------------------------------------------------------------------- */

static void add_rows(plain_cells *cells, const dip_column_rows *rows) {
    size_t end = cells->n > 0 ? cells->offset[cells->n] : 0;
    const size_t before = end;
    cells->offset = realloc(cells->offset, (cells->n + rows->n + 1) * sizeof *cells->offset);
    assert_non_null(cells->offset);
    cells->offset[0] = 0;
    for (size_t i = 0; i < rows->n; i++) {
        end += rows->counts[i];
        cells->offset[++cells->n] = end;
    }
    cells->code = realloc(cells->code, (end + 1) * sizeof *cells->code);
    assert_non_null(cells->code);
    if (end > before) {
        memcpy(cells->code + before, rows->codes, (end - before) * sizeof *cells->code);
    }
}

plain_cells plain_column(const dip_column_data *column, bool is_bag) {
    plain_cells cells = {0};
    dip_column_cursor cursor;
    dip_column_rows rows = {0};
    dip_column_begin(&cursor, column);
    do {
        check_ok(dip_column_next(&cursor, is_bag, &rows, check_error()));
        add_rows(&cells, &rows);
    } while (rows.n > 0);
    dip_column_rows_free(&rows);
    dip_column_end(&cursor);
    return cells;
}

static dip_columns columns_of(const dip_fit *fit, const dip_raw_entity *side,
                              const dip_entity *entity) {
    return (dip_columns){.entity = entity, .n = (int64_t)side->n, .raw = side, .kept = fit->kept};
}

plain_cells plain_final(const dip_fit *fit, const dip_raw_entity *side, const dip_entity *entity,
                        size_t f) {
    const dip_columns columns = columns_of(fit, side, entity);
    plain_cells cells = {0};
    dip_final final;
    dip_final_begin(&final, &columns, f);
    do {
        check_ok(dip_final_next(&final, check_error()));
        add_rows(&cells, &final.rows);
    } while (final.rows.n > 0);
    dip_final_end(&final);
    return cells;
}

void plain_cells_free(plain_cells *cells) {
    free(cells->offset);
    free(cells->code);
    *cells = (plain_cells){0};
}

void check_row_texts(const plain_cells *cells, size_t row, const plain_texts *texts,
                     const char *expected) {
    char joined[500] = "";
    assert_true(row < cells->n);
    for (size_t i = cells->offset[row]; i < cells->offset[row + 1]; i++) {
        assert_true(cells->code[i] >= 0 && (size_t)cells->code[i] < texts->n);
        snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s",
                 i > cells->offset[row] ? "~" : "", texts->text[cells->code[i]]);
    }
    assert_string_equal(joined, expected);
}

double *plain_numbers(const dip_spool *spool, size_t *n) {
    dip_spool_cursor cursor = {.spool = spool};
    *n = (size_t)dip_spool_bytes(spool) / sizeof(double);
    double *numbers = make(*n, sizeof *numbers);
    check_ok(dip_spool_get(&cursor, numbers, *n * sizeof *numbers, check_error()));
    dip_spool_cursor_free(&cursor);
    return numbers;
}

double *plain_final_numbers(const dip_fit *fit, const dip_raw_entity *side,
                            const dip_entity *entity, size_t f, size_t *n) {
    const dip_columns columns = columns_of(fit, side, entity);
    dip_final final;
    double piece[DIP_FINAL_NUMBERS];
    double *numbers = make(side->n, sizeof *numbers);
    size_t got = 0;
    *n = 0;
    dip_final_begin(&final, &columns, f);
    do {
        check_ok(dip_final_numbers(&final, piece, &got, check_error()));
        assert_true(*n + got <= side->n);
        memcpy(numbers + *n, piece, got * sizeof *numbers);
        *n += got;
    } while (got > 0);
    dip_final_end(&final);
    return numbers;
}

/* ---- pairs ----------------------------------------------------------------------------------- */

plain_pairs plain_pairs_of(const dip_pairs *pairs) {
    plain_pairs plain = {.query = make(pairs->n, sizeof *plain.query),
                         .item = make(pairs->n, sizeof *plain.item),
                         .time = pairs->has_time ? make(pairs->n, sizeof *plain.time) : NULL,
                         .part = pairs->has_part ? make(pairs->n, 1) : NULL};
    dip_pairs_cursor cursor;
    check_ok(dip_pairs_begin(&cursor, pairs, check_error()));
    do {
        check_ok(dip_pairs_next(&cursor, check_error()));
        assert_true(plain.n + cursor.chunk.n <= pairs->n);
        for (size_t i = 0; i < cursor.chunk.n; i++, plain.n++) {
            plain.query[plain.n] = cursor.chunk.rows[i][0];
            plain.item[plain.n] = cursor.chunk.rows[i][1];
            if (plain.time != NULL) {
                plain.time[plain.n] = cursor.chunk.times[i];
            }
            if (plain.part != NULL) {
                plain.part[plain.n] = cursor.chunk.parts[i];
            }
        }
    } while (cursor.chunk.n > 0);
    dip_pairs_end(&cursor);
    assert_int_equal(plain.n, pairs->n);
    return plain;
}

void plain_pairs_free(plain_pairs *plain) {
    free(plain->query);
    free(plain->item);
    free(plain->time);
    free(plain->part);
    *plain = (plain_pairs){0};
}

void plain_pairs_put(const plain_pairs *plain, dip_pairs *pairs) {
    for (size_t i = 0; i < plain->n; i++) {
        const int32_t rows[2] = {plain->query[i], plain->item[i]};
        check_ok(dip_spool_put(&pairs->rows, rows, sizeof rows, check_error()));
    }
    pairs->n = plain->n;
    pairs->has_time = plain->time != NULL;
    pairs->has_part = plain->part != NULL;
    if (pairs->has_time) {
        check_ok(dip_spool_put(&pairs->times, plain->time, plain->n * sizeof *plain->time,
                               check_error()));
    }
    if (pairs->has_part) {
        check_ok(dip_spool_put(&pairs->parts, plain->part, plain->n, check_error()));
    }
}

void plain_texts_number(const plain_texts *texts, dip_intern *intern) {
    dip_texts cells = {0};
    dip_texts *const one[1] = {&cells};
    dip_intern_stream stream;
    dip_intern_stream_init(&stream, NULL, true);
    for (size_t i = 0; i < texts->n; i++) {
        check_ok(dip_texts_add(&cells, texts->text[i], texts->length[i], check_error()));
    }
    check_ok(dip_texts_arrange(&cells, check_error()));
    check_ok(dip_intern_round(intern, &stream, one, 1, 1, check_error()));
    dip_intern_stream_free(&stream);
    dip_texts_free(&cells);
}
