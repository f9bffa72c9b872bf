/* SPDX-License-Identifier: Apache-2.0
 *
 * .npy files: what is written reads back, is laid out as NumPy wants it, and no damaged header is
 * believed.
 */
#include "base/npy.h"
#include "check.h"

typedef struct part {
    dip_folder folder;
    dip_map map;
} part;

/* Publishes one array and maps it again. */
static void put_array(part *p, check_folder *place, dip_npy_type type, const void *data,
                      int64_t rows, int64_t columns) {
    dip_folder_writer folder;
    check_ok(dip_folder_create(&folder, check_path(place, "out"), true, check_error()));
    check_ok(dip_npy_put(&folder, "x.npy", type, data, rows, columns, check_error()));
    check_ok(dip_folder_publish(&folder, "test", 1, NULL, check_error()));
    check_ok(dip_folder_open(&p->folder, check_path(place, "out"), "test", 1, check_error()));
    check_ok(dip_folder_map(&p->folder, "x.npy", &p->map, check_error()));
}

static void release(part *p) {
    dip_map_close(&p->map);
    dip_folder_close(&p->folder);
}

static dip_status parse(dip_npy *npy, const void *bytes, size_t length) {
    return dip_npy_parse(npy, bytes, length, "x.npy", check_error());
}

static void types_have_their_sizes(void **state) {
    (void)state;
    static const struct {
        dip_npy_type type;
        size_t size;
        const char *descr;
    } TYPES[] = {{DIP_NPY_U8, 1, "|u1"},
                 {DIP_NPY_I32, 4, "<i4"},
                 {DIP_NPY_I64, 8, "<i8"},
                 {DIP_NPY_F32, 4, "<f4"},
                 {DIP_NPY_F64, 8, "<f8"}};
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        assert_int_equal(dip_npy_size(TYPES[i].type), TYPES[i].size);
        assert_string_equal(dip_npy_descr(TYPES[i].type), TYPES[i].descr);
    }
}

static void arrays_of_every_type_and_shape_read_back(void **state) {
    static const int64_t SHAPES[][2] = {{0, 0}, {1, 0}, {7, 0},     {1000, 0}, {3, 4},
                                        {1, 1}, {0, 2}, {12345, 2}, {500, 100}};
    for (int type = DIP_NPY_U8; type <= DIP_NPY_F64; type++) {
        for (size_t s = 0; s < sizeof SHAPES / sizeof SHAPES[0]; s++) {
            const int64_t columns = SHAPES[s][1] > 0 ? SHAPES[s][1] : 1;
            const size_t bytes =
                (size_t)(SHAPES[s][0] * columns) * dip_npy_size((dip_npy_type)type);
            uint64_t random = s;
            unsigned char *data = malloc(bytes + 1);
            part p;
            dip_npy npy;
            for (size_t i = 0; i < bytes; i++) {
                data[i] = (unsigned char)check_random(&random);
            }
            put_array(&p, *state, (dip_npy_type)type, data, SHAPES[s][0], SHAPES[s][1]);
            check_ok(parse(&npy, p.map.data, p.map.bytes));
            assert_int_equal(npy.type, type);
            assert_int_equal(npy.rows, SHAPES[s][0]);
            assert_int_equal(npy.columns, SHAPES[s][1]);
            assert_memory_equal(npy.data, data, bytes);
            assert_int_equal((uintptr_t)npy.data % 64, 0);
            release(&p);
            free(data);
        }
    }
}

static void the_header_is_numpys(void **state) {
    const float data[6] = {1, 2, 3, 4, 5, 6};
    static const char EXPECTED[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    part p;
    put_array(&p, *state, DIP_NPY_F32, data, 2, 3);
    const size_t header = (size_t)p.map.data[8] + 256 * (size_t)p.map.data[9];
    assert_memory_equal(p.map.data, "\x93NUMPY\x01\x00", 8);
    assert_int_equal((10 + header) % 64, 0);
    assert_memory_equal(p.map.data + 10, EXPECTED, sizeof EXPECTED - 1);
    for (size_t i = 10 + sizeof EXPECTED - 1; i < 10 + header - 1; i++) {
        assert_int_equal(p.map.data[i], ' ');
    }
    assert_int_equal(p.map.data[10 + header - 1], '\n');
    release(&p);
}

/* An array of n bytes with any header text, padded as NumPy does. */
static size_t make_file(unsigned char *file, const char *header, size_t n) {
    const size_t text = strlen(header);
    const size_t padded = (10 + text + 1 + 63) / 64 * 64;
    memcpy(file, "\x93NUMPY\x01\x00", 8);
    file[8] = (unsigned char)((padded - 10) % 256);
    file[9] = (unsigned char)((padded - 10) / 256);
    memcpy(file + 10, header, text);
    memset(file + 10 + text, ' ', padded - 10 - text);
    file[padded - 1] = '\n';
    memset(file + padded, 7, n);
    return padded + n;
}

static void damaged_headers_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t bytes;
    } CASES[] = {
        {"", 8},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", 7},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", 9},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", 0},
        {"{'descr': '<i4', 'fortran_order': True, 'shape': (2,), }", 8},
        {"{'descr': '>i4', 'fortran_order': False, 'shape': (2,), }", 8},
        {"{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }", 8},
        {"{'descr': '<U4', 'fortran_order': False, 'shape': (2,), }", 8},
        {"{'descr': '|O8', 'fortran_order': False, 'shape': (1,), }", 8},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (), }", 4},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (-2,), }", 8},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (x,), }", 8},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (2, 0), }", 0},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3, 4), }", 96},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 8},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (4611686018427387906,), }", 8},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 0},
        {"{'descr': '<i4', 'shape': (2,), }", 8},
        {"{'fortran_order': False, 'shape': (2,), }", 8},
        {"{'descr': '<i4', 'fortran_order': False, }", 8},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        unsigned char file[512];
        dip_npy npy = {.rows = 42};
        const size_t length = make_file(file, CASES[i].header, CASES[i].bytes);
        check_fails(parse(&npy, file, length), DIP_ERR_FORMAT, "x.npy");
        assert_int_equal(npy.rows, 42);
    }
}

static void a_damaged_preamble_is_refused(void **state) {
    (void)state;
    static const char HEADER[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }";
    unsigned char file[512];
    const size_t length = make_file(file, HEADER, 3);
    dip_npy npy;
    check_ok(parse(&npy, file, length));
    for (size_t i = 0; i < 10; i++) {
        for (int bit = 0; bit < 8; bit++) {
            file[i] = (unsigned char)(file[i] ^ 1 << bit);
            assert_int_equal(parse(&npy, file, length), DIP_ERR_FORMAT);
            file[i] = (unsigned char)(file[i] ^ 1 << bit);
        }
    }
}

/* Each prefix is copied to a block of its exact size, so that a sanitizer sees a read too far. */
static void a_truncated_file_is_refused(void **state) {
    (void)state;
    static const char HEADER[] = "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }";
    unsigned char file[512];
    const size_t length = make_file(file, HEADER, 12);
    for (size_t n = 0; n < length; n++) {
        unsigned char *exact = malloc(n > 0 ? n : 1);
        dip_npy npy;
        memcpy(exact, file, n);
        assert_int_equal(parse(&npy, exact, n), DIP_ERR_FORMAT);
        free(exact);
    }
    assert_int_equal(parse(&(dip_npy){0}, NULL, 0), DIP_ERR_FORMAT);
}

static void a_header_of_another_writer_is_read(void **state) {
    (void)state;
    static const char *const HEADERS[] = {
        "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }",
        "{'shape': (3,), 'descr': '<i4', 'fortran_order': False}",
        "{'fortran_order': False, 'shape': (3,), 'descr': '<i4',}"};
    for (size_t i = 0; i < sizeof HEADERS / sizeof HEADERS[0]; i++) {
        unsigned char file[512];
        dip_npy npy;
        check_ok(parse(&npy, file, make_file(file, HEADERS[i], 12)));
        assert_int_equal(npy.type, DIP_NPY_I32);
        assert_int_equal(npy.rows, 3);
        assert_int_equal(npy.columns, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_have_their_sizes),
        check_test_in_folder(arrays_of_every_type_and_shape_read_back),
        check_test_in_folder(the_header_is_numpys),
        cmocka_unit_test(damaged_headers_are_refused),
        cmocka_unit_test(a_damaged_preamble_is_refused),
        cmocka_unit_test(a_truncated_file_is_refused),
        cmocka_unit_test(a_header_of_another_writer_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
