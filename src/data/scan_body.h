/* SPDX-License-Identifier: Apache-2.0
 *
 * The scanner on the chunk of one tier. The file that includes this defines before it:
 *
 *   SCANNER                          the function that returns the table
 *   chunk                            64 bytes
 *   chunk load(const char *)
 *   uint64_t equal(chunk, char)      mask of the bytes that are equal
 *   uint64_t high(chunk)             mask of the bytes of 128 or more
 */
#ifndef DIP_DATA_SCAN_BODY_H
#define DIP_DATA_SCAN_BODY_H

#include "data/scan.h"

enum { CHUNK = 64 };

/* Bits of the bytes that belong to the text, in the chunk that begins `left` bytes before its
 * end. */
static inline uint64_t inside(size_t left) {
    return left >= CHUNK ? UINT64_MAX : (UINT64_C(1) << left) - 1;
}

/* Bit i of the result is the sum modulo 2 of bits 0 to i. */
static inline uint64_t prefix_parity(uint64_t bits) {
    for (unsigned shift = 1; shift < CHUNK; shift *= 2) {
        bits ^= bits << shift;
    }
    return bits;
}

static inline void count_ends(uint64_t ends, uint64_t breaks, size_t at, dip_tally *tally) {
    if (ends != 0) {
        const unsigned last = 63 - (unsigned)__builtin_clzll(ends);
        const uint64_t before = last == 63 ? UINT64_MAX : (UINT64_C(2) << last) - 1;
        tally->end = at + last + 1;
        tally->lines = tally->breaks + (uint64_t)__builtin_popcountll(breaks & before);
    }
    tally->breaks += (uint64_t)__builtin_popcountll(breaks);
}

static void count_lines(const char *text, size_t bytes, size_t base, dip_tally *tally) {
    for (size_t at = 0; at < bytes; at += CHUNK) {
        const uint64_t breaks = equal(load(text + at), '\n') & inside(bytes - at);
        count_ends(breaks, breaks, base + at, tally);
    }
}

static void count_quoted(const char *text, size_t bytes, size_t base, dip_tally *tally) {
    uint64_t quoted = tally->quoted;
    for (size_t at = 0; at < bytes; at += CHUNK) {
        const chunk piece = load(text + at);
        const uint64_t valid = inside(bytes - at);
        const uint64_t breaks = equal(piece, '\n') & valid;
        const uint64_t covered = prefix_parity(equal(piece, '"') & valid) ^ quoted;
        count_ends(breaks & ~covered, breaks, base + at, tally);
        quoted = (covered >> 63) != 0 ? UINT64_MAX : 0;
    }
    tally->quoted = quoted;
}

/* Appends the places of a mask's bits. */
static inline size_t put_marks(uint64_t bits, uint32_t base, uint32_t *marks) {
    const size_t n = (size_t)__builtin_popcountll(bits);
    for (size_t i = 0; i < n; i++) {
        marks[i] = base + (uint32_t)__builtin_ctzll(bits);
        bits &= bits - 1;
    }
    return n;
}

static size_t find_marks(const char *text, size_t bytes, char separator, uint32_t base,
                         uint32_t *marks) {
    size_t n = 0;
    for (size_t at = 0; at < bytes; at += CHUNK) {
        const chunk piece = load(text + at);
        const uint64_t bits = (equal(piece, separator) | equal(piece, '\n')) & inside(bytes - at);
        n += put_marks(bits, base + (uint32_t)at, marks + n);
    }
    return n;
}

static size_t find_quoted(const char *text, size_t bytes, char separator, uint32_t base,
                          dip_quotes *quotes, uint32_t *marks) {
    uint64_t quoted = quotes->quoted;
    uint64_t covered_breaks = 0;
    size_t n = 0;
    for (size_t at = 0; at < bytes; at += CHUNK) {
        const chunk piece = load(text + at);
        const uint64_t valid = inside(bytes - at);
        const uint64_t signs = equal(piece, '"') & valid;
        const uint64_t covered = prefix_parity(signs) ^ quoted;
        const uint64_t breaks = equal(piece, '\n') & valid;
        const uint64_t ends = (equal(piece, separator) & valid) | breaks;
        covered_breaks |= breaks & covered;
        n += put_marks((ends & ~covered) | signs, base + (uint32_t)at, marks + n);
        quoted = (covered >> 63) != 0 ? UINT64_MAX : 0;
    }
    quotes->quoted = quoted;
    quotes->has_breaks |= covered_breaks != 0;
    return n;
}

static unsigned kinds(const char *text, size_t bytes) {
    uint64_t zero = 0;
    uint64_t upper = 0;
    for (size_t at = 0; at < bytes; at += CHUNK) {
        const chunk piece = load(text + at);
        const uint64_t valid = inside(bytes - at);
        zero |= equal(piece, '\0') & valid;
        upper |= high(piece) & valid;
    }
    return (zero != 0 ? DIP_BYTES_NUL : 0) | (upper != 0 ? DIP_BYTES_HIGH : 0);
}

const dip_scanner *SCANNER(void) {
    static const dip_scanner TABLE = {count_lines, count_quoted, find_marks, find_quoted, kinds};
    return &TABLE;
}

#endif
