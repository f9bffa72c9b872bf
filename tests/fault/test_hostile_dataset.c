/* SPDX-License-Identifier: Apache-2.0
 *
 * R10, R12: datasets whose checksums are right and whose content is hostile. They must be refused
 * with DIP_ERR_FORMAT and a text that names the dataset, or else stand being used.
 */
#include "fault/hostile.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static world shop;

#define LENGTH(list) (sizeof(list) / sizeof(list)[0])
#define BRAND "schema/items/features/3/"
#define TAGS "schema/items/features/2/"
#define PRICE "schema/items/features/4/"
#define YEAR "schema/items/features/5/"

static const forgery MANIFEST[] = {
    {"format", "\"diptych-model\"", false},
    {"format", "7", false},
    {"format", NULL, false},
    {"version", "0", false},
    {"version", "2", false},
    {"version", "-1", false},
    {"version", "\"1\"", false},
    {"version", "1.0", false},
    {"version", "9223372036854775807", false},
    {"counts", "[]", false},
    {"counts", NULL, false},
    {"counts/item_rows", "0", false},
    {"counts/item_rows", "-12", false},
    {"counts/item_rows", "11", false},
    {"counts/item_rows", "13", false},
    {"counts/item_rows", "2147483647", false},
    {"counts/item_rows", "2147483648", false},
    {"counts/item_rows", "9223372036854775807", false},
    {"counts/item_rows", "12.0", false},
    {"counts/item_rows", "\"12\"", false},
    {"counts/item_rows", NULL, false},
    {"counts/query_rows", "1000000", false},
    {"counts/query_rows", NULL, false},
    {"parts", "[]", false},
    {"parts", "{}", false},
    {"parts/item-count.npy", NULL, false},
    {"parts/item-count.npy", "7", false},
    {"parts/item-count.npy/bytes", "-1", false},
    {"parts/item-count.npy/bytes", "\"224\"", false},
    {"parts/item-count.npy/bytes", "9223372036854775807", false},
    {"parts/item-count.npy/xxh3", "12345", false},
    {"parts/item-count.npy/xxh3", "\"\"", false},
    {"parts/item-count.npy/xxh3", NULL, false},
    {"schema", NULL, false},
    {"schema", "[]", false},
    {"schema/items", "null", false},
    {"schema/items/features", "[]", false},
    {"schema/items/features", "{}", false},
    {"schema/items/features/0", "5", false},
    {"schema/items/features/5", NULL, false},
    {"schema/queries", NULL, true},
    {"schema/queries", "5", false},
    {"schema/tables", "{}", false},
    {"schema/tables", "[]", false},
    {"schema/tables/0", "[]", false},
    {"schema/tables/0/rows", "-1", false},
    {"schema/tables/0/rows", "2147483648", false},
    {"schema/tables/0/rows", "2147483647", false},
    {"schema/tables/0/rows", "0", false},
    {"schema/tables/0/rows", "1", false},
    {"schema/tables/0/rows", "13", false},
    {"schema/tables/0/rows", "\"12\"", false},
    {"schema/tables/0/name", "\"title\"", false},
    {"schema/tables/0/name", "7", false},
    {"schema/tables/0/is_vocabulary", "false", false},
    {"schema/tables/2/is_vocabulary", "true", false},
    {BRAND "table_index", "-1", false},
    {BRAND "table_index", "-2", false},
    {BRAND "table_index", "99", false},
    {BRAND "table_index", "0", true},
    {BRAND "table_index", "4294967299", false},
    {BRAND "table_index", "\"3\"", false},
    {BRAND "type", "\"bag\"", false},
    {BRAND "type", "\"numeric\"", false},
    {BRAND "type", "\"picture\"", false},
    {BRAND "type", "3", false},
    {BRAND "name", "7", false},
    {BRAND "name", "\"../../etc/passwd\"", false},
    {BRAND "pool", "\"max\"", false},
    {BRAND "ngrams", "\"0\"", false},
    {BRAND "ngrams", "\"1,2,3,4,5,1,2,3,4\"", false},
    {BRAND "hash_buckets", "\"5\"", false},
    {BRAND "hash_buckets", "\"-5\"", false},
    {BRAND "buckets", "\"5\"", false},
    {TAGS "type", "\"categorical\"", false},
    {TAGS "separator", "\"\"", false},
    {TAGS "hash_buckets", "\"8\"", false},
    {TAGS "hash_buckets", "\"0\"", false},
    {PRICE "deviation", "0", false},
    {PRICE "deviation", "-1.5", false},
    {PRICE "deviation", "\"1\"", false},
    {PRICE "mean", "null", false},
    {PRICE "buckets", "\"3\"", false},
    {PRICE "table_index", "0", false},
    {YEAR "edges", "{}", false},
    {YEAR "edges", "[\"a\", null]", false},
    {YEAR "edges", "[2009, 2003, 2001]", false},
    {YEAR "edges", "[1, 2, 3, 4, 5, 6, 7, 8, 9]", false},
    {YEAR "edges", NULL, false},
    {"config", NULL, false},
    {"config", "[]", false},
    {"config/train.batch", "\"1\"", false},
    {"config/train.batch", "8", false},
    {"config/train.rate", "\"nan\"", false},
    {"config/model.hidden", "\"0\"", false},
    {"config/evaluate.k", "\"1001\"", false},
    {"config/no.such", "\"1\"", false},
};

static void forged_manifests(void **state) {
    (void)state;
    assert_int_equal(try_forgeries(&shop, shop.dataset, "manifest.json", shop.dataset, use_dataset,
                                   MANIFEST, LENGTH(MANIFEST)),
                     0);
}

/* ---- values in columns ----------------------------------------------------------------------- */

typedef struct value {
    const char *part;
    char type; /* i int32, q int64, f float32, d float64, u uint8 */
    int at;    /* position; -1 the last one */
    double number;
    bool may_open;
} value;

static const value VALUES[] = {
    {"item-00-id.npy", 'i', 0, 99, false},
    {"item-00-id.npy", 'i', 3, -2, false},
    {"item-00-id.npy", 'i', -1, 2147483647.0, false},
    {"item-00-id.npy", 'i', 5, -2147483648.0, false},
    {"item-02-tags.values.npy", 'i', 0, 7, false},
    {"item-02-tags.values.npy", 'i', 0, -1, false},
    {"item-02-tags.values.npy", 'i', -1, 1e9, false},
    {"item-02-tags.offsets.npy", 'q', 0, 1, false},
    {"item-02-tags.offsets.npy", 'q', 0, -1, false},
    {"item-02-tags.offsets.npy", 'q', 1, -8, false},
    {"item-02-tags.offsets.npy", 'q', 1, 1e18, false},
    {"item-02-tags.offsets.npy", 'q', 5, 0, false},
    {"item-02-tags.offsets.npy", 'q', -1, 0, false},
    {"item-02-tags.offsets.npy", 'q', -1, 1e6, false},
    {"item-05-year.npy", 'i', 0, 4, false},
    {"item-04-price.npy", 'f', 0, (double)INFINITY, false},
    {"item-04-price.npy", 'f', 1, -(double)INFINITY, false},
    {"item-04-price.npy", 'f', 2, (double)FLT_MAX, true},
    {"item-04-price.npy", 'f', 3, (double)NAN, true},
    {"item-ids.offsets.npy", 'q', 1, -1, false},
    {"item-ids.offsets.npy", 'q', 1, 1e15, false},
    {"item-ids.offsets.npy", 'q', -1, 1, false},
    {"item-titles.offsets.npy", 'q', 2, 1e15, false},
    {"query-ids.offsets.npy", 'q', 2, -1e15, false},
    {"query-01-likes.values.npy", 'i', 0, 3, false},
    {"query-01-likes.offsets.npy", 'q', 3, 1e12, false},
    {"pairs-train.npy", 'i', 0, 8, false},
    {"pairs-train.npy", 'i', 0, -1, false},
    {"pairs-train.npy", 'i', 1, 12, false},
    {"pairs-train.npy", 'i', -1, -1, false},
    {"pairs-test.npy", 'i', 1, 2147483647.0, false},
    {"pairs-validation.npy", 'i', 0, -2147483648.0, false},
    {"item-count.npy", 'q', 0, -1, false},
    {"item-count.npy", 'q', 0, 9e18, true},
    {"item-count.npy", 'q', 0, 0, true},
    {"item-trains.npy", 'u', 0, 255, true},
    {"mutual-information.npy", 'd', 1, (double)NAN, false},
    {"mutual-information.npy", 'd', 1, (double)INFINITY, false},
    {"mutual-information.npy", 'd', 1, -1e300, true},
};

static void put_value(blob *b, const value *v) {
    const size_t size = v->type == 'u' ? 1 : v->type == 'q' || v->type == 'd' ? 8 : 4;
    const size_t start = npy_data(b);
    const size_t at = v->at < 0 ? b->bytes - size : start + (size_t)v->at * size;
    const int32_t narrow = v->type == 'i' ? (int32_t)v->number : 0;
    const int64_t wide = v->type == 'q' ? (int64_t)v->number : 0;
    const uint8_t byte = v->type == 'u' ? (uint8_t)v->number : 0;
    const float single = v->type == 'f' ? (float)v->number : 0;
    const void *source = v->type == 'i'   ? (const void *)&narrow
                         : v->type == 'q' ? (const void *)&wide
                         : v->type == 'u' ? (const void *)&byte
                         : v->type == 'f' ? (const void *)&single
                                          : (const void *)&v->number;
    assert_true(at + size <= b->bytes);
    memcpy(b->data + at, source, size);
}

/* Forges one part, tries, and puts the good content back. */
static int try_part(const char *part, const blob *forged, const char *detail, bool may_open) {
    blob manifest = read_blob(world_path(&shop, "shop.dip/manifest.json"));
    char path[2 * WORLD_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", shop.dataset, part);
    blob good = read_blob(path);
    seal_part(shop.dataset, part, forged->data, forged->bytes);
    const attempt a = try_use(&shop, use_dataset);
    write_blob(path, good.data, good.bytes);
    write_blob(world_path(&shop, "shop.dip/manifest.json"), manifest.data, manifest.bytes);
    free_blob(&good);
    free_blob(&manifest);
    return complain_unless_refused(&a, part, detail, part, may_open);
}

static void forged_values(void **state) {
    (void)state;
    int complaints = 0;
    for (size_t i = 0; i < LENGTH(VALUES); i++) {
        char detail[64];
        char path[2 * WORLD_PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", shop.dataset, VALUES[i].part);
        snprintf(detail, sizeof detail, "[%d] %g", VALUES[i].at, VALUES[i].number);
        blob b = read_blob(path);
        put_value(&b, &VALUES[i]);
        complaints += try_part(VALUES[i].part, &b, detail, VALUES[i].may_open);
        free_blob(&b);
    }
    assert_int_equal(complaints, 0);
}

/* ---- headers --------------------------------------------------------------------------------- */

/* Headers for item-03-brand.npy, which holds 12 int32 values. */
static const char *const HEADERS[] = {
    "{'descr': '<i4', 'fortran_order': False, 'shape': (9223372036854775807,), }",
    "{'descr': '<i4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }",
    "{'descr': '<i4', 'fortran_order': False, 'shape': (99999999999999999999999,), }",
    "{'descr': '<i4', 'fortran_order': False, 'shape': (-12,), }",
    "{'descr': '<i4', 'fortran_order': False, 'shape': (0,), }",
    "{'descr': '<i4', 'fortran_order': False, 'shape': (11,), }",
    "{'descr': '<i4', 'fortran_order': False, 'shape': (13,), }",
    "{'descr': '<i4', 'fortran_order': False, 'shape': (6, 2), }",
    "{'descr': '<i4', 'fortran_order': False, 'shape': (12, 0), }",
    "{'descr': '<i4', 'fortran_order': False, 'shape': (12, 1), }",
    "{'descr': '<i4', 'fortran_order': False, 'shape': (12, 1, 1), }",
    "{'descr': '<i4', 'fortran_order': False, 'shape': (), }",
    "{'descr': '<i4', 'fortran_order': False, 'shape': [12], }",
    "{'descr': '<i4', 'fortran_order': False, 'shape': (12,) + (1,), }",
    "{'descr': '<i4', 'fortran_order': False, 'shape': (12, }",
    "{'descr': '<i4', 'fortran_order': True, 'shape': (12,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (12,), }",
    "{'descr': '>i4', 'fortran_order': False, 'shape': (12,), }",
    "{'descr': '<i8', 'fortran_order': False, 'shape': (6,), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (12,), }",
    "{'descr': '<i4x', 'fortran_order': False, 'shape': (12,), }",
    "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (12,), }",
    "{'fortran_order': False, 'shape': (12,), }",
    "{'descr': '<i4', 'shape': (12,), }",
    "{'descr': '<i4', 'fortran_order': False, }",
    "{'descr': '<i4', 'fortran_order': False, 'shape': (12,), 'shape': (13,), }",
    "",
    "nonsense",
};

/* magic, version, header length, header padded to `padded` bytes in all, 12 codes. */
static blob make_npy(const char *header, size_t padded, int major, int claimed) {
    static unsigned char bytes[4096];
    const size_t length = strlen(header);
    assert_true(padded >= 10 + length && padded + 48 <= sizeof bytes);
    memset(bytes, ' ', sizeof bytes);
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (unsigned char)major;
    bytes[7] = 0;
    const int size = claimed >= 0 ? claimed : (int)padded - 10;
    bytes[8] = (unsigned char)(size & 255);
    bytes[9] = (unsigned char)(size >> 8);
    memcpy(bytes + 10, header, length);
    bytes[padded - 1] = '\n';
    memset(bytes + padded, 0, 48);
    return (blob){bytes, padded + 48};
}

static void forged_headers(void **state) {
    (void)state;
    static const char GOOD[] = "{'descr': '<i4', 'fortran_order': False, 'shape': (12,), }";
    int complaints = 0;
    blob b = make_npy(GOOD, 128, 1, -1);
    assert_int_equal(try_part("item-03-brand.npy", &b, "the good header", true), 0);
    for (size_t i = 0; i < LENGTH(HEADERS); i++) {
        b = make_npy(HEADERS[i], 128, 1, -1);
        complaints += try_part("item-03-brand.npy", &b, HEADERS[i], false);
    }
    static const struct {
        size_t padded;
        int major;
        int claimed;
        const char *what;
    } FRAMES[] = {{128, 2, -1, "version 2"},        {128, 0, -1, "version 0"},
                  {128, 1, 0, "no header"},         {128, 1, 65535, "a header of 65535 bytes"},
                  {1024, 1, -1, "a long header"},   {128, 1, 117, "a header one byte short"},
                  {129, 1, -1, "data at byte 129"}, {122, 1, -1, "data at byte 122"}};
    for (size_t i = 0; i < LENGTH(FRAMES); i++) {
        b = make_npy(GOOD, FRAMES[i].padded, FRAMES[i].major, FRAMES[i].claimed);
        complaints += try_part("item-03-brand.npy", &b, FRAMES[i].what, false);
    }
    b = make_npy(GOOD, 128, 1, -1);
    b.data[20] = '\0';
    complaints += try_part("item-03-brand.npy", &b, "a NUL byte in the header", false);
    for (size_t n = 0; n < 176; n += 7) {
        b = make_npy(GOOD, 128, 1, -1);
        b.bytes = n;
        complaints += try_part("item-03-brand.npy", &b, "a truncation", false);
    }
    assert_int_equal(complaints, 0);
}

/* ---- manifests that are no such JSON --------------------------------------------------------- */

static void manifests_that_are_no_manifests(void **state) {
    (void)state;
    static char deep[200001];
    int complaints = 0;
    const char *path = world_path(&shop, "shop.dip/manifest.json");
    blob good = read_blob(path);
    static const char *const TEXTS[] = {"",
                                        "{}",
                                        "[]",
                                        "null",
                                        "{",
                                        "{\"format\": \"\\u0000\"}",
                                        "{\"format\": 1, \"format\": 2}",
                                        "\xff\xfe",
                                        "1e999"};
    for (size_t i = 0; i <= LENGTH(TEXTS); i++) {
        memset(deep, '[', sizeof deep - 1);
        const char *text = i < LENGTH(TEXTS) ? TEXTS[i] : deep;
        write_blob(path, text, strlen(text));
        const attempt a = try_use(&shop, use_dataset);
        complaints += complain_unless_refused(&a, "the manifest", i < LENGTH(TEXTS) ? text : "[[[",
                                              "manifest.json", false);
    }
    write_blob(path, good.data, good.bytes);
    free_blob(&good);
    assert_int_equal(complaints, 0);
}

static int make(void **state) {
    (void)state;
    world_fill(&shop);
    return 0;
}

static int unmake(void **state) {
    (void)state;
    world_remove(&shop);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forged_manifests),
        cmocka_unit_test(forged_values),
        cmocka_unit_test(forged_headers),
        cmocka_unit_test(manifests_that_are_no_manifests),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
