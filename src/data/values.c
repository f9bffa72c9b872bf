/* SPDX-License-Identifier: Apache-2.0 */
#include "data/values.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/number.h"

#include <math.h>
#include <string.h>
#include <utf8proc.h>

enum { FEW_SLOTS = 64 };

static size_t find_slot(const dip_values *values, const char *text, size_t length) {
    const size_t mask = values->n_slots - 1;
    size_t slot = (size_t)dip_hash(text, length) & mask;
    while (values->slots[slot] != 0) {
        const size_t i = (size_t)values->slots[slot] - 1;
        if (dip_values_length(values, i) == length &&
            memcmp(dip_values_text(values, i), text, length) == 0) {
            break;
        }
        slot = (slot + 1) & mask;
    }
    return slot;
}

/* Starts over with n_slots free slots and puts the values there are back in. */
static dip_status reset_slots(dip_values *values, size_t n_slots, dip_error *err) {
    DIP_TRY(dip_grow((void **)&values->slots, &values->slot_capacity, n_slots,
                     sizeof *values->slots, "values of a cell", err));
    memset(values->slots, 0, n_slots * sizeof *values->slots);
    values->n_slots = n_slots;
    for (size_t i = 0; i < values->n; i++) {
        const size_t slot =
            find_slot(values, dip_values_text(values, i), dip_values_length(values, i));
        values->slots[slot] = (int32_t)i + 1;
    }
    return DIP_OK;
}

static dip_status push(dip_values *values, const char *text, size_t length, dip_error *err) {
    if (length == 0) {
        return DIP_OK;
    }
    if (2 * (values->n + 1) > values->n_slots) {
        DIP_TRY(reset_slots(values, 2 * values->n_slots, err));
    }
    const size_t slot = find_slot(values, text, length);
    if (values->slots[slot] != 0) {
        return DIP_OK;
    }
    DIP_TRY(dip_grow((void **)&values->start, &values->start_capacity, values->n + 2,
                     sizeof *values->start, "values of a cell", err));
    DIP_TRY(dip_text_put(&values->bytes, text, length, err));
    DIP_TRY(dip_text_put(&values->bytes, "", 1, err));
    values->n++;
    values->slots[slot] = (int32_t)values->n;
    values->start[values->n] = values->bytes.length;
    return DIP_OK;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

const char *dip_values_trim(const char *text, size_t *length) {
    size_t n = *length;
    while (n > 0 && is_blank(text[0])) {
        text++;
        n--;
    }
    while (n > 0 && is_blank(text[n - 1])) {
        n--;
    }
    *length = n;
    return text;
}

static dip_status push_trimmed(dip_values *values, const char *text, size_t length,
                               dip_error *err) {
    const char *trimmed = dip_values_trim(text, &length);
    return push(values, trimmed, length, err);
}

static dip_status cut_bag(dip_values *values, const char *separator, const char *cell,
                          size_t length, dip_error *err) {
    const size_t width = strlen(separator);
    size_t begin = 0;
    for (size_t at = 0; at + width <= length;) {
        if (memcmp(cell + at, separator, width) != 0) {
            at++;
            continue;
        }
        DIP_TRY(push_trimmed(values, cell + begin, at - begin, err));
        at += width;
        begin = at;
    }
    return push_trimmed(values, cell + begin, length - begin, err);
}

/* Scripts that are written without blanks: every character stands alone, n-grams bind them. */
static bool stands_alone(int32_t point) {
    static const int32_t RANGES[][2] = {{0x3040, 0x30FF},   {0x31F0, 0x31FF},  {0x3400, 0x4DBF},
                                        {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},  {0x1AFF0, 0x1AFFF},
                                        {0x1B000, 0x1B16F}, {0x20000, 0x3FFFF}};
    for (size_t i = 0; i < sizeof RANGES / sizeof RANGES[0]; i++) {
        if (point >= RANGES[i][0] && point <= RANGES[i][1]) {
            return true;
        }
    }
    return false;
}

/* Letters and numbers; marks only go on with a word, so that a lone variation selector is none. */
static bool is_word_point(int32_t point, bool inside) {
    const utf8proc_category_t category = utf8proc_category(point);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
           (inside && category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME) ||
           (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

static bool is_ascii(const char *text, size_t length) {
    unsigned char seen = 0;
    for (size_t i = 0; i < length; i++) {
        seen |= (unsigned char)text[i];
    }
    return seen < 0x80;
}

/* ASCII is its own NFKC, and only its capitals fold. */
static dip_status fold_ascii(dip_values *values, const char *cell, size_t length, dip_error *err) {
    DIP_TRY(dip_grow((void **)&values->points, &values->point_capacity, length,
                     sizeof *values->points, "code points of a text", err));
    for (size_t i = 0; i < length; i++) {
        const bool is_capital = cell[i] >= 'A' && cell[i] <= 'Z';
        values->points[i] = cell[i] + (is_capital ? 'a' - 'A' : 0);
    }
    return DIP_OK;
}

/* NFKC with case folding, into values->points. */
static dip_status fold(dip_values *values, const char *cell, size_t length, size_t *n_points,
                       dip_error *err) {
    const utf8proc_option_t options = UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD;
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)cell;
    utf8proc_ssize_t n = 0;
    if (is_ascii(cell, length)) {
        *n_points = length;
        return fold_ascii(values, cell, length, err);
    }
    for (;;) {
        n = utf8proc_decompose(bytes, (utf8proc_ssize_t)length, values->points,
                               (utf8proc_ssize_t)values->point_capacity, options);
        if (n < 0) {
            return dip_fail(err, DIP_ERR_FORMAT, "the text cannot be normalised: %s",
                            utf8proc_errmsg(n));
        }
        if ((size_t)n <= values->point_capacity) {
            break;
        }
        DIP_TRY(dip_grow((void **)&values->points, &values->point_capacity, (size_t)n,
                         sizeof *values->points, "code points of a text", err));
    }
    *n_points = n > 0 ? (size_t)utf8proc_normalize_utf32(values->points, n, options) : 0;
    return DIP_OK;
}

static dip_status begin_word(dip_values *values, size_t *n_words, dip_error *err) {
    DIP_TRY(dip_grow((void **)&values->words, &values->word_capacity, *n_words + 2,
                     sizeof *values->words, "words of a text", err));
    values->words[(*n_words)++] = values->word_bytes.length;
    return DIP_OK;
}

/* Words side by side in word_bytes, each followed by one blank. */
static dip_status cut_words(dip_values *values, size_t n_points, size_t *n_words, dip_error *err) {
    bool inside = false;
    *n_words = 0;
    dip_text_clear(&values->word_bytes);
    for (size_t i = 0; i <= n_points; i++) {
        const int32_t point = i < n_points ? values->points[i] : ' ';
        const bool is_word = i < n_points && is_word_point(point, inside);
        const bool is_alone = is_word && stands_alone(point);
        if (inside && (!is_word || is_alone)) {
            DIP_TRY(dip_text_put(&values->word_bytes, " ", 1, err));
            inside = false;
        }
        if (!is_word) {
            continue;
        }
        if (!inside) {
            DIP_TRY(begin_word(values, n_words, err));
        }
        utf8proc_uint8_t encoded[4];
        const utf8proc_ssize_t size = utf8proc_encode_char(point, encoded);
        DIP_TRY(dip_text_put(&values->word_bytes, (const char *)encoded, (size_t)size, err));
        if (is_alone) {
            DIP_TRY(dip_text_put(&values->word_bytes, " ", 1, err));
        }
        inside = !is_alone;
    }
    if (*n_words > 0) {
        values->words[*n_words] = values->word_bytes.length;
    }
    return DIP_OK;
}

static dip_status cut_text(dip_values *values, const dip_list *ngrams, const char *cell,
                           size_t length, dip_error *err) {
    size_t n_points = 0;
    size_t n_words = 0;
    DIP_TRY(fold(values, cell, length, &n_points, err));
    DIP_TRY(cut_words(values, n_points, &n_words, err));
    for (size_t g = 0; g < ngrams->n; g++) {
        const size_t size = (size_t)ngrams->value[g];
        for (size_t i = 0; i + size <= n_words; i++) {
            const size_t begin = values->words[i];
            const size_t end = values->words[i + size] - 1;
            DIP_TRY(push(values, values->word_bytes.data + begin, end - begin, err));
        }
    }
    return DIP_OK;
}

dip_status dip_values_cut(dip_values *values, const dip_feature *feature, const char *cell,
                          size_t length, dip_error *err) {
    DIP_TRY(dip_grow((void **)&values->start, &values->start_capacity, 2, sizeof *values->start,
                     "values of a cell", err));
    values->n = 0;
    values->start[0] = 0;
    dip_text_clear(&values->bytes);
    DIP_TRY(reset_slots(values, FEW_SLOTS, err));
    if (feature->type == DIP_FEATURE_BAG) {
        return cut_bag(values, feature->separator, cell, length, err);
    }
    if (feature->type == DIP_FEATURE_TEXT) {
        return cut_text(values, &feature->ngrams, cell, length, err);
    }
    return push_trimmed(values, cell, length, err);
}

bool dip_values_number(const char *cell, double *number) {
    char text[64];
    if (dip_parse_short(cell, number)) {
        return true;
    }
    while (is_blank(*cell)) {
        cell++;
    }
    size_t length = strlen(cell);
    while (length > 0 && is_blank(cell[length - 1])) {
        length--;
    }
    if (length == 0) {
        *number = NAN;
        return true;
    }
    if (length >= sizeof text) {
        return false;
    }
    memcpy(text, cell, length);
    text[length] = '\0';
    return dip_parse_number(text, number);
}

double dip_values_normalise(const dip_feature *feature, double number) {
    static const double MOST_DEVIATIONS = 1e6;
    if (isnan(number)) {
        return number;
    }
    /* Divided before subtracting: the difference of two huge numbers may overflow. */
    const double normal = number / feature->deviation - feature->mean / feature->deviation;
    return fmin(fmax(normal, -MOST_DEVIATIONS), MOST_DEVIATIONS);
}

int32_t dip_values_bucket(const dip_feature *feature, double number) {
    size_t low = 0;
    size_t high = feature->n_edges;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (feature->edges[middle] <= number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (int32_t)low;
}

void dip_values_free(dip_values *values) {
    dip_text_free(&values->bytes);
    dip_text_free(&values->word_bytes);
    dip_free(values->start);
    dip_free(values->points);
    dip_free(values->words);
    dip_free(values->slots);
    memset(values, 0, sizeof *values);
}
