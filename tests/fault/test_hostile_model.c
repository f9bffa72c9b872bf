/* SPDX-License-Identifier: Apache-2.0
 *
 * R10, R12: models whose checksums are right and whose content is hostile. They must be refused
 * with DIP_ERR_FORMAT and a text that names the model, or else stand being used.
 */
#include "fault/hostile.h"

#include <stdlib.h>
#include <string.h>

static world shop;

#define LENGTH(list) (sizeof(list) / sizeof(list)[0])
#define TITLE "schema/items/features/1/"
#define TAGS "schema/items/features/2/"
#define BRAND "schema/items/features/3/"
#define PRICE "schema/items/features/4/"
#define YEAR "schema/items/features/5/"
#define LIKES "schema/queries/features/1/"

static const forgery DESCRIPTION[] = {
    {"config", NULL, false},
    {"config", "[]", false},
    {"config/model.dim", "\"5\"", false},
    {"config/model.dim", "\"4096\"", false},
    {"config/model.dim", "\"0\"", false},
    {"config/model.dim", "4", false},
    {"config/model.hidden", "\"6\"", false},
    {"config/model.hidden", "\"6,4,2\"", false},
    {"config/model.hidden", "\"65536,65536,65536,65536,65536,65536,65536,65536\"", false},
    {"config/model.share", "\"none\"", false},
    {"config/model.share", "\"all\"", false},
    {"config/no.such", "\"1\"", false},
    {"config/threads", "\"-1\"", false},
    {"schema", NULL, false},
    {"schema", "[]", false},
    {"schema/items", NULL, false},
    {"schema/items/features/0", NULL, false},
    {"schema/items/features", "[]", false},
    {"schema/queries", NULL, false},
    {"schema/queries/features", "{}", false},
    {"schema/tables/0/rows", "11", false},
    {"schema/tables/0/rows", "0", false},
    {"schema/tables/0/rows", "2147483647", false},
    {"schema/tables/0/rows", "-1", false},
    {"schema/tables/0/name", "\"title\"", false},
    {"schema/tables/0/is_vocabulary", "false", false},
    {"schema/tables/2/is_vocabulary", "true", false},
    {"schema/tables/2/rows", "6", false},
    {"schema/tables/2/rows", "1000000000", false},
    {"schema/tables", "[]", false},
    {TITLE "type", "\"bag\"", true},
    {TITLE "ngrams", "\"5\"", true},
    {TITLE "hash_buckets", "\"1000000\"", false},
    {TAGS "separator", "\"\"", false},
    {TAGS "hash_buckets", "\"8\"", false},
    {TAGS "hash_buckets", "\"2147483647\"", false},
    {TAGS "hash_buckets", "\"0\"", false},
    {TAGS "type", "\"categorical\"", true},
    {TAGS "type", "\"text\"", true},
    {BRAND "type", "\"numeric\"", false},
    {BRAND "type", "\"bag\"", true},
    {BRAND "buckets", "\"900\"", false},
    {BRAND "hash_buckets", "\"1000000\"", false},
    {BRAND "table_index", "1", true},
    {BRAND "table_index", "-1", false},
    {BRAND "table_index", "77", false},
    {LIKES "hash_buckets", "\"1000000\"", false},
    {LIKES "separator", "\"\"", false},
    {PRICE "deviation", "0", false},
    {PRICE "deviation", "5e-324", true},
    {PRICE "mean", "-1.7976931348623157e308", true},
    {PRICE "type", "\"id\"", false},
    {YEAR "edges", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]", false},
    {YEAR "edges", "[]", true},
    {YEAR "edges", "[3, 2, 1]", false},
    {YEAR "edges", "[\"a\", null, {}]", false},
    {YEAR "edges", "7", false},
    {YEAR "buckets", "\"0\"", false},
    {"dataset", NULL, true},
    {"dataset/path", "7", true},
    {"dataset/path", "\"/nonexistent\"", true},
    {"training", "[]", true},
};

static void forged_descriptions(void **state) {
    (void)state;
    assert_int_equal(try_forgeries(&shop, shop.model, "config.json", shop.model, use_model,
                                   DESCRIPTION, LENGTH(DESCRIPTION)),
                     0);
}

static const forgery MANIFEST[] = {
    {"format", "\"diptych-dataset\"", false},
    {"version", "2", false},
    {"version", "null", false},
    {"parts", "[]", false},
    {"parts/config.json", NULL, false},
    {"parts/model.safetensors", NULL, false},
    {"parts/model.safetensors/bytes", "-1", false},
    {"parts/model.safetensors/xxh3", "null", false},
    {"parts/vocab-00-id.tsv", NULL, false},
    {"parts/metrics.jsonl", "{}", false},
};

static void forged_manifests(void **state) {
    (void)state;
    assert_int_equal(try_forgeries(&shop, shop.model, "manifest.json", shop.model, use_model,
                                   MANIFEST, LENGTH(MANIFEST)),
                     0);
}

/* ---- parts as bytes -------------------------------------------------------------------------- */

static int try_bytes(const char *part, const void *data, size_t bytes, const char *what,
                     bool may_open) {
    const char *named = strcmp(part, "config.json") == 0 ? shop.model : part;
    char path[2 * WORLD_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", shop.model, part);
    blob manifest = read_blob(world_path(&shop, "model/manifest.json"));
    blob good = read_blob(path);
    seal_part(shop.model, part, data, bytes);
    const attempt a = try_use(&shop, use_model);
    write_blob(path, good.data, good.bytes);
    write_blob(world_path(&shop, "model/manifest.json"), manifest.data, manifest.bytes);
    free_blob(&good);
    free_blob(&manifest);
    return complain_unless_refused(&a, part, what, named, may_open);
}

static void descriptions_that_are_no_json(void **state) {
    (void)state;
    static const char *const TEXTS[] = {"",
                                        "[]",
                                        "null",
                                        "{}",
                                        "{\"config\": {}}",
                                        "{\"a\":1,\"a\":2}",
                                        "\xff",
                                        "{\"config\": \"\\u0000\"}",
                                        "1e999",
                                        "{} {}"};
    int complaints = 0;
    for (size_t i = 0; i < LENGTH(TEXTS); i++) {
        complaints += try_bytes("config.json", TEXTS[i], strlen(TEXTS[i]), TEXTS[i], false);
    }
    char *deep = malloc(200000);
    assert_non_null(deep);
    memset(deep, '[', 200000);
    complaints += try_bytes("config.json", deep, 200000, "200000 brackets", false);
    free(deep);
    assert_int_equal(complaints, 0);
}

/* ---- tensors --------------------------------------------------------------------------------- */

static size_t header_length(const blob *b) {
    uint64_t length = 0;
    memcpy(&length, b->data, sizeof length);
    return (size_t)length;
}

/* A copy of the good tensors with another header text; the length says `claimed`. */
static blob with_header(const blob *good, const char *text, size_t bytes, uint64_t claimed) {
    const size_t data = 8 + header_length(good);
    blob b = {malloc(8 + bytes + good->bytes - data), 8 + bytes + good->bytes - data};
    assert_non_null(b.data);
    memcpy(b.data, &claimed, 8);
    memcpy(b.data + 8, text, bytes);
    memcpy(b.data + 8 + bytes, good->data + data, good->bytes - data);
    return b;
}

static const forgery TENSORS[] = {
    {"embedding.id", NULL, false},
    {"embedding.id/dtype", "\"F64\"", false},
    {"embedding.id/dtype", "\"BF16\"", false},
    {"embedding.id/dtype", "7", false},
    {"embedding.id/dtype", NULL, false},
    {"embedding.id/shape", "[11, 4]", false},
    {"embedding.id/shape", "[4, 12]", false},
    {"embedding.id/shape", "[48]", false},
    {"embedding.id/shape", "[12, 4, 1]", false},
    {"embedding.id/shape", "[-12, -4]", false},
    {"embedding.id/shape", "[9223372036854775807, 4]", false},
    {"embedding.id/shape", "[12.0, 4.0]", false},
    {"embedding.id/shape", "{\"0\": 12}", false},
    {"embedding.id/shape", NULL, false},
    {"embedding.id/data_offsets", "[0, 191]", false},
    {"embedding.id/data_offsets", "[4, 196]", false},
    {"embedding.id/data_offsets", "[-192, 0]", false},
    {"embedding.id/data_offsets", "[192, 0]", false},
    {"embedding.id/data_offsets", "[0, 9223372036854775807]", false},
    {"embedding.id/data_offsets", "[9223372036854775616, 9223372036854775807]", false},
    {"embedding.id/data_offsets", "[0]", false},
    {"embedding.id/data_offsets", "\"0-192\"", false},
    {"embedding.id/data_offsets", NULL, false},
    {"embedding.title/data_offsets", "[0, 192]", false},
    {"item.layer0.weight/data_offsets", "[0, 504]", false},
    {"embedding.id", "[]", false},
    {"embedding.extra", "{\"dtype\": \"F32\", \"shape\": [1, 1], \"data_offsets\": [0, 4]}", false},
    {"__metadata__", "7", true},
};

static void forged_tensor_headers(void **state) {
    (void)state;
    int complaints = 0;
    blob good = read_blob(world_path(&shop, "model/model.safetensors"));
    for (size_t i = 0; i < LENGTH(TENSORS); i++) {
        json_t *header = json_loadb((const char *)good.data + 8, header_length(&good), 0, NULL);
        json_t *value =
            TENSORS[i].json != NULL ? json_loads(TENSORS[i].json, JSON_DECODE_ANY, NULL) : NULL;
        assert_non_null(header);
        assert_true(TENSORS[i].json == NULL || value != NULL);
        /* Tensor names hold dots, not slashes: the paths are two steps. */
        json_put(header, TENSORS[i].path, value);
        char *text = json_dumps(header, JSON_COMPACT);
        blob b = with_header(&good, text, strlen(text), strlen(text));
        complaints +=
            try_bytes("model.safetensors", b.data, b.bytes, TENSORS[i].path, TENSORS[i].may_open);
        free_blob(&b);
        free(text);
        json_decref(header);
    }
    free_blob(&good);
    assert_int_equal(complaints, 0);
}

static void header_lengths_that_lie(void **state) {
    (void)state;
    static const uint64_t CLAIMS[] = {0,
                                      1,
                                      7,
                                      UINT64_C(1) << 63,
                                      UINT64_MAX,
                                      UINT64_MAX - 7,
                                      UINT64_C(1) << 32,
                                      UINT64_C(64) << 20};
    int complaints = 0;
    blob good = read_blob(world_path(&shop, "model/model.safetensors"));
    const size_t length = header_length(&good);
    for (size_t i = 0; i < LENGTH(CLAIMS); i++) {
        blob b = with_header(&good, (const char *)good.data + 8, length, CLAIMS[i]);
        complaints += try_bytes("model.safetensors", b.data, b.bytes, "a header length", false);
        free_blob(&b);
    }
    for (int64_t off = -64; off <= 64; off += off == -1 ? 2 : 1) {
        blob b = with_header(&good, (const char *)good.data + 8, length, length + (uint64_t)off);
        complaints += try_bytes("model.safetensors", b.data, b.bytes, "a wrong length", false);
        free_blob(&b);
    }
    for (size_t n = 0; n < 16; n++) {
        complaints += try_bytes("model.safetensors", good.data, n, "a few bytes", false);
    }
    free_blob(&good);
    assert_int_equal(complaints, 0);
}

static void header_texts_that_are_no_headers(void **state) {
    (void)state;
    static const char *const TEXTS[] = {"[]",
                                        "null",
                                        "{}",
                                        "7",
                                        "{\"__metadata__\":{}}",
                                        "{\"a\":1,\"a\":2}",
                                        "{\"a\":\"\xff\"}",
                                        "{\"a\":1e999}"};
    int complaints = 0;
    blob good = read_blob(world_path(&shop, "model/model.safetensors"));
    for (size_t i = 0; i < LENGTH(TEXTS); i++) {
        blob b = with_header(&good, TEXTS[i], strlen(TEXTS[i]), strlen(TEXTS[i]));
        complaints += try_bytes("model.safetensors", b.data, b.bytes, TEXTS[i], false);
        free_blob(&b);
    }
    char *deep = malloc(100000);
    assert_non_null(deep);
    memset(deep, '[', 100000);
    blob b = with_header(&good, deep, 100000, 100000);
    complaints += try_bytes("model.safetensors", b.data, b.bytes, "100000 brackets", false);
    free_blob(&b);
    free(deep);
    free_blob(&good);
    assert_int_equal(complaints, 0);
}

static void tensor_values_and_sizes(void **state) {
    (void)state;
    static const uint32_t BITS[] = {0x7FC00000, 0x7F800000, 0xFF800000, 0xFFFFFFFF};
    int complaints = 0;
    blob good = read_blob(world_path(&shop, "model/model.safetensors"));
    const size_t data = 8 + header_length(&good);
    for (size_t i = 0; i < LENGTH(BITS); i++) {
        blob b = with_header(&good, (const char *)good.data + 8, data - 8, data - 8);
        memcpy(b.data + (i % 2 ? data : b.bytes - 4), &BITS[i], 4);
        complaints += try_bytes("model.safetensors", b.data, b.bytes, "not finite", false);
        free_blob(&b);
    }
    complaints += try_bytes("model.safetensors", good.data, good.bytes - 1, "a byte less", false);
    complaints += try_bytes("model.safetensors", good.data, data, "no data", false);
    blob more = {calloc(1, good.bytes + 4), good.bytes + 4};
    assert_non_null(more.data);
    memcpy(more.data, good.data, good.bytes);
    complaints += try_bytes("model.safetensors", more.data, more.bytes, "four bytes more", false);
    free_blob(&more);
    free_blob(&good);
    assert_int_equal(complaints, 0);
}

/* ---- vocabularies ---------------------------------------------------------------------------- */

static void forged_vocabularies(void **state) {
    (void)state;
    static const char *const TEXTS[] = {
        "",
        "\n",
        "brand0\t1\nbrand1\t1\n",
        "brand0\t1\nbrand1\t1\nbrand2\t1\nbrand3\t1\n",
        "brand0\t1\nbrand1\t1\nbrand0\t1\n",
        "brand0\t1\nbrand1\t1\nbrand2\t1",
        "brand0\t1\nbrand1\t1\nbrand2 1\n",
        "brand0\t1\nbrand1\t1\nbrand2\t\n",
        "brand0\t1\nbrand1\t1\nbrand2\t-1\n",
        "brand0\t1\nbrand1\t1\nbrand2\t99999999999999999999999\n",
        "brand0\t1\nbrand1\t1\nbrand2\t1.5\n",
        "brand0\t1\nbrand1\t1\nbrand2\t1\t2\n",
        "brand0\t1\nbrand1\t1\nbrand2\t0x10\n",
        "brand0\t1\r\nbrand1\t1\r\nbrand2\t1\r\n",
        "brand0\t1\nbrand1\t1\n\xff\xfe\t1\n",
    };
    int complaints = 0;
    static const char GOOD[] = "brand0\t1\nbrand1\t1\nbrand2\t1\n";
    assert_int_equal(try_bytes("vocab-03-names.tsv", GOOD, strlen(GOOD), "other counts", true), 0);
    for (size_t i = 0; i < LENGTH(TEXTS); i++) {
        complaints += try_bytes("vocab-03-names.tsv", TEXTS[i], strlen(TEXTS[i]), TEXTS[i], false);
    }
    complaints += try_bytes("vocab-03-names.tsv", "a\0b\t1\nc\t1\nd\t1\n", 14, "a NUL byte", true);
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
        cmocka_unit_test(forged_descriptions),
        cmocka_unit_test(descriptions_that_are_no_json),
        cmocka_unit_test(forged_tensor_headers),
        cmocka_unit_test(header_lengths_that_lie),
        cmocka_unit_test(header_texts_that_are_no_headers),
        cmocka_unit_test(tensor_values_and_sizes),
        cmocka_unit_test(forged_vocabularies),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
