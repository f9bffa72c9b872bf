/* SPDX-License-Identifier: Apache-2.0 */
#include "prepare/quantiles.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { DIGIT_BITS = 16, DIGITS = 1 << DIGIT_BITS, KEY_BITS = 64, AT_ONCE = 32, CHUNK = 4096 };

/* A wanted number: the bits that are settled, and its place among the numbers that share them. */
typedef struct target {
    uint64_t prefix;
    uint64_t rank;
    size_t histogram;
} target;

typedef struct selection {
    const dip_spool *numbers;
    const uint8_t *use;
    target *targets; /* [n], prefixes ascending */
    size_t n;
    uint64_t (*count)[DIGITS]; /* [AT_ONCE], one a distinct prefix */
    uint64_t prefix[AT_ONCE];  /* [n_prefixes] */
    size_t n_prefixes;
} selection;

/* Orders like the number: negative ones are turned over, others get the highest bit. */
static uint64_t key_of(double number) {
    uint64_t bits = 0;
    memcpy(&bits, &number, sizeof bits);
    return bits >> 63 != 0 ? ~bits : bits | (UINT64_C(1) << 63);
}

static double number_of(uint64_t key) {
    const uint64_t bits = key >> 63 != 0 ? key & ~(UINT64_C(1) << 63) : ~key;
    double number = 0;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static void list_prefixes(selection *s) {
    s->n_prefixes = 0;
    for (size_t t = 0; t < s->n; t++) {
        if (s->n_prefixes == 0 || s->prefix[s->n_prefixes - 1] != s->targets[t].prefix) {
            s->prefix[s->n_prefixes++] = s->targets[t].prefix;
        }
        s->targets[t].histogram = s->n_prefixes - 1;
    }
    memset(s->count, 0, s->n_prefixes * sizeof *s->count);
}

/* The histogram of a prefix, or n_prefixes. */
static size_t find_prefix(const selection *s, uint64_t prefix) {
    size_t low = 0;
    size_t high = s->n_prefixes;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (s->prefix[middle] < prefix) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < s->n_prefixes && s->prefix[low] == prefix ? low : s->n_prefixes;
}

/* Counts the next digit of the numbers that share a wanted prefix; `shift` bits come after it. */
static void count_chunk(selection *s, const double *chunk, size_t n, uint64_t first,
                        unsigned shift) {
    const unsigned above = shift + DIGIT_BITS;
    for (size_t i = 0; i < n; i++) {
        if (isnan(chunk[i]) || (s->use != NULL && s->use[first + i] == 0)) {
            continue;
        }
        const uint64_t key = key_of(chunk[i]);
        const size_t h = find_prefix(s, above < KEY_BITS ? key >> above : 0);
        if (h < s->n_prefixes) {
            s->count[h][key >> shift & (DIGITS - 1)]++;
        }
    }
}

static dip_status count_digits(selection *s, unsigned shift, dip_error *err) {
    double chunk[CHUNK];
    dip_spool_cursor cursor = {.spool = s->numbers};
    dip_status status = DIP_OK;
    size_t got = 0;
    uint64_t first = 0;
    list_prefixes(s);
    do {
        status = dip_spool_read(&cursor, chunk, sizeof chunk, &got, err);
        if (status == DIP_OK) {
            count_chunk(s, chunk, got / sizeof *chunk, first, shift);
            first += got / sizeof *chunk;
        }
    } while (status == DIP_OK && got == sizeof chunk);
    dip_spool_cursor_free(&cursor);
    return status;
}

/* Settles one more digit of a target. */
static void settle(const selection *s, target *t) {
    const uint64_t *count = s->count[t->histogram];
    uint64_t digit = 0;
    while (digit < DIGITS - 1 && t->rank >= count[digit]) {
        t->rank -= count[digit++];
    }
    t->prefix = t->prefix << DIGIT_BITS | digit;
}

static dip_status select_group(selection *s, dip_error *err) {
    for (unsigned shift = KEY_BITS; shift > 0;) {
        shift -= DIGIT_BITS;
        DIP_TRY(count_digits(s, shift, err));
        for (size_t t = 0; t < s->n; t++) {
            settle(s, &s->targets[t]);
        }
    }
    return DIP_OK;
}

dip_status dip_quantiles(const dip_spool *numbers, const uint8_t *use, const uint64_t *rank,
                         size_t n_ranks, double *value, dip_error *err) {
    target targets[AT_ONCE];
    selection s = {.numbers = numbers, .use = use, .targets = targets};
    s.count = dip_alloc(AT_ONCE, sizeof *s.count, "a histogram of numbers", err);
    dip_status status = s.count != NULL ? DIP_OK : DIP_ERR_MEMORY;
    for (size_t from = 0; status == DIP_OK && from < n_ranks; from += AT_ONCE) {
        s.n = n_ranks - from < AT_ONCE ? n_ranks - from : AT_ONCE;
        for (size_t t = 0; t < s.n; t++) {
            targets[t] = (target){.rank = rank[from + t]};
        }
        status = select_group(&s, err);
        for (size_t t = 0; status == DIP_OK && t < s.n; t++) {
            value[from + t] = number_of(targets[t].prefix);
        }
    }
    dip_free(s.count);
    return status;
}
