/* SPDX-License-Identifier: Apache-2.0
 *
 * Published folders: every altered byte is noticed, and no manifest is believed beyond what it may
 * say.
 */
#include "base/folder.h"
#include "base/mem.h"
#include "check.h"

static const char PART[] = "some content, long enough to be altered in many places\n";

static dip_status publish(const char *path, bool replace, const char *content) {
    dip_folder_writer folder;
    DIP_TRY(dip_folder_create(&folder, path, replace, check_error()));
    json_t *keys = json_pack("{s:s, s:[f, i]}", "note", "caf\xC3\xA9 \"x\"", "numbers", 0.1, 7);
    dip_status status =
        dip_folder_put(&folder, "part-1.txt", content, strlen(content), check_error());
    if (status == DIP_OK) {
        status = dip_folder_put(&folder, "empty.bin", "", 0, check_error());
    }
    if (status == DIP_OK) {
        status = dip_folder_publish(&folder, "test-format", 3, keys, check_error());
    }
    dip_folder_abort(&folder);
    json_decref(keys);
    return status;
}

static dip_status open_folder(dip_folder *folder, const char *path) {
    return dip_folder_open(folder, path, "test-format", 3, check_error());
}

static void check_content(const char *path, const char *content) {
    dip_folder folder;
    dip_map map;
    check_ok(open_folder(&folder, path));
    check_ok(dip_folder_map(&folder, "part-1.txt", &map, check_error()));
    assert_int_equal(map.bytes, strlen(content));
    assert_memory_equal(map.data, content, map.bytes);
    dip_map_close(&map);
    check_ok(dip_folder_map(&folder, "empty.bin", &map, check_error()));
    assert_int_equal(map.bytes, 0);
    dip_map_close(&map);
    dip_folder_close(&folder);
}

static void check_refused(const char *path, const char *what, size_t at) {
    dip_folder folder;
    if (open_folder(&folder, path) == DIP_OK) {
        print_error("%s at byte %zu of the manifest was not noticed\n", what, at);
        fail();
    }
    assert_int_equal(check_error()->code, DIP_ERR_FORMAT);
}

static void every_altered_byte_of_the_manifest_is_noticed(void **state) {
    const char *path = check_path(*state, "out");
    const char *manifest = check_path(*state, "out/manifest.json");
    size_t bytes = 0;
    check_ok(publish(path, false, PART));
    char *text = check_read(manifest, &bytes);
    for (size_t i = 0; i < bytes; i++) {
        const char original = text[i];
        const int altered[] = {original ^ 1, original ^ 0x20, original ^ 1 << (i % 8)};
        for (size_t a = 0; a < 3; a++) {
            text[i] = (char)altered[a];
            check_write(manifest, text, bytes);
            check_refused(path, "an altered byte", i);
        }
        text[i] = original;
    }
    check_write(manifest, text, bytes);
    check_content(path, PART);
    free(text);
}

static void every_missing_byte_of_the_manifest_is_noticed(void **state) {
    const char *path = check_path(*state, "out");
    const char *manifest = check_path(*state, "out/manifest.json");
    size_t bytes = 0;
    check_ok(publish(path, false, PART));
    char *text = check_read(manifest, &bytes);
    char *shorter = malloc(bytes);
    for (size_t i = 0; i < bytes; i++) {
        check_write(manifest, text, i);
        check_refused(path, "the end", i);
        memcpy(shorter, text, i);
        memcpy(shorter + i, text + i + 1, bytes - i - 1);
        check_write(manifest, shorter, bytes - 1);
        check_refused(path, "a missing byte", i);
    }
    free(shorter);
    free(text);
}

static void every_inserted_byte_of_the_manifest_is_noticed(void **state) {
    static const char INSERTED[] = {'0', ' ', '\n', '"', ',', '\0'};
    const char *path = check_path(*state, "out");
    const char *manifest = check_path(*state, "out/manifest.json");
    size_t bytes = 0;
    check_ok(publish(path, false, PART));
    char *text = check_read(manifest, &bytes);
    char *longer = malloc(bytes + 1);
    for (size_t i = 0; i <= bytes; i++) {
        const char inserted[] = {'0', INSERTED[i % sizeof INSERTED]};
        for (size_t c = 0; c < sizeof inserted; c++) {
            memcpy(longer, text, i);
            longer[i] = inserted[c];
            memcpy(longer + i + 1, text + i, bytes - i);
            check_write(manifest, longer, bytes + 1);
            check_refused(path, "an inserted byte", i);
        }
    }
    free(longer);
    free(text);
}

static void check_part_refused(const char *path) {
    dip_folder folder;
    dip_map map;
    check_ok(open_folder(&folder, path));
    check_fails(dip_folder_map(&folder, "part-1.txt", &map, check_error()), DIP_ERR_FORMAT,
                "part-1.txt is damaged");
    dip_folder_close(&folder);
}

static void every_altered_byte_of_a_part_is_noticed(void **state) {
    const char *path = check_path(*state, "out");
    const char *part = check_path(*state, "out/part-1.txt");
    char text[sizeof PART + 1];
    const size_t bytes = sizeof PART - 1;
    check_ok(publish(path, false, PART));
    for (size_t i = 0; i < bytes; i++) {
        memcpy(text, PART, sizeof PART);
        text[i] = (char)(text[i] ^ 1 << (i % 8));
        check_write(part, text, bytes);
        check_part_refused(path);
        check_write(part, PART, i);
        check_part_refused(path);
    }
    memcpy(text, PART, sizeof PART);
    check_write(part, text, bytes + 1);
    check_part_refused(path);
    check_write(part, PART, bytes);
    check_content(path, PART);
}

static void a_missing_part_is_named(void **state) {
    dip_folder folder;
    dip_map map;
    check_ok(publish(check_path(*state, "out"), false, PART));
    assert_int_equal(unlink(check_path(*state, "out/part-1.txt")), 0);
    check_write_text(check_path(*state, "out/stranger"), "x");
    check_ok(open_folder(&folder, check_path(*state, "out")));
    check_fails(dip_folder_map(&folder, "part-1.txt", &map, check_error()), DIP_ERR_FORMAT,
                "part-1.txt");
    check_fails(dip_folder_map(&folder, "stranger", &map, check_error()), DIP_ERR_FORMAT,
                "no part \"stranger\"");
    assert_int_equal(symlink("stranger", check_path(*state, "out/part-1.txt")), 0);
    check_fails(dip_folder_map(&folder, "part-1.txt", &map, check_error()), DIP_ERR_FORMAT,
                "part-1.txt");
    dip_folder_close(&folder);
}

/* Puts any manifest with a right checksum there, as another writer might. */
static void write_sealed(const char *path, json_t *manifest) {
    char *text = NULL;
    char digits[17];
    check_ok(dip_json_dump(manifest, &text, check_error()));
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)dip_hash(text, strlen(text)));
    dip_free(text);
    check_ok(dip_json_set(manifest, "checksum", json_string(digits), check_error()));
    check_ok(dip_json_dump(manifest, &text, check_error()));
    check_write_text(path, text);
    dip_free(text);
    json_decref(manifest);
}

static void parts_outside_the_folder_are_never_opened(void **state) {
    static const char *const NAMES[] = {"../secret", "/etc/passwd", ".hidden", "a/b", "", "a b"};
    dip_map map;
    check_write_text(check_path(*state, "secret"), "x");
    assert_int_equal(mkdir(check_path(*state, "out"), 0777), 0);
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        dip_folder folder;
        write_sealed(check_path(*state, "out/manifest.json"),
                     json_pack("{s:s, s:i, s:{s:{s:i, s:s}}}", "format", "test-format", "version",
                               1, "parts", NAMES[i], "bytes", 1, "xxh3", "0000000000000000"));
        check_ok(open_folder(&folder, check_path(*state, "out")));
        check_fails(dip_folder_map(&folder, NAMES[i], &map, check_error()), DIP_ERR_FORMAT,
                    "names no part");
        dip_folder_close(&folder);
    }
}

static void another_format_or_a_newer_version_is_refused(void **state) {
    dip_folder folder;
    const char *path = check_path(*state, "out");
    check_ok(publish(path, false, PART));
    check_fails(dip_folder_open(&folder, path, "other-format", 3, check_error()), DIP_ERR_FORMAT,
                "is a test-format, not a other-format");
    check_fails(dip_folder_open(&folder, path, "test-format", 2, check_error()), DIP_ERR_FORMAT,
                "version 3");
    check_ok(dip_folder_open(&folder, path, NULL, 4, check_error()));
    dip_folder_close(&folder);
}

static void what_is_no_published_folder_is_refused(void **state) {
    dip_folder folder;
    check_fails(open_folder(&folder, check_path(*state, "none")), DIP_ERR_IO, "manifest.json");
    check_write_text(check_path(*state, "file"), "x");
    check_fails(open_folder(&folder, check_path(*state, "file")), DIP_ERR_FORMAT, "is a file");
    assert_int_equal(mkdir(check_path(*state, "empty"), 0777), 0);
    check_fails(open_folder(&folder, check_path(*state, "empty")), DIP_ERR_IO, "manifest.json");
    check_write_text(check_path(*state, "empty/manifest.json"), "{}");
    check_fails(open_folder(&folder, check_path(*state, "empty")), DIP_ERR_FORMAT, "altered");
    write_sealed(check_path(*state, "empty/manifest.json"), json_pack("{s:i}", "version", 1));
    check_fails(open_folder(&folder, check_path(*state, "empty")), DIP_ERR_FORMAT, "\"format\"");
    write_sealed(check_path(*state, "empty/manifest.json"),
                 json_pack("{s:s, s:i}", "format", "test-format", "version", 0));
    check_fails(open_folder(&folder, check_path(*state, "empty")), DIP_ERR_FORMAT, "\"version\"");
    write_sealed(check_path(*state, "empty/manifest.json"),
                 json_pack("{s:s, s:i}", "format", "test-format", "version", 1));
    check_fails(open_folder(&folder, check_path(*state, "empty")), DIP_ERR_FORMAT, "\"parts\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        check_test_in_folder(every_altered_byte_of_the_manifest_is_noticed),
        check_test_in_folder(every_missing_byte_of_the_manifest_is_noticed),
        check_test_in_folder(every_inserted_byte_of_the_manifest_is_noticed),
        check_test_in_folder(every_altered_byte_of_a_part_is_noticed),
        check_test_in_folder(a_missing_part_is_named),
        check_test_in_folder(parts_outside_the_folder_are_never_opened),
        check_test_in_folder(another_format_or_a_newer_version_is_refused),
        check_test_in_folder(what_is_no_published_folder_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
