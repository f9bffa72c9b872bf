/* SPDX-License-Identifier: Apache-2.0
 *
 * Byte streams: plain, gzip and zstd files read through, whole or not at all.
 */
#include "check.h"
#include "compress.h"
#include "data/stream.h"

static const char *const ENDINGS[] = {"", ".gz", ".zst"};

static char *some_text(size_t bytes) {
    uint64_t random = bytes + 1;
    char *text = malloc(bytes + 1);
    assert_non_null(text);
    for (size_t i = 0; i < bytes; i++) {
        text[i] = (char)('a' + check_random_below(&random, 20));
    }
    text[bytes] = '\0';
    return text;
}

/* Reads everything in steps; *text is malloc()ed. */
static dip_status read_all(const char *path, size_t step, char **text, size_t *bytes) {
    dip_stream *stream = NULL;
    size_t capacity = 1 << 16;
    size_t got = 1;
    DIP_TRY(dip_stream_open(&stream, path, check_error()));
    *text = malloc(capacity);
    *bytes = 0;
    dip_status status = DIP_OK;
    while (status == DIP_OK && got > 0) {
        if (*bytes + step > capacity) {
            capacity = 2 * capacity + step;
            *text = realloc(*text, capacity);
        }
        assert_non_null(*text);
        status = dip_stream_read(stream, *text + *bytes, step, &got, check_error());
        *bytes += status == DIP_OK ? got : 0;
    }
    if (status == DIP_OK) {
        assert_true(dip_stream_position(stream) == dip_stream_size(stream));
    }
    dip_stream_close(stream);
    return status;
}

static void check_stream(const char *path, const char *text, size_t bytes, size_t step) {
    char *found = NULL;
    size_t got = 0;
    check_ok(read_all(path, step, &found, &got));
    assert_int_equal(got, bytes);
    assert_memory_equal(found, text, bytes);
    free(found);
}

static void endings_are_matched(void **state) {
    (void)state;
    assert_true(dip_name_ends_with("a.tsv.gz", ".gz"));
    assert_true(dip_name_ends_with(".gz", ".gz"));
    assert_false(dip_name_ends_with("gz", ".gz"));
    assert_false(dip_name_ends_with("a.gz.tsv", ".gz"));
    assert_true(dip_name_ends_with("a", ""));
}

static void files_are_read_through(void **state) {
    static const size_t SIZES[] = {0, 1, 1000, 131072, 131073, 700001};
    static const size_t STEPS[] = {17, 4096, 1 << 20};
    for (size_t e = 0; e < 3; e++) {
        char name[32];
        snprintf(name, sizeof name, "data%s", ENDINGS[e]);
        for (size_t s = 0; s < sizeof SIZES / sizeof SIZES[0]; s++) {
            const char *path = check_path(*state, name);
            char *text = some_text(SIZES[s]);
            compress_to(path, text, SIZES[s], 1);
            for (size_t p = 0; p < sizeof STEPS / sizeof STEPS[0]; p++) {
                if (SIZES[s] / STEPS[p] < 10000) {
                    check_stream(path, text, SIZES[s], STEPS[p]);
                }
            }
            free(text);
        }
    }
}

static void members_and_frames_are_joined(void **state) {
    char *text = some_text(50000);
    for (size_t e = 1; e < 3; e++) {
        char name[32];
        snprintf(name, sizeof name, "data%s", ENDINGS[e]);
        for (size_t members = 1; members < 9; members++) {
            const char *path = check_path(*state, name);
            compress_to(path, text, 50000, members);
            check_stream(path, text, 50000, 1 << 16);
            check_stream(path, text, 50000, 977);
        }
    }
    free(text);
}

static void highly_compressed_data_is_read_whole(void **state) {
    const size_t bytes = 5 << 20;
    char *text = calloc(bytes, 1);
    for (size_t e = 1; e < 3; e++) {
        char name[32];
        snprintf(name, sizeof name, "zeros%s", ENDINGS[e]);
        compress_to(check_path(*state, name), text, bytes, 2);
        check_stream(check_path(*state, name), text, bytes, 100000);
    }
    free(text);
}

/* Every prefix that ends inside a member: an error, never a shorter text. */
static void a_truncated_file_is_an_error(void **state) {
    char *text = some_text(300);
    for (size_t e = 1; e < 3; e++) {
        char name[32];
        char *found = NULL;
        size_t bytes = 0;
        size_t got = 0;
        snprintf(name, sizeof name, "data%s", ENDINGS[e]);
        const char *path = check_path(*state, name);
        compress_to(path, text, 300, 1);
        char *whole = check_read(path, &bytes);
        for (size_t n = 1; n < bytes; n++) {
            check_write(path, whole, n);
            check_fails(read_all(path, 4096, &found, &got), DIP_ERR_FORMAT, path);
            free(found);
        }
        free(whole);
    }
    free(text);
}

/* Flips every bit. Some, such as the time in a gzip header, mean nothing: then the text is the
 * same. */
static void corrupt_data_never_gives_another_text(void **state) {
    char *text = some_text(200);
    for (size_t e = 1; e < 3; e++) {
        char name[32];
        size_t bytes = 0;
        size_t noticed = 0;
        snprintf(name, sizeof name, "data%s", ENDINGS[e]);
        const char *path = check_path(*state, name);
        compress_to(path, text, 200, 1);
        char *whole = check_read(path, &bytes);
        for (size_t i = 0; i < 8 * bytes; i++) {
            char *found = NULL;
            size_t got = 0;
            whole[i / 8] = (char)(whole[i / 8] ^ 1 << (i % 8));
            check_write(path, whole, bytes);
            if (read_all(path, 4096, &found, &got) == DIP_OK) {
                assert_int_equal(got, 200);
                assert_memory_equal(found, text, 200);
            } else {
                assert_int_equal(check_error()->code, DIP_ERR_FORMAT);
                noticed++;
            }
            free(found);
            whole[i / 8] = (char)(whole[i / 8] ^ 1 << (i % 8));
        }
        assert_true(noticed > 7 * bytes);
        free(whole);
    }
    free(text);
}

static void what_is_not_compressed_is_refused(void **state) {
    for (size_t e = 1; e < 3; e++) {
        char name[32];
        char *found = NULL;
        size_t got = 0;
        size_t bytes = 0;
        snprintf(name, sizeof name, "data%s", ENDINGS[e]);
        const char *path = check_path(*state, name);
        check_write_text(path, "plain text under a wrong name\n");
        check_fails(read_all(path, 4096, &found, &got), DIP_ERR_FORMAT, "damaged");
        free(found);
        compress_to(path, "abc", 3, 1);
        char *whole = check_read(path, &bytes);
        whole = realloc(whole, bytes + 8);
        memcpy(whole + bytes, "garbage", 8);
        check_write(path, whole, bytes + 8);
        found = NULL;
        check_fails(read_all(path, 4096, &found, &got), DIP_ERR_FORMAT, "damaged");
        free(found);
        free(whole);
    }
}

/* The header of a frame of zstd 0.7, and no more: the library's decoder of that time sees an
 * end. */
static void frames_from_before_zstd_1_are_refused(void **state) {
    static const char OLD[] = "\x27\xb5\x2f\xfd\x00\x00\x00\x00\x00";
    const char *path = check_path(*state, "old.zst");
    char *found = NULL;
    size_t got = 0;
    check_write(path, OLD, sizeof OLD - 1);
    check_fails(read_all(path, 4096, &found, &got), DIP_ERR_FORMAT, "not a zstd frame");
    free(found);
}

/* A frame to be skipped may stand anywhere, and each of its sixteen magic numbers counts. */
static void frames_to_be_skipped_are_skipped(void **state) {
    const char *path = check_path(*state, "data.zst");
    char *text = some_text(500);
    size_t bytes = 0;
    compress_to(path, text, 500, 1);
    char *whole = check_read(path, &bytes);
    char *both = malloc(bytes + 11);
    assert_non_null(both);
    for (int kind = 0; kind < 16; kind++) {
        memcpy(both, "\x50\x2a\x4d\x18\x03\x00\x00\x00xyz", 11);
        both[0] = (char)(both[0] + kind);
        memcpy(both + 11, whole, bytes);
        check_write(path, both, bytes + 11);
        check_stream(path, text, 500, 100);
        both[1] ^= 1;
        check_write(path, both, bytes + 11);
        char *found = NULL;
        size_t got = 0;
        check_fails(read_all(path, 4096, &found, &got), DIP_ERR_FORMAT, "damaged");
        free(found);
    }
    free(both);
    free(whole);
    free(text);
}

/* The bytes of a file in memory give what the file gives, and report the same places. */
static void memory_is_read_like_a_file(void **state) {
    static const size_t SIZES[] = {0, 1, 300000};
    for (size_t e = 0; e < 3; e++) {
        for (size_t s = 0; s < sizeof SIZES / sizeof SIZES[0]; s++) {
            char name[32];
            size_t bytes = 0;
            size_t total = 0;
            size_t got = 1;
            dip_stream *stream = NULL;
            snprintf(name, sizeof name, "data%s", ENDINGS[e]);
            char *text = some_text(SIZES[s]);
            compress_to(check_path(*state, name), text, SIZES[s], 2);
            char *whole = check_read(check_path(*state, name), &bytes);
            check_ok(dip_stream_open_bytes(&stream, whole, bytes, name, check_error()));
            assert_int_equal(dip_stream_size(stream), bytes);
            while (got > 0) {
                char block[7777];
                check_ok(dip_stream_read(stream, block, sizeof block, &got, check_error()));
                assert_memory_equal(block, text + total, got);
                total += got;
            }
            assert_int_equal(total, SIZES[s]);
            assert_int_equal(dip_stream_position(stream), bytes);
            dip_stream_close(stream);
            free(whole);
            free(text);
        }
    }
}

static void a_missing_file_and_a_folder_are_named(void **state) {
    dip_stream *stream = NULL;
    check_fails(dip_stream_open(&stream, check_path(*state, "none.gz"), check_error()), DIP_ERR_IO,
                "/none.gz");
    assert_int_equal(mkdir(check_path(*state, "folder"), 0777), 0);
    check_fails(dip_stream_open(&stream, check_path(*state, "folder"), check_error()), DIP_ERR_IO,
                "/folder");
    assert_null(stream);
    dip_stream_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endings_are_matched),
        check_test_in_folder(files_are_read_through),
        check_test_in_folder(members_and_frames_are_joined),
        check_test_in_folder(highly_compressed_data_is_read_whole),
        check_test_in_folder(a_truncated_file_is_an_error),
        check_test_in_folder(corrupt_data_never_gives_another_text),
        check_test_in_folder(what_is_not_compressed_is_refused),
        check_test_in_folder(frames_from_before_zstd_1_are_refused),
        check_test_in_folder(frames_to_be_skipped_are_skipped),
        check_test_in_folder(memory_is_read_like_a_file),
        check_test_in_folder(a_missing_file_and_a_folder_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
