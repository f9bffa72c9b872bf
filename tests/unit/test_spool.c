/* SPDX-License-Identifier: Apache-2.0
 *
 * Sequences in scratch space: what goes in comes out, whatever the sizes of the pieces.
 */
#include "base/spool.h"
#include "check.h"

enum { LONG = 5 * DIP_SPOOL_EXTENT + 77 };

static unsigned char byte_at(size_t i, unsigned which) {
    return (unsigned char)((i * 2654435761u >> 7) + 31u * which + i / 65536);
}

static void write_bytes(dip_spool *spool, size_t n, unsigned which, size_t step) {
    unsigned char piece[4096];
    for (size_t at = 0; at < n; at += step) {
        const size_t size = n - at < step ? n - at : step;
        for (size_t i = 0; i < size; i++) {
            piece[i] = byte_at(at + i, which);
        }
        check_ok(dip_spool_put(spool, piece, size, check_error()));
    }
    assert_int_equal(dip_spool_bytes(spool), n);
}

static void check_bytes(const dip_spool *spool, size_t n, unsigned which, size_t step) {
    unsigned char piece[4096];
    dip_spool_cursor cursor = {.spool = spool};
    size_t at = 0;
    size_t got = 0;
    do {
        check_ok(dip_spool_read(&cursor, piece, step, &got, check_error()));
        for (size_t i = 0; i < got; i++) {
            assert_int_equal(piece[i], byte_at(at + i, which));
        }
        at += got;
    } while (got == step);
    assert_int_equal(at, n);
    check_fails(dip_spool_get(&cursor, piece, 1, check_error()), DIP_ERR_FAILED, "1 bytes early");
    dip_spool_cursor_free(&cursor);
}

static void a_sequence_comes_back_whatever_its_length(void **state) {
    check_folder *folder = *state;
    static const size_t LENGTHS[] = {0,
                                     1,
                                     1023,
                                     1025,
                                     DIP_SPOOL_EXTENT - 1,
                                     DIP_SPOOL_EXTENT,
                                     DIP_SPOOL_EXTENT + 1,
                                     2 * DIP_SPOOL_EXTENT,
                                     LONG};
    dip_scratch scratch;
    dip_scratch_init(&scratch, folder->path);
    for (size_t i = 0; i < sizeof LENGTHS / sizeof LENGTHS[0]; i++) {
        dip_spool spool = {.scratch = &scratch};
        write_bytes(&spool, LENGTHS[i], 0, 1000);
        check_bytes(&spool, LENGTHS[i], 0, 4096);
        check_bytes(&spool, LENGTHS[i], 0, 7);
        dip_spool_free(&spool);
    }
    dip_scratch_free(&scratch);
}

static void sequences_share_a_file_without_mixing(void **state) {
    check_folder *folder = *state;
    dip_scratch scratch;
    dip_spool spool[3];
    dip_scratch_init(&scratch, folder->path);
    for (unsigned s = 0; s < 3; s++) {
        spool[s] = (dip_spool){.scratch = &scratch};
    }
    for (size_t at = 0; at < LONG; at += 100) {
        for (unsigned s = 0; s < 3; s++) {
            for (size_t i = at; i < at + 100 && i < LONG; i++) {
                const unsigned char byte = byte_at(i, s);
                check_ok(dip_spool_put(&spool[s], &byte, 1, check_error()));
            }
        }
    }
    for (unsigned s = 0; s < 3; s++) {
        check_bytes(&spool[s], LONG, s, 999);
        dip_spool_free(&spool[s]);
    }
    dip_scratch_free(&scratch);
}

static void space_that_was_given_back_is_used_again(void **state) {
    check_folder *folder = *state;
    dip_scratch scratch;
    dip_spool spool = {.scratch = &scratch};
    dip_scratch_init(&scratch, folder->path);
    for (unsigned round = 0; round < 4; round++) {
        write_bytes(&spool, LONG, round, 4096);
        check_bytes(&spool, LONG, round, 4096);
        dip_spool_free(&spool);
    }
    assert_int_equal(dip_scratch_bytes(&scratch), 5 * DIP_SPOOL_EXTENT);
    dip_scratch_free(&scratch);
}

static void short_sequences_make_no_file(void **state) {
    (void)state;
    dip_scratch scratch;
    dip_spool spool = {.scratch = &scratch};
    dip_scratch_init(&scratch, "/nonexistent/folder");
    write_bytes(&spool, DIP_SPOOL_EXTENT, 0, 4096);
    check_bytes(&spool, DIP_SPOOL_EXTENT, 0, 4096);
    check_fails(dip_spool_put(&spool, "x", 1, check_error()), DIP_ERR_IO, "/nonexistent/folder");
    dip_spool_free(&spool);
    dip_scratch_free(&scratch);
    dip_scratch_free(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(a_sequence_comes_back_whatever_its_length),
        check_test_in_folder(sequences_share_a_file_without_mixing),
        check_test_in_folder(space_that_was_given_back_is_used_again),
        cmocka_unit_test(short_sequences_make_no_file),
    };
    return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
