/* SPDX-License-Identifier: Apache-2.0 */
#include "base/number.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t c_locale = (locale_t)0;

static void make_locale(void) {
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* strtod reads the decimal point of the thread's locale: the C locale is in force for the call. */
static double parse_in_c_locale(const char *text, char **end) {
    pthread_once(&once, make_locale);
    const locale_t before = c_locale != (locale_t)0 ? uselocale(c_locale) : (locale_t)0;
    const double number = strtod(text, end);
    if (c_locale != (locale_t)0) {
        uselocale(before);
    }
    return number;
}

/* Digits with at most one point among them, few enough that both they and the power of ten are
 * exact in a double: then one division rounds correctly (Clinger, "How to read floating point
 * numbers accurately", PLDI 1990). False for everything else. */
bool dip_parse_short(const char *text, double *number) {
    static const double TENS[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    enum { MOST_DIGITS = 15 };
    uint64_t digits = 0;
    size_t n = 0;
    size_t behind_point = 0;
    bool has_point = false;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '.' && !has_point) {
            has_point = true;
            continue;
        }
        if (*at < '0' || *at > '9' || n == MOST_DIGITS) {
            return false;
        }
        digits = 10 * digits + (uint64_t)(*at - '0');
        behind_point += has_point;
        n++;
    }
    if (n > 0) {
        *number = (double)digits / TENS[behind_point];
    }
    return n > 0;
}

bool dip_parse_number(const char *text, double *number) {
    if (dip_parse_short(text, number)) {
        return true;
    }
    if (text[0] == '\0' || strspn(text, "0123456789+-.eE") != strlen(text)) {
        return false;
    }
    char *end = NULL;
    const double parsed = parse_in_c_locale(text, &end);
    if (end == text || *end != '\0' || !isfinite(parsed)) {
        return false;
    }
    *number = parsed;
    return true;
}

bool dip_parse_integer(const char *text, int64_t *number) {
    if (text[0] == '\0' || strspn(text, "0123456789+-") != strlen(text)) {
        return false;
    }
    char *end = NULL;
    errno = 0;
    const long long parsed = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0) {
        return false;
    }
    *number = parsed;
    return true;
}

static void print_digits(int precision, double number, char text[DIP_NUMBER_MAX]) {
    snprintf(text, DIP_NUMBER_MAX, "%.*g", precision, number);
    char *comma = strchr(text, ',');
    if (comma != NULL) {
        *comma = '.';
    }
}

/* Numbers such as prices: m / 10^p with few digits. The division of two exact numbers is rounded as
 * reading the decimal is, so that it tells whether the text reads back as the same number. */
static bool print_short(double number, char text[DIP_NUMBER_MAX]) {
    static const double POWERS[] = {1, 1e1, 1e2, 1e3, 1e4};
    if (!(fabs(number) >= 1e-4 && fabs(number) < 1e10)) {
        return false;
    }
    for (int places = 0; places < (int)(sizeof POWERS / sizeof POWERS[0]); places++) {
        const double scaled = rint(number * POWERS[places]);
        if (scaled / POWERS[places] == number) {
            const long long whole = llabs((long long)scaled);
            const long long power = (long long)POWERS[places];
            const int n =
                snprintf(text, DIP_NUMBER_MAX, "%s%lld", number < 0 ? "-" : "", whole / power);
            if (places > 0) {
                snprintf(text + n, DIP_NUMBER_MAX - (size_t)n, ".%0*lld", places, whole % power);
            }
            return true;
        }
    }
    return false;
}

/* Fifteen digits, of which trailing zeros are dropped, show every number that has a shorter text;
 * but next to 0 numbers have fewer digits than that. */
void dip_print_number(double number, char text[DIP_NUMBER_MAX]) {
    bool is_same = print_short(number, text);
    for (int precision = fabs(number) < 1e-300 ? 1 : 15; precision <= 17 && !is_same; precision++) {
        double again = 0;
        print_digits(precision, number, text);
        is_same = dip_parse_number(text, &again) && again == number;
    }
}

/* The same with six and nine digits. */
void dip_print_float(float number, char text[DIP_NUMBER_MAX]) {
    bool is_same = false;
    for (int precision = fabsf(number) < 1e-37f ? 1 : 6; precision <= 9 && !is_same; precision++) {
        double again = 0;
        print_digits(precision, (double)number, text);
        is_same = dip_parse_number(text, &again) && (float)again == number;
    }
}
