/* SPDX-License-Identifier: Apache-2.0
 *
 * Cutting cells into values: a byte for the type, one for the separator or the n-grams, then the
 * cell. Bags are compared with a naive cut; texts are cut once more, value by value.
 */
#include "data/values.h"
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static dip_values values;
static dip_values one;

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void check_values(const dip_values *v, bool is_utf8) {
    for (size_t i = 0; i < v->n; i++) {
        const char *text = dip_values_text(v, i);
        const size_t length = dip_values_length(v, i);
        CLAIM(length > 0 && text[length] == '\0');
        CLAIM(!is_utf8 || dip_utf8_check(text, length) == length);
        for (size_t j = 0; j < i; j++) {
            CLAIM(dip_values_length(v, j) != length ||
                  memcmp(dip_values_text(v, j), text, length) != 0);
        }
    }
}

/* Value number *n must be this part, unless the part is empty or came before. */
static void expect_part(const char *part, size_t length, size_t *n) {
    while (length > 0 && is_blank(*part)) {
        part++;
        length--;
    }
    while (length > 0 && is_blank(part[length - 1])) {
        length--;
    }
    for (size_t i = 0; i < *n; i++) {
        if (dip_values_length(&values, i) == length &&
            memcmp(dip_values_text(&values, i), part, length) == 0) {
            return;
        }
    }
    if (length > 0) {
        CLAIM(*n < values.n && dip_values_length(&values, *n) == length);
        CLAIM(memcmp(dip_values_text(&values, *n), part, length) == 0);
        ++*n;
    }
}

static void check_bag(const char *separator, const char *cell, size_t length) {
    const size_t width = strlen(separator);
    size_t n = 0;
    size_t begin = 0;
    size_t at = 0;
    while (at < length) {
        if (length - at >= width && memcmp(cell + at, separator, width) == 0) {
            expect_part(cell + begin, at - begin, &n);
            at += width;
            begin = at;
        } else {
            at++;
        }
    }
    expect_part(cell + begin, length - begin, &n);
    CLAIM(n == values.n);
}

/* A word is cut into itself. */
static void check_words(const dip_feature *feature) {
    if (feature->ngrams.n != 1 || feature->ngrams.value[0] != 1) {
        return;
    }
    for (size_t i = 0; i < values.n; i++) {
        const char *text = dip_values_text(&values, i);
        const size_t length = dip_values_length(&values, i);
        CLAIM(dip_values_cut(&one, feature, text, length, NULL) == DIP_OK);
        CLAIM(one.n == 1 && strcmp(dip_values_text(&one, 0), text) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static const char *const SEPARATORS[] = {"|", ",", " ", "||", "aab", "\xC3\xA9"};
    static const dip_list NGRAMS[] = {{1, {1}}, {2, {1, 2}}, {1, {3}}, {3, {5, 2, 1}}};
    input in = {data, bytes};
    dip_feature feature = {.type = take_byte(&in) % (DIP_FEATURE_TEXT + 1)};
    const size_t pick = take_byte(&in);
    feature.ngrams = NGRAMS[pick % 4];
    memcpy(feature.separator, SEPARATORS[pick % 6], strlen(SEPARATORS[pick % 6]));
    const size_t length = in.left;
    char *cell = malloc(length > 0 ? length : 1);
    CLAIM(cell != NULL);
    memcpy(cell, in.at, length);
    const bool is_utf8 = dip_utf8_check(cell, length) == length;
    dip_error err = {DIP_OK, ""};
    const dip_status status = dip_values_cut(&values, &feature, cell, length, &err);
    CLAIM(status == DIP_OK || !is_utf8);
    if (went_well(status, DIP_ERR_FORMAT, &err)) {
        check_values(&values, is_utf8);
        if (feature.type == DIP_FEATURE_BAG) {
            check_bag(feature.separator, cell, length);
        } else if (feature.type == DIP_FEATURE_TEXT) {
            check_words(&feature);
        } else {
            size_t n = 0;
            expect_part(cell, length, &n);
            CLAIM(n == values.n);
        }
    }
    free(cell);
    return 0;
}
