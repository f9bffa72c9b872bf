/* SPDX-License-Identifier: Apache-2.0
 *
 * Cutting delimited records. The scanner runs ahead by one piece of the block and leaves the places
 * of separators; a record is then a walk over places, without a look at the bytes between them.
 *
 *   bytes   a TAB b b TAB c LF d d ...      marks   1 4 6 ...
 *
 * The walk only follows records that are as they should be. Any other one (too few or too many
 * fields, doubled or stray quotes) is still untouched then, and is cut again byte by byte by
 * dip_cut_all(), which knows every case and its error.
 */
#include "base/mem.h"
#include "data/sheet.h"

#include <string.h>

enum { PIECE_BYTES = 1 << 15 };

/* ---- byte by byte ---------------------------------------------------------------------------- */

static dip_status push_field(dip_block *block, const char *text, size_t length, dip_error *err) {
    DIP_TRY(dip_grow((void **)&block->all, &block->all_capacity, block->n_all + 1,
                     sizeof *block->all, "fields of a record", err));
    block->all[block->n_all++] = (dip_field){text, length};
    return DIP_OK;
}

/* The next delimiter in [at, end), or end. */
static char *find_delimiter(const dip_sheet *sheet, char *at, char *end) {
    const size_t width = sheet->delimiter_length;
    while ((size_t)(end - at) >= width) {
        at = memchr(at, sheet->separator, (size_t)(end - at) - width + 1);
        if (at == NULL) {
            return end;
        }
        if (width == 1 || memcmp(at, sheet->delimiter, width) == 0) {
            return at;
        }
        at++;
    }
    return end;
}

static dip_status cut_unquoted(dip_block *block, char *at, char *end, dip_error *err) {
    for (;;) {
        char *stop = find_delimiter(block->sheet, at, end);
        const bool is_last = stop == end;
        *stop = '\0';
        DIP_TRY(push_field(block, at, (size_t)(stop - at), err));
        if (is_last) {
            return DIP_OK;
        }
        at = stop + block->sheet->delimiter_length;
    }
}

/* Unquotes one field in place: returns where the field ends in the input, its text in [at,
 * *length). */
static char *unquote(char *at, char *end, size_t *length) {
    char *source = at + 1;
    char *target = at;
    for (;;) {
        char *quote = memchr(source, '"', (size_t)(end - source));
        char *stop = quote != NULL ? quote : end;
        memmove(target, source, (size_t)(stop - source));
        target += stop - source;
        source = stop + (quote != NULL);
        if (quote == NULL || source == end || *source != '"') {
            break;
        }
        *target++ = *source++;
    }
    *length = (size_t)(target - at);
    return source;
}

/* The field's text so far, and what stands from the unexpected byte to the next separator. */
static dip_status stray_quote(const dip_block *block, const char *text, size_t length,
                              const char *rest, dip_error *err) {
    const char separator[2] = {block->sheet->separator, '\0'};
    const size_t rest_length = strcspn(rest, separator);
    return dip_fail(err, DIP_ERR_FORMAT,
                    "%s:%llu: column %zu: a quote stands inside or behind a field (\"%.*s%.*s\"); "
                    "quote the whole field and double the quotes in it",
                    block->sheet->path, (unsigned long long)block->line, block->n_all + 1,
                    dip_shown_length(text, length), text, dip_shown_length(rest, rest_length),
                    rest);
}

static dip_status cut_with_quotes(dip_block *block, char *at, char *end, dip_error *err) {
    const char separator = block->sheet->separator;
    const char stops[3] = {'"', separator, '\0'};
    for (;;) {
        size_t size = 0;
        char *stop = NULL;
        if (at < end && *at == '"') {
            stop = unquote(at, end, &size);
        } else {
            stop = at + strcspn(at, stops);
            size = (size_t)(stop - at);
        }
        if (stop < end && *stop != separator) {
            return stray_quote(block, at, size, stop, err);
        }
        const bool is_last = stop >= end;
        at[size] = '\0';
        DIP_TRY(push_field(block, at, size, err));
        if (is_last) {
            return DIP_OK;
        }
        at = stop + 1;
    }
}

dip_status dip_cut_all(dip_block *block, size_t begin, size_t end, dip_error *err) {
    char *bytes = block->bytes;
    block->n_all = 0;
    bytes[end] = '\0';
    return dip_sheet_has_quotes(block->sheet)
               ? cut_with_quotes(block, bytes + begin, bytes + end, err)
               : cut_unquoted(block, bytes + begin, bytes + end, err);
}

/* ---- marks ----------------------------------------------------------------------------------- */

/* Looks through the next pieces until there is a mark. One is always found, because the block ends
 * with a line feed outside quotes and is asked for marks only before its end. */
static void find_more(dip_block *block) {
    const dip_sheet *sheet = block->sheet;
    const dip_scanner *scanner = dip_scanner_get();
    block->mark = 0;
    block->n_marks = 0;
    while (block->n_marks == 0 && block->scanned < block->size) {
        const char *text = block->bytes + block->scanned;
        const size_t left = block->size - block->scanned;
        const size_t piece = left < PIECE_BYTES ? left : PIECE_BYTES;
        const uint32_t base = (uint32_t)block->scanned;
        const char separator = sheet->delimiter_length > 1 ? '\n' : sheet->separator;
        block->n_marks =
            dip_sheet_has_quotes(sheet)
                ? scanner->find_quoted(text, piece, separator, base, &block->quotes, block->marks)
                : scanner->find_marks(text, piece, separator, base, block->marks);
        block->scanned += piece;
    }
}

static inline size_t next_mark(dip_block *block) {
    if (block->mark == block->n_marks) {
        find_more(block);
    }
    return block->marks[block->mark++];
}

/* The line feed that ends the record, when `mark` is not yet it. */
static size_t last_mark(dip_block *block, size_t mark) {
    while (block->bytes[mark] != '\n') {
        mark = next_mark(block);
    }
    return mark;
}

/* Empty lines have one mark, their line feed. */
static bool skip_empty_lines(dip_block *block) {
    while (block->at < block->size) {
        const char *text = block->bytes + block->at;
        if (text[0] != '\n' && (text[0] != '\r' || text[1] != '\n')) {
            return true;
        }
        block->at = next_mark(block) + 1;
        block->at_line++;
    }
    return false;
}

/* ---- records --------------------------------------------------------------------------------- */

/* Room for fields and marks, and the record's line; DIP_END when there is no record. */
static dip_status begin_record(dip_block *block, dip_error *err) {
    const size_t n_fields = block->sheet->n_wanted + 1;
    const size_t n_marks = block->size < PIECE_BYTES ? block->size : PIECE_BYTES;
    if (block->mark_capacity < n_marks) {
        DIP_TRY(dip_grow((void **)&block->marks, &block->mark_capacity, n_marks,
                         sizeof *block->marks, "places of separators", err));
    }
    if (block->field_capacity < n_fields) {
        DIP_TRY(dip_grow((void **)&block->fields, &block->field_capacity, n_fields,
                         sizeof *block->fields, "fields of a record", err));
    }
    if (!skip_empty_lines(block)) {
        return DIP_END;
    }
    block->line = block->at_line;
    return DIP_OK;
}

/* The end of a record's text, whose line feed is at `mark`. */
static inline size_t text_end(const dip_block *block, size_t begin, size_t mark) {
    return mark > begin && block->bytes[mark - 1] == '\r' ? mark - 1 : mark;
}

/* Line feeds inside quotes; before the record's bytes are changed. */
static void count_quoted_breaks(dip_block *block, size_t mark) {
    const char *at = block->bytes + block->at;
    const char *end = block->bytes + mark;
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        block->at_line++;
        at++;
    }
}

/* Ends the wanted fields with NUL and goes on behind the line feed at `mark`. */
static inline void end_record(dip_block *block, size_t mark) {
    const dip_sheet *sheet = block->sheet;
    dip_field *fields = block->fields;
    char *bytes = block->bytes;
    for (size_t i = 0; i < sheet->n_repeats; i++) {
        fields[sheet->repeat[2 * i]] = fields[sheet->repeat[2 * i + 1]];
    }
    for (size_t i = 0; i < sheet->n_wanted; i++) {
        bytes[(size_t)(fields[i].text - bytes) + fields[i].length] = '\0';
    }
    block->at = mark + 1;
    block->at_line++;
}

/* Cuts the record from block->at to the line feed behind `mark` byte by byte. */
static dip_status cut_slowly(dip_block *block, size_t mark, dip_error *err) {
    const dip_sheet *sheet = block->sheet;
    const size_t begin = block->at;
    mark = last_mark(block, mark);
    count_quoted_breaks(block, mark);
    DIP_TRY(dip_cut_all(block, begin, text_end(block, begin, mark), err));
    if (block->n_all != sheet->n_columns) {
        const dip_field *last = &block->all[block->n_all - 1];
        return dip_fail(err, DIP_ERR_FORMAT,
                        "%s:%llu: %zu fields where %s has %zu; the last one is \"%.*s\"",
                        sheet->path, (unsigned long long)block->line, block->n_all,
                        sheet->has_header ? "the header" : "\"columns\"", sheet->n_columns,
                        dip_shown_length(last->text, last->length), last->text);
    }
    for (size_t c = 0; c < sheet->n_columns; c++) {
        block->fields[sheet->target[c]] = block->all[c];
    }
    end_record(block, mark);
    return DIP_OK;
}

dip_status dip_cut_plain(dip_block *block, dip_error *err) {
    DIP_TRY(begin_record(block, err));
    const dip_sheet *sheet = block->sheet;
    const char *bytes = block->bytes;
    const uint32_t *target = sheet->target;
    const size_t last = sheet->n_columns - 1;
    dip_field *fields = block->fields;
    size_t begin = block->at;
    for (size_t c = 0; c < last; c++) {
        const size_t mark = next_mark(block);
        if (bytes[mark] == '\n') {
            return cut_slowly(block, mark, err);
        }
        fields[target[c]] = (dip_field){bytes + begin, mark - begin};
        begin = mark + 1;
    }
    const size_t mark = next_mark(block);
    if (bytes[mark] != '\n') {
        return cut_slowly(block, mark, err);
    }
    fields[target[last]] = (dip_field){bytes + begin, text_end(block, begin, mark) - begin};
    end_record(block, mark);
    return DIP_OK;
}

/* One field that begins at `begin`; *mark becomes the separator or line feed behind it. False when
 * it is not plain text, or text in one pair of quotes. */
static inline bool walk_field(dip_block *block, size_t begin, dip_field *field, size_t *mark) {
    const char *bytes = block->bytes;
    *mark = next_mark(block);
    if (bytes[*mark] != '"') {
        const size_t end = bytes[*mark] == '\n' ? text_end(block, begin, *mark) : *mark;
        *field = (dip_field){bytes + begin, end - begin};
        return true;
    }
    if (*mark != begin) {
        return false;
    }
    const size_t closing = next_mark(block);
    *mark = next_mark(block);
    *field = (dip_field){bytes + begin + 1, closing - begin - 1};
    return bytes[*mark] != '"' &&
           (*mark == closing + 1 ||
            (bytes[*mark] == '\n' && *mark == closing + 2 && bytes[closing + 1] == '\r'));
}

dip_status dip_cut_quoted(dip_block *block, dip_error *err) {
    DIP_TRY(begin_record(block, err));
    const dip_sheet *sheet = block->sheet;
    const char *bytes = block->bytes;
    const uint32_t *target = sheet->target;
    const size_t last = sheet->n_columns - 1;
    dip_field *fields = block->fields;
    size_t begin = block->at;
    size_t mark = 0;
    for (size_t c = 0; c <= last; c++) {
        if (!walk_field(block, begin, &fields[target[c]], &mark) ||
            (bytes[mark] == '\n') != (c == last)) {
            return cut_slowly(block, mark, err);
        }
        begin = mark + 1;
    }
    if (block->quotes.has_breaks) {
        count_quoted_breaks(block, mark);
    }
    end_record(block, mark);
    return DIP_OK;
}

dip_status dip_cut_delimited(dip_block *block, dip_error *err) {
    DIP_TRY(begin_record(block, err));
    return cut_slowly(block, next_mark(block), err);
}
