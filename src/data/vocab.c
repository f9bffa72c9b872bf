/* SPDX-License-Identifier: Apache-2.0 */
#include "data/vocab.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/number.h"

#include <string.h>

enum { FIRST_SLOTS = 64 };

/* The slot that holds the text, or the free one where it belongs. Linear probing at load <= 1/2. */
static size_t find_slot(const dip_vocab *vocab, const char *text, size_t length) {
    const size_t mask = vocab->n_slots - 1;
    size_t slot = (size_t)dip_hash(text, length) & mask;
    while (vocab->slots[slot] != 0) {
        size_t size = 0;
        const char *found = dip_vocab_text(vocab, (size_t)vocab->slots[slot] - 1, &size);
        if (size == length && memcmp(found, text, length) == 0) {
            break;
        }
        slot = (slot + 1) & mask;
    }
    return slot;
}

static dip_status grow_slots(dip_vocab *vocab, dip_error *err) {
    if (2 * (vocab->n + 1) <= vocab->n_slots) {
        return DIP_OK;
    }
    const size_t n_slots = vocab->n_slots > 0 ? 2 * vocab->n_slots : FIRST_SLOTS;
    int32_t *slots = dip_alloc(n_slots, sizeof *slots, "a vocabulary's index", err);
    if (slots == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_free(vocab->slots);
    vocab->slots = slots;
    vocab->n_slots = n_slots;
    for (size_t row = 0; row < vocab->n; row++) {
        size_t length = 0;
        const char *text = dip_vocab_text(vocab, row, &length);
        slots[find_slot(vocab, text, length)] = (int32_t)row + 1;
    }
    return DIP_OK;
}

static dip_status append(dip_vocab *vocab, const char *text, size_t length, dip_error *err) {
    if (vocab->n >= INT32_MAX - 1) {
        return dip_fail(err, DIP_ERR_FAILED, "a vocabulary has more than %d values", INT32_MAX - 1);
    }
    DIP_TRY(dip_grow((void **)&vocab->start, &vocab->start_capacity, vocab->n + 2,
                     sizeof *vocab->start, "a vocabulary", err));
    DIP_TRY(dip_grow((void **)&vocab->count, &vocab->count_capacity, vocab->n + 1,
                     sizeof *vocab->count, "a vocabulary's counts", err));
    DIP_TRY(dip_text_put(&vocab->bytes, text, length, err));
    vocab->count[vocab->n] = 0;
    vocab->n++;
    vocab->start[vocab->n] = vocab->bytes.length;
    return DIP_OK;
}

dip_status dip_vocab_add(dip_vocab *vocab, const char *text, size_t length, int32_t *row,
                         bool *is_new, dip_error *err) {
    DIP_TRY(grow_slots(vocab, err));
    const size_t slot = find_slot(vocab, text, length);
    const bool fresh = vocab->slots[slot] == 0;
    if (fresh) {
        DIP_TRY(append(vocab, text, length, err));
        vocab->slots[slot] = (int32_t)vocab->n;
    }
    *row = vocab->slots[slot] - 1;
    if (is_new != NULL) {
        *is_new = fresh;
    }
    return DIP_OK;
}

int32_t dip_vocab_find(const dip_vocab *vocab, const char *text, size_t length) {
    if (vocab->n_slots == 0) {
        return -1;
    }
    return vocab->slots[find_slot(vocab, text, length)] - 1;
}

/* The letter that stands for a byte behind a backslash, or 0. */
static char escape_letter(char c) {
    switch (c) {
    case '\t':
        return 't';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\\':
        return '\\';
    default:
        return '\0';
    }
}

static char unescape_letter(char letter) {
    switch (letter) {
    case 't':
        return '\t';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    default:
        return letter;
    }
}

/* Text between the letters that need an escape goes out in one piece. */
static dip_status write_value(dip_writer *writer, const char *text, size_t length, dip_error *err) {
    size_t plain = 0;
    for (size_t i = 0; i < length; i++) {
        const char escaped[2] = {'\\', escape_letter(text[i])};
        if (escaped[1] != '\0') {
            DIP_TRY(dip_writer_put(writer, text + plain, i - plain, err));
            DIP_TRY(dip_writer_put(writer, escaped, 2, err));
            plain = i + 1;
        }
    }
    return dip_writer_put(writer, text + plain, length - plain, err);
}

static dip_status write_count(dip_writer *writer, int64_t count, dip_error *err) {
    char digits[24];
    size_t at = sizeof digits;
    digits[--at] = '\n';
    do {
        digits[--at] = (char)('0' + count % 10);
        count /= 10;
    } while (count > 0);
    digits[--at] = '\t';
    return dip_writer_put(writer, digits + at, sizeof digits - at, err);
}

dip_status dip_vocab_put(dip_writer *writer, const char *text, size_t length, int64_t count,
                         dip_error *err) {
    DIP_TRY(write_value(writer, text, length, err));
    return write_count(writer, count, err);
}

dip_status dip_vocab_put_escaped(dip_writer *writer, const char *value, size_t length,
                                 int64_t count, dip_error *err) {
    DIP_TRY(dip_writer_put(writer, value, length, err));
    return write_count(writer, count, err);
}

dip_status dip_vocab_write(const dip_vocab *vocab, dip_folder_writer *folder, const char *name,
                           dip_error *err) {
    dip_writer *writer = NULL;
    DIP_TRY(dip_folder_begin(folder, name, &writer, err));
    for (size_t row = 0; row < vocab->n; row++) {
        size_t length = 0;
        const char *text = dip_vocab_text(vocab, row, &length);
        DIP_TRY(dip_vocab_put(writer, text, length, vocab->count[row], err));
    }
    return dip_folder_end(folder, err);
}

bool dip_vocab_split(const char *line, size_t length, size_t *value_length, int64_t *count) {
    const char *tab = memchr(line, '\t', length);
    char digits[24];
    const size_t digits_length = tab != NULL ? length - (size_t)(tab - line) - 1 : 0;
    if (digits_length > 0 && digits_length < sizeof digits) {
        memcpy(digits, tab + 1, digits_length);
    }
    digits[digits_length < sizeof digits ? digits_length : 0] = '\0';
    *value_length = tab != NULL ? (size_t)(tab - line) : 0;
    return dip_parse_integer(digits, count) && *count >= 0;
}

static dip_status read_line(dip_vocab *vocab, const char *line, size_t length, dip_text *value,
                            const char *name, dip_error *err) {
    size_t value_length = 0;
    int64_t count = 0;
    if (!dip_vocab_split(line, length, &value_length, &count)) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s:%zu: not \"value TAB count\"", name, vocab->n + 1);
    }
    dip_text_clear(value);
    const char *const end = line + value_length;
    for (const char *at = line; at < end; at++) {
        const bool is_escape = *at == '\\' && at + 1 < end;
        const char c = is_escape ? unescape_letter(*++at) : *at;
        DIP_TRY(dip_text_put(value, &c, 1, err));
    }
    int32_t row = 0;
    bool is_new = false;
    DIP_TRY(dip_vocab_add(vocab, value->length > 0 ? value->data : "", value->length, &row, &is_new,
                          err));
    if (!is_new) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s:%zu: the value stands twice", name, vocab->n + 1);
    }
    vocab->count[row] = count;
    return DIP_OK;
}

static dip_status read_lines(dip_vocab *vocab, const char *text, size_t bytes, dip_text *value,
                             const char *name, dip_error *err) {
    const char *at = text;
    const char *const end = text + bytes;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL) {
            return dip_fail(err, DIP_ERR_FORMAT, "%s:%zu: the line does not end", name,
                            vocab->n + 1);
        }
        DIP_TRY(read_line(vocab, at, (size_t)(stop - at), value, name, err));
        at = stop + 1;
    }
    return DIP_OK;
}

dip_status dip_vocab_parse(dip_vocab *vocab, const char *text, size_t bytes, int64_t rows,
                           const char *name, dip_error *err) {
    dip_text value = {0};
    memset(vocab, 0, sizeof *vocab);
    const size_t bad = dip_utf8_check(text, bytes);
    dip_status status = bad == bytes ? read_lines(vocab, text, bytes, &value, name, err)
                                     : dip_fail(err, DIP_ERR_FORMAT,
                                                "%s: byte %zu is not valid UTF-8", name, bad + 1);
    if (status == DIP_OK && (int64_t)vocab->n != rows) {
        status = dip_fail(err, DIP_ERR_FORMAT, "%s has %zu rows, the schema says %lld", name,
                          vocab->n, (long long)rows);
    }
    dip_text_free(&value);
    if (status != DIP_OK) {
        dip_vocab_free(vocab);
    }
    return status;
}

dip_status dip_vocab_read(dip_vocab *vocab, const dip_folder *folder, const char *name,
                          int64_t rows, dip_error *err) {
    dip_map map;
    memset(vocab, 0, sizeof *vocab);
    DIP_TRY(dip_folder_map(folder, name, &map, err));
    const dip_status status =
        dip_vocab_parse(vocab, (const char *)map.data, map.bytes, rows, name, err);
    dip_map_close(&map);
    return status;
}

void dip_vocab_free(dip_vocab *vocab) {
    dip_text_free(&vocab->bytes);
    dip_free(vocab->start);
    dip_free(vocab->count);
    dip_free(vocab->slots);
    memset(vocab, 0, sizeof *vocab);
}
