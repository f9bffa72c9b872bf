/* SPDX-License-Identifier: Apache-2.0
 *
 * What the C tests share: cmocka with the headers that it wants before it, comparisons of numbers,
 * checks of statuses with their texts, a generator that owes nothing to the library, and temporary
 * folders. Everything is inline, so that a test takes only what it needs.
 */
#ifndef DIP_TESTS_CHECK_H
#define DIP_TESTS_CHECK_H

#include "base/status.h"

#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- numbers --------------------------------------------------------------------------------- */

/* |actual - expected| <= relative * max(|actual|, |expected|); NaN is close to nothing. */
#define check_close(actual, expected, relative)                                                    \
    check_close_at((actual), (expected), (relative), 0, #actual, __FILE__, __LINE__)

/* |actual - expected| <= absolute, for values that may be 0. */
#define check_near(actual, expected, absolute)                                                     \
    check_close_at((actual), (expected), 0, (absolute), #actual, __FILE__, __LINE__)

static inline void check_close_at(double actual, double expected, double relative, double absolute,
                                  const char *text, const char *file, int line) {
    const double scale = fmax(fabs(actual), fabs(expected));
    if (actual == expected || fabs(actual - expected) <= relative * scale + absolute) {
        return;
    }
    print_error("%s is %.17g, not %.17g (off by %.3g)\n", text, actual, expected,
                actual - expected);
    _fail(file, line);
}

/* A count of n independent events of probability p lies within `sigmas` standard deviations. */
#define check_share(count, n, p, sigmas)                                                           \
    check_share_at((double)(count), (double)(n), (p), (sigmas), #count, __FILE__, __LINE__)

static inline void check_share_at(double count, double n, double p, double sigmas, const char *text,
                                  const char *file, int line) {
    const double deviation = sqrt(n * p * (1 - p));
    if (fabs(count - n * p) <= sigmas * deviation) {
        return;
    }
    print_error("%s is %.0f of %.0f: %.1f standard deviations from the expected %.1f\n", text,
                count, n, (count - n * p) / deviation, n * p);
    _fail(file, line);
}

/* SplitMix64 (Steele, Lea and Flood, 2014): data for tests, independent of base/rng.h. */
static inline uint64_t check_random(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* An integer in [0, n). */
static inline size_t check_random_below(uint64_t *state, size_t n) {
    return (size_t)(check_random(state) % n);
}

/* A number in [0, 1). */
static inline double check_random_unit(uint64_t *state) {
    return (double)(check_random(state) >> 11) * 0x1p-53;
}

/* ---- statuses -------------------------------------------------------------------------------- */

/* Weak, so that all sources of a test program share the one definition. */
extern dip_error check_last_error;
__attribute__((weak)) dip_error check_last_error;

/* The one error text of a test program: pass it as err to the calls that are checked. */
static inline dip_error *check_error(void) {
    return &check_last_error;
}

/* The call succeeds; otherwise its text is shown. */
#define check_ok(call) check_ok_at((call), #call, __FILE__, __LINE__)

static inline void check_ok_at(dip_status status, const char *call, const char *file, int line) {
    if (status == DIP_OK) {
        return;
    }
    print_error("%s\n    failed with \"%s\": %s\n", call, dip_status_name(status),
                check_error()->message);
    _fail(file, line);
}

/* The call, which takes check_error() as err, fails with this status, and its text holds `part`. */
#define check_fails(call, status, part)                                                            \
    do {                                                                                           \
        memset(check_error(), 0, sizeof *check_error());                                           \
        check_fails_at((call), (status), (part), __FILE__, __LINE__);                              \
    } while (0)

static inline void check_fails_at(dip_status status, dip_status expected, const char *part,
                                  const char *file, int line) {
    const dip_error *error = check_error();
    if (status == expected && error->code == expected && strstr(error->message, part) != NULL) {
        return;
    }
    print_error("status \"%s\" with text \"%s\"; expected \"%s\" and a text with \"%s\"\n",
                dip_status_name(status), error->message, dip_status_name(expected), part);
    _fail(file, line);
}

/* ---- files ----------------------------------------------------------------------------------- */

enum { CHECK_PATH_MAX = 512 };

/* An empty folder of the test's own, under $TMPDIR or /tmp. */
typedef struct check_folder {
    char path[CHECK_PATH_MAX];
    char **names; /* paths that check_path has handed out */
    size_t n_names;
} check_folder;

static inline int check_remove_entry(const char *path, const struct stat *status, int kind,
                                     struct FTW *place) {
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

/* Set-up and tear-down for cmocka: *state is the check_folder. */
static inline int check_enter_folder(void **state) {
    const char *parent = getenv("TMPDIR");
    check_folder *folder = calloc(1, sizeof *folder);
    if (folder == NULL) {
        return -1;
    }
    snprintf(folder->path, sizeof folder->path, "%s/diptych-test-XXXXXX",
             parent != NULL && parent[0] != '\0' ? parent : "/tmp");
    *state = folder;
    return mkdtemp(folder->path) != NULL ? 0 : -1;
}

static inline int check_leave_folder(void **state) {
    check_folder *folder = *state;
    const int failed = nftw(folder->path, check_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < folder->n_names; i++) {
        free(folder->names[i]);
    }
    free(folder->names);
    free(folder);
    return failed;
}

#define check_test_in_folder(test)                                                                 \
    cmocka_unit_test_setup_teardown(test, check_enter_folder, check_leave_folder)

/* folder/name; valid until the folder is left. */
static inline const char *check_path(check_folder *folder, const char *name) {
    const size_t size = strlen(folder->path) + strlen(name) + 2;
    char *path = malloc(size);
    folder->names = realloc(folder->names, (folder->n_names + 1) * sizeof *folder->names);
    assert_non_null(path);
    assert_non_null(folder->names);
    snprintf(path, size, "%s/%s", folder->path, name);
    folder->names[folder->n_names++] = path;
    return path;
}

/* Puts a file there, whatever stood there before. */
static inline void check_write(const char *path, const void *data, size_t bytes) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(bytes > 0 ? fwrite(data, 1, bytes, file) : 0, bytes);
    assert_int_equal(fclose(file), 0);
}

static inline void check_write_text(const char *path, const char *text) {
    check_write(path, text, strlen(text));
}

/* The whole file with a NUL behind it; the caller free()s it. */
static inline char *check_read(const char *path, size_t *bytes) {
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    FILE *file = fopen(path, "rb");
    char *data = calloc((size_t)status.st_size + 1, 1);
    assert_non_null(file);
    assert_non_null(data);
    *bytes = fread(data, 1, (size_t)status.st_size, file);
    assert_int_equal(*bytes, status.st_size);
    fclose(file);
    return data;
}

#endif
