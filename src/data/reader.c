/* SPDX-License-Identifier: Apache-2.0
 *
 * The buffer holds [start, filled) bytes not yet returned. A record is found by a scan that
 * remembers where it stopped, so that a record longer than one read costs linear time; its fields
 * are then cut in place.
 *
 *   buffer  | returned | record being scanned ... scan | not yet scanned ... filled |
 */
#include "data/reader.h"

#include "base/mem.h"
#include "base/text.h"
#include "data/stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { READ_BYTES = 1 << 20, SHOWN_BYTES = 60 };

struct dip_reader {
    dip_stream *stream;
    char *path;
    char separator;
    bool has_quotes;
    char *buffer;
    size_t capacity;
    size_t start;
    size_t scan;
    size_t filled;
    bool ended;
    uint64_t next_line; /* line number at `start` */
    uint64_t line;      /* line number of the current record */
    bool in_quotes;
    uint64_t quote_line;
    uint64_t scan_line;
    dip_field *fields;
    size_t n_fields;
    size_t field_capacity;
    char **header;
    size_t n_columns;
};

static dip_status detect_format(dip_reader *reader, const char *path, dip_error *err) {
    char *name = dip_copy_text(path, strlen(path), "a path", err);
    if (name == NULL) {
        return DIP_ERR_MEMORY;
    }
    if (dip_name_ends_with(name, ".gz")) {
        name[strlen(name) - 3] = '\0';
    } else if (dip_name_ends_with(name, ".zst")) {
        name[strlen(name) - 4] = '\0';
    }
    reader->has_quotes = dip_name_ends_with(name, ".csv");
    reader->separator = reader->has_quotes ? ',' : '\t';
    const bool is_known = reader->has_quotes || dip_name_ends_with(name, ".tsv");
    dip_free(name);
    if (!is_known) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "%s: the name must end in .tsv or .csv, with .gz or .zst after it when "
                        "compressed",
                        path);
    }
    return DIP_OK;
}

/* Moves what is left to the front and reads more behind it. */
static dip_status fill(dip_reader *reader, dip_error *err) {
    if (reader->start > 0) {
        memmove(reader->buffer, reader->buffer + reader->start, reader->filled - reader->start);
        reader->filled -= reader->start;
        reader->scan -= reader->start;
        reader->start = 0;
    }
    if (reader->filled > DIP_RECORD_LIMIT) {
        if (reader->in_quotes) {
            return dip_fail(
                err, DIP_ERR_FORMAT, "%s:%llu: a quote opened here is not closed within %d MiB",
                reader->path, (unsigned long long)reader->quote_line, DIP_RECORD_LIMIT >> 20);
        }
        return dip_fail(err, DIP_ERR_FORMAT,
                        "%s:%llu: the line is longer than %d MiB; is this the right file, and are "
                        "its line ends \\n?",
                        reader->path, (unsigned long long)reader->next_line,
                        DIP_RECORD_LIMIT >> 20);
    }
    DIP_TRY(dip_grow((void **)&reader->buffer, &reader->capacity, reader->filled + READ_BYTES + 1,
                     1, "input records", err));
    size_t got = 0;
    DIP_TRY(
        dip_stream_read(reader->stream, reader->buffer + reader->filled, READ_BYTES, &got, err));
    reader->filled += got;
    reader->ended = got == 0;
    return DIP_OK;
}

/* Looks for the line end that closes the record, from reader->scan on. True when it was found. */
static bool scan_plain(dip_reader *reader, size_t *end) {
    const char *found = memchr(reader->buffer + reader->scan, '\n', reader->filled - reader->scan);
    reader->scan = found != NULL ? (size_t)(found - reader->buffer) : reader->filled;
    *end = reader->scan;
    return found != NULL;
}

static bool scan_quoted(dip_reader *reader, size_t *end) {
    for (; reader->scan < reader->filled; reader->scan++) {
        const char c = reader->buffer[reader->scan];
        if (c == '"') {
            reader->in_quotes = !reader->in_quotes;
            reader->quote_line = reader->scan_line;
        } else if (c == '\n') {
            if (!reader->in_quotes) {
                *end = reader->scan;
                return true;
            }
            reader->scan_line++;
        }
    }
    *end = reader->filled;
    return false;
}

/* Finds the next record's bytes [*begin, *end), without its line end. */
static dip_status find_record(dip_reader *reader, size_t *begin, size_t *end, dip_error *err) {
    reader->in_quotes = false;
    reader->scan = reader->start;
    reader->scan_line = reader->next_line;
    while (!(reader->has_quotes ? scan_quoted(reader, end) : scan_plain(reader, end))) {
        if (reader->ended) {
            break;
        }
        DIP_TRY(fill(reader, err));
    }
    if (reader->in_quotes) {
        return dip_fail(err, DIP_ERR_FORMAT,
                        "%s:%llu: a quote opened here is never closed (inside a quoted field, a "
                        "quote is written twice)",
                        reader->path, (unsigned long long)reader->quote_line);
    }
    if (reader->start == reader->filled) {
        return DIP_END;
    }
    *begin = reader->start;
    *end = reader->scan;
    reader->line = reader->next_line;
    reader->next_line = reader->scan_line + 1;
    reader->start = reader->scan < reader->filled ? reader->scan + 1 : reader->scan;
    if (*end > *begin && reader->buffer[*end - 1] == '\r') {
        (*end)--;
    }
    return DIP_OK;
}

/* How many bytes of a text may be shown without cutting a character. */
static int shown_length(const char *text, size_t length) {
    if (length <= SHOWN_BYTES) {
        return (int)length;
    }
    size_t cut = SHOWN_BYTES;
    while (cut > 0 && ((unsigned char)text[cut] & 0xC0) == 0x80) {
        cut--;
    }
    return (int)cut;
}

static dip_status check_bytes(const dip_reader *reader, const char *record, size_t length,
                              dip_error *err) {
    const char *nul = memchr(record, '\0', length);
    if (nul != NULL) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s:%llu: a NUL byte at byte %zu of the line",
                        reader->path, (unsigned long long)reader->line, (size_t)(nul - record) + 1);
    }
    const size_t bad = dip_utf8_check(record, length);
    if (bad == length) {
        return DIP_OK;
    }
    size_t column = 1;
    bool in_quotes = false;
    for (size_t i = 0; i < bad; i++) {
        in_quotes ^= reader->has_quotes && record[i] == '"';
        column += record[i] == reader->separator && !in_quotes;
    }
    const char *name = column <= reader->n_columns ? reader->header[column - 1] : "?";
    return dip_fail(err, DIP_ERR_FORMAT,
                    "%s:%llu: column %zu (%s): byte %zu of the line, 0x%02X, is not valid UTF-8; "
                    "convert the file, for example with iconv -f latin1 -t utf8",
                    reader->path, (unsigned long long)reader->line, column, name, bad + 1,
                    (unsigned char)record[bad]);
}

static dip_status push_field(dip_reader *reader, const char *text, size_t length, dip_error *err) {
    DIP_TRY(dip_grow((void **)&reader->fields, &reader->field_capacity, reader->n_fields + 1,
                     sizeof *reader->fields, "fields of a record", err));
    reader->fields[reader->n_fields++] = (dip_field){text, length};
    return DIP_OK;
}

static dip_status cut_plain(dip_reader *reader, char *record, size_t length, dip_error *err) {
    char *const end = record + length;
    char *at = record;
    while (at <= end) {
        char *stop = memchr(at, reader->separator, (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        *stop = '\0';
        DIP_TRY(push_field(reader, at, (size_t)(stop - at), err));
        at = stop + 1;
    }
    return DIP_OK;
}

/* Unquotes one field in place: returns where the field ends in the input, its text in [at,
 * *length). */
static char *unquote(char *at, char *end, size_t *length) {
    char *source = at + 1;
    char *target = at;
    while (source < end) {
        if (*source != '"') {
            *target++ = *source++;
        } else if (source + 1 < end && source[1] == '"') {
            *target++ = '"';
            source += 2;
        } else {
            source++;
            break;
        }
    }
    *length = (size_t)(target - at);
    return source;
}

/* The field's text so far, and what stands from the unexpected byte to the next comma. */
static dip_status stray_quote(const dip_reader *reader, const char *text, size_t length,
                              const char *rest, dip_error *err) {
    const size_t rest_length = strcspn(rest, ",");
    return dip_fail(err, DIP_ERR_FORMAT,
                    "%s:%llu: column %zu: a quote stands inside or behind a field (\"%.*s%.*s\"); "
                    "quote the whole field and double the quotes in it",
                    reader->path, (unsigned long long)reader->line, reader->n_fields + 1,
                    shown_length(text, length), text, shown_length(rest, rest_length), rest);
}

static dip_status cut_quoted(dip_reader *reader, char *record, size_t length, dip_error *err) {
    char *const end = record + length;
    *end = '\0';
    char *at = record;
    for (;;) {
        size_t size = 0;
        char *stop = NULL;
        if (at < end && *at == '"') {
            stop = unquote(at, end, &size);
        } else {
            stop = at + strcspn(at, ",\"");
            size = (size_t)(stop - at);
        }
        if (stop < end && *stop != reader->separator) {
            return stray_quote(reader, at, size, stop, err);
        }
        const bool is_last = stop >= end;
        at[size] = '\0';
        DIP_TRY(push_field(reader, at, size, err));
        if (is_last) {
            return DIP_OK;
        }
        at = stop + 1;
    }
}

/* Reads one non-empty record into reader->fields. */
static dip_status read_fields(dip_reader *reader, dip_error *err) {
    size_t begin = 0;
    size_t end = 0;
    do {
        DIP_TRY(find_record(reader, &begin, &end, err));
    } while (begin == end);
    char *record = reader->buffer + begin;
    const size_t length = end - begin;
    DIP_TRY(check_bytes(reader, record, length, err));
    reader->n_fields = 0;
    return reader->has_quotes ? cut_quoted(reader, record, length, err)
                              : cut_plain(reader, record, length, err);
}

static dip_status check_header(dip_reader *reader, dip_error *err) {
    for (size_t i = 0; i < reader->n_columns; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(reader->header[i], reader->header[j]) == 0) {
                return dip_fail(err, DIP_ERR_FORMAT, "%s:1: column \"%s\" is named twice",
                                reader->path, reader->header[i]);
            }
        }
    }
    return DIP_OK;
}

static dip_status read_header(dip_reader *reader, dip_error *err) {
    do {
        DIP_TRY(fill(reader, err));
    } while (reader->filled < 3 && !reader->ended);
    if (reader->filled >= 3 && memcmp(reader->buffer, "\xEF\xBB\xBF", 3) == 0) {
        reader->start = 3;
    }
    const dip_status status = read_fields(reader, err);
    if (status == DIP_END) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s is empty; its first line must name the columns",
                        reader->path);
    }
    DIP_TRY(status);
    if (reader->n_fields > DIP_COLUMN_LIMIT) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s:1: %zu columns, more than %d", reader->path,
                        reader->n_fields, DIP_COLUMN_LIMIT);
    }
    reader->header = dip_alloc(reader->n_fields, sizeof *reader->header, "column names", err);
    if (reader->header == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < reader->n_fields; i++) {
        reader->header[i] =
            dip_copy_text(reader->fields[i].text, reader->fields[i].length, "a column name", err);
        if (reader->header[i] == NULL) {
            return DIP_ERR_MEMORY;
        }
        reader->n_columns = i + 1;
    }
    return check_header(reader, err);
}

static dip_status open_reader(dip_reader *reader, const char *path, dip_error *err) {
    reader->path = dip_copy_text(path, strlen(path), "a path", err);
    if (reader->path == NULL) {
        return DIP_ERR_MEMORY;
    }
    DIP_TRY(detect_format(reader, path, err));
    DIP_TRY(dip_stream_open(&reader->stream, path, err));
    return read_header(reader, err);
}

dip_status dip_reader_open(dip_reader **out, const char *path, dip_error *err) {
    dip_reader *reader = dip_alloc(1, sizeof *reader, "a record reader", err);
    if (reader == NULL) {
        return DIP_ERR_MEMORY;
    }
    reader->next_line = 1;
    const dip_status status = open_reader(reader, path, err);
    if (status != DIP_OK) {
        dip_reader_close(reader);
        return status;
    }
    *out = reader;
    return DIP_OK;
}

dip_status dip_reader_column(const dip_reader *reader, const char *name, size_t *column,
                             dip_error *err) {
    char known[400] = "";
    size_t used = 0;
    const char *nearest = NULL;
    unsigned best = UINT32_MAX;
    for (size_t i = 0; i < reader->n_columns; i++) {
        if (strcmp(reader->header[i], name) == 0) {
            *column = i;
            return DIP_OK;
        }
        unsigned distance = 0;
        if (dip_spelling_is_near(name, reader->header[i], &distance) && distance < best) {
            best = distance;
            nearest = reader->header[i];
        }
        if (used < sizeof known - 1) {
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                     reader->header[i]);
        }
    }
    return dip_fail(err, DIP_ERR_FORMAT,
                    "%s:1: there is no column \"%s\"%s%s%s; the columns are %s", reader->path, name,
                    nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "",
                    nearest != NULL ? "\"?" : "", known);
}

dip_status dip_reader_next(dip_reader *reader, const dip_field **fields, dip_error *err) {
    DIP_TRY(read_fields(reader, err));
    if (reader->n_fields != reader->n_columns) {
        const dip_field *last = &reader->fields[reader->n_fields - 1];
        return dip_fail(err, DIP_ERR_FORMAT,
                        "%s:%llu: %zu fields where the header has %zu; the last one is \"%.*s\"",
                        reader->path, (unsigned long long)reader->line, reader->n_fields,
                        reader->n_columns, shown_length(last->text, last->length), last->text);
    }
    *fields = reader->fields;
    return DIP_OK;
}

uint64_t dip_reader_line(const dip_reader *reader) {
    return reader->line;
}

const char *dip_reader_path(const dip_reader *reader) {
    return reader->path;
}

uint64_t dip_reader_position(const dip_reader *reader) {
    return dip_stream_position(reader->stream);
}

uint64_t dip_reader_size(const dip_reader *reader) {
    return dip_stream_size(reader->stream);
}

dip_status dip_reader_fail(const dip_reader *reader, size_t column, dip_error *err,
                           const char *format, ...) {
    char text[700];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return dip_fail(err, DIP_ERR_FORMAT, "%s:%llu: column %zu (%s): %s", reader->path,
                    (unsigned long long)reader->line, column + 1, reader->header[column], text);
}

void dip_reader_close(dip_reader *reader) {
    if (reader == NULL) {
        return;
    }
    for (size_t i = 0; i < reader->n_columns; i++) {
        dip_free(reader->header[i]);
    }
    dip_free(reader->header);
    dip_free(reader->fields);
    dip_free(reader->buffer);
    dip_free(reader->path);
    dip_stream_close(reader->stream);
    dip_free(reader);
}
