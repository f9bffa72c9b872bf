/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers: accepted exactly when a grammar written out here accepts them, with strtod's value.
 */
#include "base/number.h"
#include "data/values.h"
#include "fuzz/fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t digits(const char **at) {
    const size_t n = strspn(*at, "0123456789");
    *at += n;
    return n;
}

static void sign(const char **at) {
    *at += **at == '+' || **at == '-';
}

/* [+-] (digits [. [digits]] | . digits) [(e|E) [+-] digits] */
static bool is_number(const char *at) {
    sign(&at);
    size_t n = digits(&at);
    if (*at == '.') {
        at++;
        n += digits(&at);
    }
    if (n == 0) {
        return false;
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        sign(&at);
        n = digits(&at);
    }
    return n > 0 && *at == '\0';
}

static void check_number(const char *text) {
    double number = 0;
    const bool is_accepted = dip_parse_number(text, &number);
    const double reference = strtod(text, NULL);
    CLAIM(is_accepted == (is_number(text) && isfinite(reference)));
    CLAIM(!is_accepted || number == reference);
}

/* [+-] digits, in the range of int64_t, worked out in unsigned arithmetic. */
static bool reference_integer(const char *at, int64_t *number) {
    const bool is_negative = *at == '-';
    uint64_t value = 0;
    sign(&at);
    if (*at == '\0' || strspn(at, "0123456789") != strlen(at)) {
        return false;
    }
    const uint64_t most = (uint64_t)INT64_MAX + is_negative;
    for (; *at != '\0'; at++) {
        const uint64_t digit = (uint64_t)(*at - '0');
        if (value > (most - digit) / 10) {
            return false;
        }
        value = 10 * value + digit;
    }
    *number = is_negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static void check_integer(const char *text) {
    int64_t number = 0;
    int64_t reference = 0;
    const bool is_accepted = dip_parse_integer(text, &number);
    CLAIM(is_accepted == reference_integer(text, &reference));
    CLAIM(!is_accepted || number == reference);
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Cells may have blanks around the number, and at most 63 bytes without them. */
static void check_cell(const char *text) {
    double number = 0;
    double reference = NAN;
    const bool is_accepted = dip_values_number(text, &number);
    char *bare = copy_of(text, strlen(text));
    char *begin = bare;
    size_t length = strlen(bare);
    while (length > 0 && is_blank(begin[length - 1])) {
        begin[--length] = '\0';
    }
    while (is_blank(*begin)) {
        begin++;
        length--;
    }
    CLAIM(is_accepted == (length == 0 || (length < 64 && dip_parse_number(begin, &reference))));
    CLAIM(!is_accepted || number == reference || (length == 0 && isnan(number)));
    free(bare);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    char *text = copy_of(data, bytes);
    check_number(text);
    check_integer(text);
    check_cell(text);
    free(text);
    return 0;
}
