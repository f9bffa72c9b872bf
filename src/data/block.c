/* SPDX-License-Identifier: Apache-2.0
 *
 * Blocks: what all formats share. A block's bytes are checked as a whole; only when something in it
 * is wrong is every record checked by itself, so that the error stands at its place and not before
 * those of earlier records.
 */
#include "base/mem.h"
#include "data/arrow_table.h"
#include "data/sheet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PAGE_BYTES = 1 << 18 };

void dip_block_reset(dip_block *block, const dip_sheet *sheet, size_t size, uint64_t line) {
    dip_arrow_block_free(block);
    block->sheet = sheet;
    block->size = size;
    block->at = 0;
    block->line = line;
    block->at_line = line;
    block->n_marks = 0;
    block->mark = 0;
    block->scanned = 0;
    block->quotes = (dip_quotes){0};
    block->is_checked = false;
    block->is_bad = false;
    while (block->pages != NULL && block->pages->next != NULL) {
        dip_page *next = block->pages->next;
        dip_free(block->pages);
        block->pages = next;
    }
    if (block->pages != NULL) {
        block->pages->used = 0;
    }
}

void dip_block_free(dip_block *block) {
    if (block == NULL) {
        return;
    }
    while (block->pages != NULL) {
        dip_page *next = block->pages->next;
        dip_free(block->pages);
        block->pages = next;
    }
    dip_arrow_block_free(block);
    dip_free(block->bytes);
    dip_free(block->marks);
    dip_free(block->fields);
    dip_free(block->all);
    dip_text_free(&block->text);
    memset(block, 0, sizeof *block);
}

dip_status dip_block_room(dip_block *block, size_t n, char **room, dip_error *err) {
    dip_page *page = block->pages;
    if (page == NULL || page->capacity - page->used < n) {
        const size_t usual = block->size < PAGE_BYTES ? block->size : PAGE_BYTES;
        const size_t capacity = n > usual ? n : usual;
        page = dip_alloc(1, sizeof *page + capacity, "the text of records", err);
        if (page == NULL) {
            return DIP_ERR_MEMORY;
        }
        *page = (dip_page){block->pages, 0, capacity};
        block->pages = page;
    }
    *room = page->text + page->used;
    page->used += n;
    return DIP_OK;
}

dip_status dip_block_keep(dip_block *block, const char *text, size_t length, dip_field *field,
                          dip_error *err) {
    char *room = NULL;
    DIP_TRY(dip_block_room(block, length + 1, &room, err));
    memcpy(room, text, length);
    room[length] = '\0';
    *field = (dip_field){room, length};
    return DIP_OK;
}

/* The first separator behind the beginning of the element before must be the one between them: the
 * end of an element and a separator of several bytes can make another one. */
static bool is_cut_again(const dip_text *text, size_t before, size_t begin, const char *separator) {
    const size_t width = strlen(separator);
    return strstr(text->data + begin, separator) == NULL &&
           (begin == 0 || strstr(text->data + before, separator) == text->data + begin - width);
}

dip_status dip_block_join(dip_block *block, size_t selected, const char *text, size_t length,
                          dip_error *err) {
    const char *separator = block->sheet->wanted[selected].separator;
    if (block->n_all++ > 0) {
        DIP_TRY(dip_text_put(&block->text, separator, strlen(separator), err));
    }
    const size_t before = block->element;
    block->element = block->text.length;
    DIP_TRY(dip_text_put(&block->text, text, length, err));
    if (!is_cut_again(&block->text, before, block->element, separator)) {
        return dip_block_fail(block, selected, err,
                              "the element \"%.60s\" contains the separator \"%s\", or makes one "
                              "with its neighbour; give the feature another \"separator\"",
                              block->text.data + block->element, separator);
    }
    return DIP_OK;
}

dip_status dip_block_begin_list(dip_block *block, size_t selected, dip_error *err) {
    block->n_all = 0;
    block->element = 0;
    dip_text_clear(&block->text);
    if (block->sheet->wanted[selected].separator == NULL) {
        return dip_block_fail(block, selected, err,
                              "a list is only read where there may be several values; make the "
                              "feature a bag, or the value plain");
    }
    return DIP_OK;
}

dip_status dip_block_end_list(dip_block *block, size_t selected, dip_error *err) {
    const char *text = block->text.length > 0 ? block->text.data : "";
    return dip_block_keep(block, text, block->text.length, &block->fields[selected], err);
}

/* The column of the byte at `place` of a record, counted from 1. */
static size_t column_at(const dip_sheet *sheet, const char *record, size_t place) {
    size_t column = 1;
    bool in_quotes = false;
    for (size_t i = 0; i < place; i++) {
        in_quotes ^= dip_sheet_has_quotes(sheet) && record[i] == '"';
        if (!in_quotes && place - i >= sheet->delimiter_length &&
            memcmp(record + i, sheet->delimiter, sheet->delimiter_length) == 0) {
            column++;
            i += sheet->delimiter_length - 1;
        }
    }
    return column;
}

static dip_status bad_utf8(const dip_sheet *sheet, uint64_t line, const char *record, size_t place,
                           dip_error *err) {
    static const char REMEDY[] = "is not valid UTF-8; convert the file, for example with iconv -f "
                                 "latin1 -t utf8, or say \"encoding: latin1\"";
    const unsigned byte = (unsigned char)record[place];
    if (dip_sheet_is_json(sheet)) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s:%llu: byte %zu of the line, 0x%02X, %s",
                        sheet->path, (unsigned long long)line, place + 1, byte, REMEDY);
    }
    const size_t column = column_at(sheet, record, place);
    const char *name = column <= sheet->n_columns ? sheet->names[column - 1] : "?";
    return dip_fail(err, DIP_ERR_FORMAT,
                    "%s:%llu: column %zu (%s): byte %zu of the line, 0x%02X, %s", sheet->path,
                    (unsigned long long)line, column, name, place + 1, byte, REMEDY);
}

dip_status dip_check_record(const dip_sheet *sheet, uint64_t line, const char *record,
                            size_t length, dip_error *err) {
    const char *nul = memchr(record, '\0', length);
    if (nul != NULL) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s:%llu: a NUL byte at byte %zu of the line",
                        sheet->path, (unsigned long long)line, (size_t)(nul - record) + 1);
    }
    const size_t bad = dip_utf8_check(record, length);
    return bad == length ? DIP_OK : bad_utf8(sheet, line, record, bad, err);
}

static void check_block(dip_block *block) {
    const unsigned kinds = dip_scanner_get()->kinds(block->bytes, block->size);
    block->is_bad =
        (kinds & DIP_BYTES_NUL) != 0 ||
        ((kinds & DIP_BYTES_HIGH) != 0 && dip_utf8_check(block->bytes, block->size) != block->size);
    block->is_checked = true;
}

/* The line feed that ends the record at `at`. */
static size_t find_end(const dip_block *block, size_t at) {
    bool in_quotes = false;
    while (block->bytes[at] != '\n' || in_quotes) {
        in_quotes ^= dip_sheet_has_quotes(block->sheet) && block->bytes[at] == '"';
        at++;
    }
    return at;
}

/* Checks the next record, ahead of its cutting. */
static dip_status check_next(const dip_block *block, dip_error *err) {
    size_t at = block->at;
    uint64_t line = block->at_line;
    while (at < block->size) {
        const size_t feed = find_end(block, at);
        const size_t end = feed > at && block->bytes[feed - 1] == '\r' ? feed - 1 : feed;
        if (end > at) {
            return dip_check_record(block->sheet, line, block->bytes + at, end - at, err);
        }
        at = feed + 1;
        line++;
    }
    return DIP_OK;
}

dip_status dip_block_next(dip_block *block, const dip_field **fields, dip_error *err) {
    const dip_sheet *sheet = block->sheet;
    if (block->at == block->size) {
        return DIP_END;
    }
    if (dip_sheet_is_arrow(sheet)) {
        DIP_TRY(dip_cut_arrow(block, err));
        *fields = block->fields;
        return DIP_OK;
    }
    if (!block->is_checked) {
        check_block(block);
    }
    if (block->is_bad) {
        DIP_TRY(check_next(block, err));
    }
    if (dip_sheet_is_json(sheet)) {
        DIP_TRY(dip_cut_json(block, err));
    } else if (dip_sheet_has_quotes(sheet)) {
        DIP_TRY(dip_cut_quoted(block, err));
    } else if (sheet->delimiter_length == 1) {
        DIP_TRY(dip_cut_plain(block, err));
    } else {
        DIP_TRY(dip_cut_delimited(block, err));
    }
    *fields = block->fields;
    return DIP_OK;
}

uint64_t dip_block_line(const dip_block *block) {
    return block->line;
}

const char *dip_block_path(const dip_block *block) {
    return block->sheet->path;
}

dip_status dip_block_fail(const dip_block *block, size_t selected, dip_error *err,
                          const char *format, ...) {
    const dip_sheet *sheet = block->sheet;
    const char *name = sheet->wanted[selected].name;
    char text[700];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (dip_sheet_is_arrow(sheet)) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s: row %llu: column %zu (%s): %s", sheet->path,
                        (unsigned long long)block->line, sheet->column[selected] + 1, name, text);
    }
    if (dip_sheet_is_json(sheet)) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s:%llu: key \"%s\": %s", sheet->path,
                        (unsigned long long)block->line, name, text);
    }
    return dip_fail(err, DIP_ERR_FORMAT, "%s:%llu: column %zu (%s): %s", sheet->path,
                    (unsigned long long)block->line, sheet->column[selected] + 1, name, text);
}
