/* SPDX-License-Identifier: Apache-2.0
 *
 * Text: the growing buffer, UTF-8 validation against hand-made sequences and a slow decoder, and
 * the spelling distance.
 */
#include "base/text.h"
#include "check.h"

static void a_buffer_joins_texts_and_ends_with_nul(void **state) {
    (void)state;
    dip_text text = {0};
    for (int i = 0; i < 100; i++) {
        check_ok(dip_text_put(&text, "abc", 3, check_error()));
        check_ok(dip_text_printf(&text, check_error(), "%d,", i % 10));
    }
    assert_int_equal(text.length, 500);
    assert_int_equal(strlen(text.data), 500);
    assert_memory_equal(text.data, "abc0,abc1,abc2,", 15);
    dip_text_clear(&text);
    assert_int_equal(text.length, 0);
    assert_string_equal(text.data, "");
    dip_text_free(&text);
    assert_null(text.data);
}

static void an_empty_text_can_be_put(void **state) {
    (void)state;
    dip_text text = {0};
    check_ok(dip_text_put(&text, NULL, 0, check_error()));
    assert_string_equal(text.data, "");
    check_ok(dip_text_put(&text, "\0x", 2, check_error()));
    assert_int_equal(text.length, 2);
    assert_memory_equal(text.data, "\0x", 3);
    dip_text_free(&text);
}

typedef struct sequence {
    const char *bytes;
    size_t length;
    size_t valid; /* bytes before the first bad one */
} sequence;

#define SEQUENCE(text, valid)                                                                      \
    { text, sizeof(text) - 1, valid }

static const sequence SEQUENCES[] = {
    /* valid, at the ends of each length */
    SEQUENCE("", 0),
    SEQUENCE("plain", 5),
    SEQUENCE("\x01\x7F", 2),
    SEQUENCE("a\0b", 3),
    SEQUENCE("\xC2\x80\xDF\xBF", 4),
    SEQUENCE("\xE0\xA0\x80\xEF\xBF\xBF", 6),
    SEQUENCE("\xED\x9F\xBF\xEE\x80\x80", 6),
    SEQUENCE("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8),
    SEQUENCE("gr\xC3\xBC\xC3\x9F \xE6\xBC\xA2\xE5\xAD\x97 \xF0\x9F\x98\x80", 18),
    /* continuation bytes without a start, and bytes that never occur */
    SEQUENCE("\x80", 0),
    SEQUENCE("ab\xBF", 2),
    SEQUENCE("\xFE", 0),
    SEQUENCE("\xFF", 0),
    SEQUENCE("\xF8\x88\x80\x80\x80", 0),
    /* overlong forms */
    SEQUENCE("\xC0\x80", 0),
    SEQUENCE("\xC0\xAF", 0),
    SEQUENCE("\xC1\xBF", 0),
    SEQUENCE("\xE0\x80\xAF", 0),
    SEQUENCE("\xE0\x9F\xBF", 0),
    SEQUENCE("\xF0\x80\x80\xAF", 0),
    SEQUENCE("\xF0\x8F\xBF\xBF", 0),
    /* surrogates */
    SEQUENCE("\xED\xA0\x80", 0),
    SEQUENCE("\xED\xAF\xBF", 0),
    SEQUENCE("\xED\xB0\x80", 0),
    SEQUENCE("\xED\xBF\xBF", 0),
    SEQUENCE("x\xED\xA0\xBD\xED\xB8\x80", 1),
    /* above U+10FFFF */
    SEQUENCE("\xF4\x90\x80\x80", 0),
    SEQUENCE("\xF5\x80\x80\x80", 0),
    SEQUENCE("\xF7\xBF\xBF\xBF", 0),
    /* truncated, at the end and inside */
    SEQUENCE("\xC3", 0),
    SEQUENCE("ok\xE6\xBC", 2),
    SEQUENCE("ok\xE6", 2),
    SEQUENCE("\xF0\x9F\x98", 0),
    SEQUENCE("\xF0\x9F", 0),
    SEQUENCE("\xF0", 0),
    SEQUENCE("\xC3(", 0),
    SEQUENCE("\xE6\xBC(", 0),
    SEQUENCE("\xE6(\xA2", 0),
    SEQUENCE("\xF0\x9F\x98(", 0),
    SEQUENCE("\xF0(\x98\x80", 0),
};

enum { N_SEQUENCES = sizeof SEQUENCES / sizeof SEQUENCES[0] };

static void check_sequence(const char *bytes, size_t length, size_t valid) {
    char *exact = malloc(length > 0 ? length : 1); /* so that a sanitizer sees a read too far */
    assert_non_null(exact);
    memcpy(exact, bytes, length);
    const size_t found = dip_utf8_check(exact, length);
    free(exact);
    if (found != valid) {
        print_error("of %zu bytes beginning with %02X, %zu are valid, not %zu\n", length,
                    length > 0 ? (unsigned char)bytes[0] : 0u, valid, found);
    }
    assert_int_equal(found, valid);
}

static void utf8_is_checked_at_every_alignment(void **state) {
    (void)state;
    for (size_t i = 0; i < N_SEQUENCES; i++) {
        const sequence *s = &SEQUENCES[i];
        for (size_t before = 0; before < 20; before++) {
            char text[64];
            memset(text, 'x', sizeof text);
            memcpy(text + before, s->bytes, s->length);
            check_sequence(text, before + s->length, before + s->valid);
        }
    }
}

static void a_valid_text_goes_on_behind_each_character(void **state) {
    (void)state;
    for (size_t i = 0; i < N_SEQUENCES; i++) {
        const sequence *s = &SEQUENCES[i];
        char text[64];
        memset(text, 'x', sizeof text);
        memcpy(text, s->bytes, s->length);
        if (s->valid == s->length) {
            check_sequence(text, sizeof text, sizeof text);
        } else {
            check_sequence(text, sizeof text, s->valid);
        }
    }
}

/* Decodes one character by the definition of RFC 3629, section 3; 0 when it is not valid. */
static size_t slow_length(const unsigned char *s, size_t left) {
    static const uint32_t LEAST[5] = {0, 0, 0x80, 0x800, 0x10000};
    const size_t length = s[0] < 0x80             ? 1
                          : (s[0] & 0xE0) == 0xC0 ? 2
                          : (s[0] & 0xF0) == 0xE0 ? 3
                          : (s[0] & 0xF8) == 0xF0 ? 4
                                                  : 0;
    if (length < 2 || length > left) {
        return length == 1 ? 1 : 0;
    }
    uint32_t point = s[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return 0;
        }
        point = point << 6 | (s[i] & 0x3Fu);
    }
    const bool is_surrogate = point >= 0xD800 && point <= 0xDFFF;
    return point < LEAST[length] || point > 0x10FFFF || is_surrogate ? 0 : length;
}

static size_t slow_check(const unsigned char *s, size_t length) {
    size_t at = 0;
    while (at < length) {
        const size_t step = slow_length(s + at, length - at);
        if (step == 0) {
            break;
        }
        at += step;
    }
    return at;
}

static void utf8_agrees_with_a_slow_decoder(void **state) {
    (void)state;
    static const unsigned char LIKELY[] = {'a',  0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0,
                                           0xBF, 0xC1, 0xC2, 0xDF, 0xE0, 0xED, 0xEF,
                                           0xF0, 0xF4, 0xF5, 0xFF, 0x00};
    uint64_t random = 1;
    for (int round = 0; round < 200000; round++) {
        unsigned char text[24];
        const size_t length = check_random_below(&random, sizeof text + 1);
        for (size_t i = 0; i < length; i++) {
            text[i] = LIKELY[check_random_below(&random, sizeof LIKELY)];
        }
        assert_int_equal(dip_utf8_check((const char *)text, length), slow_check(text, length));
    }
}

static void spelling_counts_single_edits(void **state) {
    (void)state;
    static const struct {
        const char *a;
        const char *b;
        unsigned distance;
    } CASES[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"train.rate", "train.rate", 0},
        {"Train.RATE", "train.rate", 0},
        {"train.rat", "train.rate", 1},
        {"train.ratee", "train.rate", 1},
        {"train.rbte", "train.rate", 1},
        {"train.rtae", "train.rate", 1},
        {"tarin.rtae", "train.rate", 2},
        {"kitten", "sitting", 3},
        {"ca", "abc", 3}, /* 3 by optimal string alignment, where no part is edited twice */
        {"abcd", "badc", 2},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_int_equal(dip_spelling_distance(CASES[i].a, CASES[i].b, 20), CASES[i].distance);
        assert_int_equal(dip_spelling_distance(CASES[i].b, CASES[i].a, 20), CASES[i].distance);
    }
}

static void spelling_stops_counting_behind_the_limit(void **state) {
    (void)state;
    for (unsigned limit = 0; limit < 6; limit++) {
        const unsigned expected = limit < 3 ? limit + 1 : 3;
        assert_int_equal(dip_spelling_distance("kitten", "sitting", limit), expected);
        assert_int_equal(dip_spelling_distance("", "abc", limit), expected);
    }
}

static void spelling_looks_at_63_bytes(void **state) {
    (void)state;
    char a[200];
    char b[200];
    memset(a, 'a', sizeof a);
    memset(b, 'a', sizeof b);
    a[199] = '\0';
    b[199] = '\0';
    b[63] = 'b';
    assert_int_equal(dip_spelling_distance(a, b, 5), 0);
    b[62] = 'b';
    assert_int_equal(dip_spelling_distance(a, b, 5), 1);
    b[100] = '\0';
    assert_int_equal(dip_spelling_distance(a, b, 5), 1);
}

static void longer_words_may_be_spelled_worse(void **state) {
    (void)state;
    unsigned distance = 0;
    assert_true(dip_spelling_is_near("rat", "rate", &distance));
    assert_int_equal(distance, 1);
    assert_false(dip_spelling_is_near("rxx", "rate", &distance));
    assert_true(dip_spelling_is_near("train.btach", "train.batch", &distance));
    assert_true(dip_spelling_is_near("trian.btach", "train.batch", &distance));
    assert_int_equal(distance, 2);
    assert_false(dip_spelling_is_near("evaluate.k", "train.batch", &distance));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_joins_texts_and_ends_with_nul),
        cmocka_unit_test(an_empty_text_can_be_put),
        cmocka_unit_test(utf8_is_checked_at_every_alignment),
        cmocka_unit_test(a_valid_text_goes_on_behind_each_character),
        cmocka_unit_test(utf8_agrees_with_a_slow_decoder),
        cmocka_unit_test(spelling_counts_single_edits),
        cmocka_unit_test(spelling_stops_counting_behind_the_limit),
        cmocka_unit_test(spelling_looks_at_63_bytes),
        cmocka_unit_test(longer_words_may_be_spelled_worse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
