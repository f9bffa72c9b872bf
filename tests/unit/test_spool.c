/* SPDX-License-Identifier: Apache-2.0
 *
 * Sequences in scratch space: what goes in comes out, whatever the sizes of the pieces.
 */
#include "base/file.h"
#include "base/spool.h"
#include "check.h"

#include <errno.h>

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
    dip_scratch_init(&scratch, folder->path, 0);
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
    dip_scratch_init(&scratch, folder->path, 0);
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
    dip_scratch_init(&scratch, folder->path, 0);
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
    dip_scratch_init(&scratch, "/nonexistent/folder", 0);
    write_bytes(&spool, DIP_SPOOL_EXTENT, 0, 4096);
    check_bytes(&spool, DIP_SPOOL_EXTENT, 0, 4096);
    check_fails(dip_spool_put(&spool, "x", 1, check_error()), DIP_ERR_IO, "/nonexistent/folder");
    dip_spool_free(&spool);
    dip_scratch_free(&scratch);
    dip_scratch_free(&scratch);
}

static void what_fits_stays_in_memory(void **state) {
    check_folder *folder = *state;
    dip_scratch scratch;
    dip_spool spool[2];
    dip_scratch_init(&scratch, folder->path, 7 * DIP_SPOOL_EXTENT + 1);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned s = 0; s < 2; s++) {
            spool[s] = (dip_spool){.scratch = &scratch};
            write_bytes(&spool[s], LONG, s + round, 4096);
        }
        assert_int_equal(dip_scratch_bytes(&scratch), 3 * DIP_SPOOL_EXTENT);
        for (unsigned s = 0; s < 2; s++) {
            check_bytes(&spool[s], LONG, s + round, 999);
            dip_spool_free(&spool[s]);
        }
    }
    dip_scratch_free(&scratch);
    dip_scratch_init(&scratch, "/nonexistent/folder", 6 * DIP_SPOOL_EXTENT);
    spool[0] = (dip_spool){.scratch = &scratch};
    write_bytes(&spool[0], LONG, 0, 4096);
    check_bytes(&spool[0], LONG, 0, 4096);
    dip_spool_free(&spool[0]);
    dip_scratch_free(&scratch);
}

/* ---- failures -------------------------------------------------------------------------------- */

static int opened = -1;
static int n_closed;

static int note_open(const char *path, int flags, mode_t mode) {
    opened = dip_vfs_system()->open(path, flags, mode);
    return opened;
}

static int refuse_unlink(const char *path) {
    (void)path;
    errno = EACCES;
    return -1;
}

static int count_close(int fd) {
    n_closed += fd == opened;
    return dip_vfs_system()->close(fd);
}

/* A file whose name stays is closed once: its number may soon be another file's. */
static void a_file_that_keeps_its_name_is_closed_once(void **state) {
    check_folder *folder = *state;
    dip_vfs table = *dip_vfs_system();
    dip_scratch scratch;
    dip_spool spool = {.scratch = &scratch};
    table.open = note_open;
    table.unlink = refuse_unlink;
    table.close = count_close;
    n_closed = 0;
    dip_scratch_init(&scratch, folder->path, 0);
    write_bytes(&spool, DIP_SPOOL_EXTENT, 0, 4096);
    dip_vfs_set(&table);
    check_fails(dip_spool_put(&spool, "x", 1, check_error()), DIP_ERR_IO, folder->path);
    dip_spool_free(&spool);
    dip_scratch_free(&scratch);
    dip_vfs_set(NULL);
    assert_true(opened >= 0);
    assert_int_equal(n_closed, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(a_sequence_comes_back_whatever_its_length),
        check_test_in_folder(sequences_share_a_file_without_mixing),
        check_test_in_folder(space_that_was_given_back_is_used_again),
        check_test_in_folder(what_fits_stays_in_memory),
        check_test_in_folder(a_file_that_keeps_its_name_is_closed_once),
        cmocka_unit_test(short_sequences_make_no_file),
    };
    return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
