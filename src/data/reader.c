/* SPDX-License-Identifier: Apache-2.0
 *
 * Files, headers, the choice of columns, and blocks.
 */
#include "data/reader.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/names.h"
#include "data/arrow_table.h"
#include "data/feed.h"
#include "data/sheet.h"

#include <stdio.h>
#include <string.h>

/* Keys of JSON lines are looked for in this many records at the beginning of a file. */
enum { JSON_RECORDS = 1000 };

struct dip_reader {
    dip_names columns; /* of the dialect */
    char *delimiter;
    dip_dialect dialect;
    dip_sheet **sheets; /* [n_sheets], of which [0, n_opened) have been opened */
    size_t n_sheets;
    size_t n_opened;
    dip_wanted *wanted;
    size_t n_wanted;
    bool is_selected;
    char *name;

    dip_feed feed;
    dip_arrow_table *arrow; /* instead of the feed's stream, while an Arrow file is open */
    uint64_t arrow_bytes;   /* its size */
    uint64_t line;          /* of the first byte that the feed has not given yet */
    uint64_t size;
};

static dip_sheet *open_sheet(const dip_reader *reader) {
    return reader->sheets[reader->n_opened - 1];
}

/* ---- records without an end ------------------------------------------------------------------ */

/* The record that begins at data[begin], on `line`, is not closed in what was read. */
static dip_status unclosed(const dip_reader *reader, const char *data, size_t begin, size_t end,
                           uint64_t line, dip_error *err) {
    uint64_t quote_line = line;
    for (size_t i = begin; i < end; i++) {
        quote_line = data[i] == '"' ? line : quote_line;
        line += data[i] == '\n';
    }
    const char *path = open_sheet(reader)->path;
    if (reader->feed.has_ended) {
        return dip_fail(err, DIP_ERR_FORMAT,
                        "%s:%llu: a quote opened here is never closed (inside a quoted field, a "
                        "quote is written twice)",
                        path, (unsigned long long)quote_line);
    }
    return dip_fail(err, DIP_ERR_FORMAT, "%s:%llu: a quote opened here is not closed within %d MiB",
                    path, (unsigned long long)quote_line, DIP_RECORD_LIMIT >> 20);
}

static dip_status too_long(const dip_reader *reader, dip_error *err) {
    return dip_fail(err, DIP_ERR_FORMAT,
                    "%s:%llu: the line is longer than %d MiB; is this the right file, and are its "
                    "line ends \\n?",
                    open_sheet(reader)->path, (unsigned long long)reader->line,
                    DIP_RECORD_LIMIT >> 20);
}

/* ---- headers --------------------------------------------------------------------------------- */

/* The line feed that ends the record at carry[begin], or `filled`. *breaks counts the line feeds
 * before it, *in_quotes says where the search ended. */
static size_t find_end(const dip_reader *reader, size_t begin, uint64_t *breaks, bool *in_quotes) {
    const bool has_quotes = dip_sheet_has_quotes(open_sheet(reader));
    *breaks = 0;
    *in_quotes = false;
    for (size_t at = begin; at < reader->feed.filled; at++) {
        const char c = reader->feed.carry[at];
        *in_quotes ^= has_quotes && c == '"';
        if (c == '\n' && !*in_quotes) {
            return at;
        }
        *breaks += c == '\n';
    }
    return reader->feed.filled;
}

/* The bytes of the record at `start`, without its line end, and where the next one begins. DIP_END
 * when there is none. */
static dip_status first_record(dip_reader *reader, size_t *end, size_t *next, uint64_t *breaks,
                               dip_error *err) {
    bool in_quotes = false;
    size_t feed = 0;
    while ((feed = find_end(reader, reader->feed.start, breaks, &in_quotes)) ==
               reader->feed.filled &&
           !reader->feed.has_ended) {
        if (reader->feed.filled - reader->feed.start > DIP_RECORD_LIMIT) {
            return in_quotes ? unclosed(reader, reader->feed.carry, reader->feed.start,
                                        reader->feed.filled, reader->line, err)
                             : too_long(reader, err);
        }
        DIP_TRY(dip_feed_extend(&reader->feed, err));
    }
    if (in_quotes) {
        return unclosed(reader, reader->feed.carry, reader->feed.start, reader->feed.filled,
                        reader->line, err);
    }
    if (reader->feed.start == reader->feed.filled) {
        return DIP_END;
    }
    *next = feed < reader->feed.filled ? feed + 1 : feed;
    *end = feed > reader->feed.start && reader->feed.carry[feed - 1] == '\r' ? feed - 1 : feed;
    return DIP_OK;
}

static dip_status set_names(dip_sheet *sheet, const dip_block *block, dip_error *err) {
    if (block->n_all > DIP_COLUMN_LIMIT) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s:1: %zu columns, more than %d", sheet->path,
                        block->n_all, DIP_COLUMN_LIMIT);
    }
    for (size_t i = 0; i < block->n_all; i++) {
        bool is_new = false;
        DIP_TRY(dip_sheet_add_name(sheet, block->all[i].text, block->all[i].length, &is_new, err));
        if (!is_new) {
            return dip_fail(err, DIP_ERR_FORMAT, "%s:1: column \"%s\" is named twice", sheet->path,
                            block->all[i].text);
        }
    }
    return DIP_OK;
}

static dip_status read_header(dip_reader *reader, dip_error *err) {
    dip_sheet *sheet = open_sheet(reader);
    size_t end = 0;
    size_t next = 0;
    uint64_t breaks = 0;
    for (;;) {
        const dip_status status = first_record(reader, &end, &next, &breaks, err);
        if (status == DIP_END) {
            return dip_fail(err, DIP_ERR_FORMAT,
                            "%s is empty; its first line must name the columns", sheet->path);
        }
        DIP_TRY(status);
        if (end > reader->feed.start) {
            break;
        }
        reader->feed.start = next;
        reader->line++;
    }
    char *record = reader->feed.carry + reader->feed.start;
    dip_block block = {.sheet = sheet, .bytes = record, .line = reader->line};
    DIP_TRY(dip_check_record(sheet, reader->line, record, end - reader->feed.start, err));
    dip_status status = dip_cut_all(&block, 0, end - reader->feed.start, err);
    if (status == DIP_OK) {
        status = set_names(sheet, &block, err);
    }
    dip_free(block.all);
    reader->feed.start = next;
    reader->line += breaks + 1;
    return status;
}

/* How many whole lines the carry holds, up to JSON_RECORDS. */
static size_t count_lines(const dip_reader *reader) {
    size_t n = 0;
    for (size_t at = reader->feed.start; at < reader->feed.filled && n < JSON_RECORDS; at++) {
        n += reader->feed.carry[at] == '\n';
    }
    return n;
}

/* Adds the keys of the records in the carry, up to JSON_RECORDS. A record that is wrong ends the
 * search: it is reported when its block is cut, unless it is the first. */
static dip_status add_keys(dip_reader *reader, size_t *n, dip_error *err) {
    uint64_t line = reader->line;
    *n = 0;
    for (size_t at = reader->feed.start; at < reader->feed.filled && *n < JSON_RECORDS; line++) {
        const char *text = reader->feed.carry + at;
        const char *feed = memchr(text, '\n', reader->feed.filled - at);
        const size_t length = feed != NULL ? (size_t)(feed - text) : reader->feed.filled - at;
        const size_t kept = length - (length > 0 && text[length - 1] == '\r');
        at += length + 1;
        if (kept == 0 || (feed == NULL && !reader->feed.has_ended)) {
            continue;
        }
        dip_error problem = {0};
        const dip_status status = dip_json_keys(open_sheet(reader), line, text, kept, &problem);
        if (status != DIP_OK && (*n == 0 || status != DIP_ERR_FORMAT)) {
            return dip_fail(err, status, "%s", problem.message);
        }
        if (status != DIP_OK) {
            break;
        }
        ++*n;
    }
    return DIP_OK;
}

/* The keys of the first records of JSON lines are its columns. */
static dip_status read_keys(dip_reader *reader, dip_error *err) {
    size_t n = 0;
    while (!reader->feed.has_ended && count_lines(reader) < JSON_RECORDS &&
           reader->feed.filled - reader->feed.start < DIP_RECORD_LIMIT) {
        DIP_TRY(dip_feed_extend(&reader->feed, err));
    }
    DIP_TRY(add_keys(reader, &n, err));
    if (n == 0 && !reader->feed.has_ended) {
        return too_long(reader, err);
    }
    if (n == 0) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s is empty; each of its lines must be an object",
                        open_sheet(reader)->path);
    }
    return DIP_OK;
}

/* ---- files ----------------------------------------------------------------------------------- */

static dip_status skip_byte_order_mark(dip_reader *reader, dip_error *err) {
    while (reader->feed.filled < 3 && !reader->feed.has_ended) {
        DIP_TRY(dip_feed_extend(&reader->feed, err));
    }
    if (reader->feed.filled >= 3 && memcmp(reader->feed.carry, "\xEF\xBB\xBF", 3) == 0) {
        reader->feed.start = 3;
    }
    return DIP_OK;
}

static dip_status select_wanted(dip_reader *reader, dip_sheet *sheet, dip_error *err) {
    return reader->is_selected ? dip_sheet_select(sheet, reader->wanted, reader->n_wanted, err)
                               : DIP_OK;
}

static dip_status open_file(dip_reader *reader, dip_error *err) {
    dip_sheet *sheet = reader->sheets[reader->n_opened++];
    reader->line = 1;
    if (dip_sheet_is_arrow(sheet)) {
        DIP_TRY(dip_path_size(sheet->path, &reader->arrow_bytes, err));
        DIP_TRY(dip_arrow_open(&reader->arrow, sheet, err));
        return select_wanted(reader, sheet, err);
    }
    DIP_TRY(dip_feed_open(&reader->feed, sheet->path, err));
    DIP_TRY(skip_byte_order_mark(reader, err));
    if (sheet->has_header) {
        DIP_TRY(read_header(reader, err));
    } else if (dip_sheet_is_json(sheet) && reader->n_opened == 1) {
        DIP_TRY(read_keys(reader, err));
    }
    return select_wanted(reader, sheet, err);
}

/* Closes what is open, if anything is. */
static void close_file(dip_reader *reader) {
    if (reader->arrow != NULL) {
        reader->feed.finished += reader->arrow_bytes;
        dip_arrow_close(reader->arrow);
        reader->arrow = NULL;
    }
    dip_feed_close(&reader->feed);
}

/* Every file is looked at before the first is read, so that a missing one, or one of an unknown
 * format, is known early. */
static dip_status add_files(dip_reader *reader, const char *const *paths, size_t n,
                            dip_error *err) {
    reader->sheets = dip_alloc(n, sizeof *reader->sheets, "input files", err);
    if (reader->sheets == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        DIP_TRY(dip_sheet_create(&reader->sheets[i], paths[i], &reader->dialect, err));
        reader->n_sheets = i + 1;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t bytes = 0;
        DIP_TRY(dip_path_size(paths[i], &bytes, err));
        reader->size += bytes;
    }
    return DIP_OK;
}

static dip_status copy_dialect(dip_reader *reader, const dip_dialect *dialect, dip_error *err) {
    dip_dialect *own = &reader->dialect;
    *own = *dialect;
    own->block_bytes = dialect->block_bytes > 0 ? dialect->block_bytes : DIP_BLOCK_BYTES;
    DIP_TRY(dip_names_add_all(&reader->columns, dialect->columns, dialect->n_columns, err));
    own->columns = (const char *const *)reader->columns.name;
    if (dialect->delimiter != NULL) {
        const size_t length = strlen(dialect->delimiter);
        reader->delimiter = dip_copy_text(dialect->delimiter, length, "a delimiter", err);
        own->delimiter = reader->delimiter;
        return reader->delimiter != NULL ? DIP_OK : DIP_ERR_MEMORY;
    }
    return DIP_OK;
}

static dip_status set_name(dip_reader *reader, dip_error *err) {
    dip_text text = {0};
    const char *first = reader->sheets[0]->path;
    dip_status status = dip_text_put(&text, first, strlen(first), err);
    if (status == DIP_OK && reader->n_sheets > 1) {
        status = dip_text_printf(&text, err, " and %zu more", reader->n_sheets - 1);
    }
    reader->name = text.data;
    return status;
}

static dip_status open_reader(dip_reader *reader, const char *const *paths, size_t n_paths,
                              const dip_dialect *dialect, dip_error *err) {
    if (n_paths == 0) {
        return dip_fail(err, DIP_ERR_USAGE, "a table has at least one file");
    }
    DIP_TRY(copy_dialect(reader, dialect, err));
    reader->feed.is_latin1 = dialect->encoding == DIP_ENCODING_LATIN1;
    reader->feed.step = reader->dialect.block_bytes;
    DIP_TRY(add_files(reader, paths, n_paths, err));
    DIP_TRY(set_name(reader, err));
    return open_file(reader, err);
}

dip_status dip_reader_open(dip_reader **out, const char *const *paths, size_t n_paths,
                           const dip_dialect *dialect, dip_error *err) {
    static const dip_dialect BY_NAME = {0};
    dip_reader *reader = dip_alloc(1, sizeof *reader, "a record reader", err);
    if (reader == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status =
        open_reader(reader, paths, n_paths, dialect != NULL ? dialect : &BY_NAME, err);
    if (status != DIP_OK) {
        dip_reader_close(reader);
        return status;
    }
    *out = reader;
    return DIP_OK;
}

/* ---- columns --------------------------------------------------------------------------------- */

dip_status dip_reader_column(const dip_reader *reader, const char *name, size_t *column,
                             dip_error *err) {
    return dip_sheet_find(reader->sheets[0], name, column, err);
}

static dip_status want(dip_reader *reader, size_t column, const char *separator, dip_error *err) {
    const char *name = reader->sheets[0]->names[column];
    dip_wanted *wanted = &reader->wanted[reader->n_wanted++];
    wanted->name = dip_copy_text(name, strlen(name), "a column name", err);
    if (wanted->name == NULL) {
        return DIP_ERR_MEMORY;
    }
    wanted->length = strlen(name);
    if (separator != NULL) {
        wanted->separator = dip_copy_text(separator, strlen(separator), "a separator", err);
        return wanted->separator != NULL ? DIP_OK : DIP_ERR_MEMORY;
    }
    return DIP_OK;
}

dip_status dip_reader_select(dip_reader *reader, const size_t *columns,
                             const char *const *separators, size_t n, dip_error *err) {
    reader->wanted = dip_alloc(n, sizeof *reader->wanted, "wanted columns", err);
    if (reader->wanted == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        DIP_TRY(want(reader, columns[i], separators != NULL ? separators[i] : NULL, err));
    }
    reader->is_selected = true;
    return dip_sheet_select(reader->sheets[0], reader->wanted, n, err);
}

static dip_status select_all(dip_reader *reader, dip_error *err) {
    size_t columns[DIP_COLUMN_LIMIT];
    for (size_t i = 0; i < DIP_COLUMN_LIMIT; i++) {
        columns[i] = i;
    }
    return dip_reader_select(reader, columns, NULL, reader->sheets[0]->n_columns, err);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static dip_status grow_block(dip_block *block, size_t bytes, dip_error *err) {
    return dip_grow((void **)&block->bytes, &block->capacity, bytes + 1 + DIP_SCAN_PADDING, 1,
                    "input records", err);
}

/* Reads until there is a whole record and the block is full, or the file has ended. */
static dip_status fill_block(dip_reader *reader, dip_block *block, size_t *filled, dip_tally *tally,
                             dip_error *err) {
    const size_t full = reader->dialect.block_bytes;
    const dip_scanner *scanner = dip_scanner_get();
    const bool has_quotes = dip_sheet_has_quotes(open_sheet(reader));
    *filled = 0;
    while (*filled < full || tally->end == 0) {
        size_t got = 0;
        if (*filled > DIP_RECORD_LIMIT && tally->end == 0) {
            return tally->quoted != 0
                       ? unclosed(reader, block->bytes, 0, *filled, reader->line, err)
                       : too_long(reader, err);
        }
        DIP_TRY(grow_block(block, *filled + full, err));
        DIP_TRY(dip_feed_pull(&reader->feed, block->bytes + *filled, &got, err));
        if (got == 0) {
            break;
        }
        (has_quotes ? scanner->count_quoted : scanner->count_lines)(block->bytes + *filled, got,
                                                                    *filled, tally);
        *filled += got;
    }
    return DIP_OK;
}

/* The next block of the file that is open. DIP_END at its end. Bytes behind the last whole record
 * go back, but for those of the last line when it lacks its line feed. */
static dip_status take_block(dip_reader *reader, dip_block *block, dip_error *err) {
    size_t filled = 0;
    dip_tally tally = {0};
    DIP_TRY(fill_block(reader, block, &filled, &tally, err));
    if (filled == 0) {
        return DIP_END;
    }
    if (tally.end == 0 && tally.quoted != 0) {
        return unclosed(reader, block->bytes, 0, filled, reader->line, err);
    }
    if (dip_feed_is_empty(&reader->feed) && tally.end < filled && tally.quoted == 0) {
        block->bytes[filled++] = '\n';
    } else {
        DIP_TRY(
            dip_feed_push_back(&reader->feed, block->bytes + tally.end, filled - tally.end, err));
        filled = tally.end;
    }
    dip_block_reset(block, open_sheet(reader), filled, reader->line);
    reader->line += tally.lines;
    return DIP_OK;
}

static dip_status take_batch(dip_reader *reader, dip_block *block, dip_error *err) {
    DIP_TRY(dip_arrow_take(reader->arrow, open_sheet(reader), block, err));
    dip_feed_set_position(&reader->feed, dip_arrow_position(reader->arrow, reader->arrow_bytes));
    return DIP_OK;
}

dip_status dip_reader_take(dip_reader *reader, dip_block *block, dip_error *err) {
    if (!reader->is_selected) {
        DIP_TRY(select_all(reader, err));
    }
    for (;;) {
        if (reader->feed.stream != NULL || reader->arrow != NULL) {
            const dip_status status = reader->arrow != NULL ? take_batch(reader, block, err)
                                                            : take_block(reader, block, err);
            if (status != DIP_END) {
                return status;
            }
            close_file(reader);
        }
        if (reader->n_opened == reader->n_sheets) {
            return DIP_END;
        }
        DIP_TRY(open_file(reader, err));
    }
}

const char *dip_reader_name(const dip_reader *reader) {
    return reader->name;
}

uint64_t dip_reader_position(const dip_reader *reader) {
    return atomic_load_explicit(&reader->feed.position, memory_order_relaxed);
}

uint64_t dip_reader_size(const dip_reader *reader) {
    return reader->size;
}

void dip_reader_close(dip_reader *reader) {
    if (reader == NULL) {
        return;
    }
    for (size_t i = 0; i < reader->n_sheets; i++) {
        dip_sheet_free(reader->sheets[i]);
    }
    for (size_t i = 0; i < reader->n_wanted; i++) {
        dip_free(reader->wanted[i].name);
        dip_free(reader->wanted[i].separator);
    }
    dip_free(reader->wanted);
    dip_free(reader->sheets);
    dip_names_free(&reader->columns);
    dip_free(reader->delimiter);
    dip_free(reader->name);
    close_file(reader);
    dip_free(reader->feed.carry);
    dip_free(reader);
}
