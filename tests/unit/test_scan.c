/* SPDX-License-Identifier: Apache-2.0
 *
 * The scanners of all tiers against loops that look at one byte after the other.
 */
#include "check.h"
#include "data/scan.h"

enum { MOST_BYTES = 700 };

/* ---- the reference --------------------------------------------------------------------------- */

static void count_bytes(const char *text, size_t bytes, size_t base, bool has_quotes,
                        dip_tally *tally) {
    for (size_t i = 0; i < bytes; i++) {
        if (has_quotes && text[i] == '"') {
            tally->quoted = ~tally->quoted;
        }
        if (text[i] == '\n' && tally->quoted == 0) {
            tally->end = base + i + 1;
            tally->lines = tally->breaks + 1;
        }
        tally->breaks += text[i] == '\n';
    }
}

static size_t find_bytes(const char *text, size_t bytes, char separator, uint32_t base,
                         dip_quotes *quotes, uint32_t *marks) {
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++) {
        const bool is_quote = quotes != NULL && text[i] == '"';
        const bool is_inside = quotes != NULL && quotes->quoted != 0;
        if (is_quote) {
            quotes->quoted = ~quotes->quoted;
            marks[n++] = base + (uint32_t)i;
        } else if ((text[i] == separator || text[i] == '\n') && !is_inside) {
            marks[n++] = base + (uint32_t)i;
        } else if (text[i] == '\n') {
            quotes->has_breaks = true;
        }
    }
    return n;
}

/* ---- random text ----------------------------------------------------------------------------- */

/* Text in which the special bytes are dense, rare or absent. What follows it must not be used, so
 * it is made of them. */
static size_t make_text(char *text, uint64_t *random) {
    static const char SPECIAL[] = {'\n', '\t', ',', '"', '"', '\r'};
    const size_t bytes = check_random_below(random, MOST_BYTES);
    const size_t rarity = 1 + check_random_below(random, 60);
    for (size_t i = 0; i < bytes; i++) {
        text[i] = check_random_below(random, rarity) == 0 ? SPECIAL[check_random_below(random, 6)]
                                                          : (char)check_random_below(random, 256);
    }
    for (size_t i = 0; i < DIP_SCAN_PADDING; i++) {
        text[bytes + i] = SPECIAL[i % 4];
    }
    return bytes;
}

static void check_marks(const dip_scanner *s, const char *text, size_t bytes, uint64_t *random) {
    uint32_t found[MOST_BYTES] = {0};
    uint32_t expected[MOST_BYTES] = {0};
    dip_quotes a = {0};
    dip_quotes b = {0};
    const char separator = check_random_below(random, 2) == 0 ? '\t' : ',';
    const size_t cut = check_random_below(random, bytes + 1);
    size_t n = s->find_marks(text, bytes, separator, 1000, found);
    assert_int_equal(n, find_bytes(text, bytes, separator, 1000, NULL, expected));
    assert_memory_equal(found, expected, n * sizeof *found);
    /* The state goes on from one piece to the next. */
    n = s->find_quoted(text, cut, separator, 0, &a, found);
    n += s->find_quoted(text + cut, bytes - cut, separator, (uint32_t)cut, &a, found + n);
    assert_int_equal(n, find_bytes(text, bytes, separator, 0, &b, expected));
    assert_memory_equal(found, expected, n * sizeof *found);
    assert_true(a.quoted == b.quoted);
    assert_int_equal(a.has_breaks, b.has_breaks);
}

static void check_tally(const dip_scanner *s, const char *text, size_t bytes, uint64_t *random) {
    for (int has_quotes = 0; has_quotes < 2; has_quotes++) {
        dip_tally found = {0};
        dip_tally expected = {0};
        const size_t cut = check_random_below(random, bytes + 1);
        (has_quotes ? s->count_quoted : s->count_lines)(text, cut, 0, &found);
        (has_quotes ? s->count_quoted : s->count_lines)(text + cut, bytes - cut, cut, &found);
        count_bytes(text, bytes, 0, has_quotes, &expected);
        assert_int_equal(found.end, expected.end);
        assert_true(found.lines == expected.lines);
        assert_true(found.breaks == expected.breaks);
        assert_true(found.quoted == expected.quoted);
    }
}

static void check_kinds(const dip_scanner *s, char *text, size_t bytes, uint64_t *random) {
    for (size_t i = 0; i < bytes; i++) {
        text[i] = (char)(1 + check_random_below(random, 127));
    }
    const bool has_nul = bytes > 0 && check_random_below(random, 2) == 0;
    const bool has_high = bytes > 0 && check_random_below(random, 2) == 0;
    const size_t place = bytes > 0 ? check_random_below(random, bytes) : 0;
    if (has_high) {
        text[place] = (char)(128 + check_random_below(random, 128));
    }
    if (has_nul) {
        text[bytes - 1 - place] = '\0';
    }
    const bool is_covered = has_nul && 2 * place + 1 == bytes;
    text[bytes] = '\0';
    text[bytes + 1] = '\xFF';
    const unsigned expected =
        (has_nul ? DIP_BYTES_NUL : 0U) | (has_high && !is_covered ? DIP_BYTES_HIGH : 0U);
    assert_int_equal(s->kinds(text, bytes), expected);
}

static void every_tier_finds_what_a_plain_loop_finds(void **state) {
    (void)state;
    for (dip_isa isa = DIP_ISA_REFERENCE; isa <= dip_isa_of_processor(); isa++) {
        const dip_scanner *scanner = dip_scanner_of(isa);
        uint64_t random = 5;
        for (int round = 0; round < 4000; round++) {
            char text[1 + MOST_BYTES + DIP_SCAN_PADDING];
            char *start = text + round % 2;
            const size_t bytes = make_text(start, &random);
            check_marks(scanner, start, bytes, &random);
            check_tally(scanner, start, bytes, &random);
            check_kinds(scanner, start, bytes, &random);
        }
    }
}

/* Every byte beside every special one: no value may be taken for another. */
static void all_bytes_are_told_apart(void **state) {
    (void)state;
    for (dip_isa isa = DIP_ISA_REFERENCE; isa <= dip_isa_of_processor(); isa++) {
        const dip_scanner *scanner = dip_scanner_of(isa);
        for (int c = 0; c < 256; c++) {
            char text[128] = {0};
            uint32_t marks[64];
            memset(text, c, 64);
            const bool is_mark = c == '\n' || c == '\t';
            assert_int_equal(scanner->find_marks(text, 64, '\t', 0, marks), is_mark ? 64 : 0);
            assert_int_equal(scanner->kinds(text, 64), c == 0     ? DIP_BYTES_NUL
                                                       : c >= 128 ? DIP_BYTES_HIGH
                                                                  : 0);
        }
    }
}

static void the_tier_in_use_has_a_scanner(void **state) {
    (void)state;
    assert_ptr_equal(dip_scanner_get(), dip_scanner_of(dip_isa_get()));
    assert_ptr_equal(dip_scanner_of(DIP_ISA_REFERENCE), dip_scanner_reference());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tier_finds_what_a_plain_loop_finds),
        cmocka_unit_test(all_bytes_are_told_apart),
        cmocka_unit_test(the_tier_in_use_has_a_scanner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
