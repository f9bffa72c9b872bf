/* SPDX-License-Identifier: Apache-2.0 */
#include "base/npy.h"

#include "base/checked.h"
#include "base/number.h"

#include <stdio.h>
#include <string.h>

enum { HEADER_ALIGN = 64, PREAMBLE = 10, HEADER_LIMIT = 512 };

/* The magic string and the version, 1.0. */
static const char MAGIC[8] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0};

static const struct {
    const char *descr;
    size_t size;
} TYPES[] = {[DIP_NPY_U8] = {"|u1", 1},
             [DIP_NPY_I32] = {"<i4", 4},
             [DIP_NPY_I64] = {"<i8", 8},
             [DIP_NPY_F32] = {"<f4", 4},
             [DIP_NPY_F64] = {"<f8", 8}};

static const size_t N_TYPES = sizeof TYPES / sizeof TYPES[0];

size_t dip_npy_size(dip_npy_type type) {
    return TYPES[type].size;
}

const char *dip_npy_descr(dip_npy_type type) {
    return TYPES[type].descr;
}

/* magic, version 1.0, 16-bit header length, then a Python dictionary padded with spaces. */
static size_t make_header(char header[HEADER_LIMIT], dip_npy_type type, int64_t rows,
                          int64_t columns) {
    char shape[64];
    if (columns > 0) {
        snprintf(shape, sizeof shape, "(%lld, %lld)", (long long)rows, (long long)columns);
    } else {
        snprintf(shape, sizeof shape, "(%lld,)", (long long)rows);
    }
    const int used = snprintf(header + PREAMBLE, HEADER_LIMIT - PREAMBLE,
                              "{'descr': '%s', 'fortran_order': False, 'shape': %s, }",
                              TYPES[type].descr, shape);
    size_t total = PREAMBLE + (size_t)used;
    const size_t padded = (total + 1 + HEADER_ALIGN - 1) / HEADER_ALIGN * HEADER_ALIGN;
    memset(header + total, ' ', padded - total);
    header[padded - 1] = '\n';
    memcpy(header, MAGIC, sizeof MAGIC);
    header[8] = (char)((padded - PREAMBLE) & 0xFF);
    header[9] = (char)((padded - PREAMBLE) >> 8);
    return padded;
}

dip_status dip_npy_begin(dip_folder_writer *folder, const char *name, dip_npy_type type,
                         int64_t rows, int64_t columns, dip_writer **writer, dip_error *err) {
    char header[HEADER_LIMIT];
    const size_t header_bytes = make_header(header, type, rows, columns);
    DIP_TRY(dip_folder_begin(folder, name, writer, err));
    return dip_writer_put(*writer, header, header_bytes, err);
}

dip_status dip_npy_put(dip_folder_writer *folder, const char *name, dip_npy_type type,
                       const void *data, int64_t rows, int64_t columns, dip_error *err) {
    dip_writer *writer = NULL;
    DIP_TRY(dip_npy_begin(folder, name, type, rows, columns, &writer, err));
    const size_t cells = (size_t)rows * (columns > 0 ? (size_t)columns : 1);
    DIP_TRY(dip_writer_put(writer, data, cells * TYPES[type].size, err));
    return dip_folder_end(folder, err);
}

/* Reads "N" or "N, M" out of "(N,)" or "(N, M)". */
static bool parse_shape(const char *text, int64_t *rows, int64_t *columns) {
    char part[2][24] = {"", ""};
    const int found = sscanf(text, "(%23[0-9], %23[0-9]", part[0], part[1]);
    if (found < 1 || !dip_parse_integer(part[0], rows)) {
        return false;
    }
    *columns = 0;
    return found < 2 || (dip_parse_integer(part[1], columns) && *columns > 0);
}

static bool parse_header(const char *header, dip_npy *npy) {
    const char *descr = strstr(header, "'descr': '");
    const char *shape = strstr(header, "'shape': (");
    if (descr == NULL || shape == NULL || strstr(header, "'fortran_order': False") == NULL) {
        return false;
    }
    descr += strlen("'descr': '");
    size_t type = 0;
    while (type < N_TYPES && strncmp(descr, TYPES[type].descr, 3) != 0) {
        type++;
    }
    npy->type = (dip_npy_type)type;
    return type < N_TYPES && parse_shape(shape + strlen("'shape': "), &npy->rows, &npy->columns);
}

dip_status dip_npy_parse(dip_npy *npy, const void *bytes, size_t length, const char *name,
                         dip_error *err) {
    const unsigned char *data = bytes;
    if (length < PREAMBLE || memcmp(data, MAGIC, sizeof MAGIC) != 0) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s is not a .npy file of version 1.0", name);
    }
    const size_t header_bytes = PREAMBLE + (size_t)data[8] + ((size_t)data[9] << 8);
    char header[HEADER_LIMIT];
    dip_npy parsed;
    if (header_bytes > length || header_bytes - PREAMBLE >= sizeof header) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s: the header has %zu bytes", name, header_bytes);
    }
    memcpy(header, data + PREAMBLE, header_bytes - PREAMBLE);
    header[header_bytes - PREAMBLE] = '\0';
    if (!parse_header(header, &parsed)) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s: the .npy header is not understood: %s", name,
                        header);
    }
    size_t cells = 0;
    size_t wanted = 0;
    const size_t columns = parsed.columns > 0 ? (size_t)parsed.columns : 1;
    if (!dip_mul_ok((size_t)parsed.rows, columns, &cells) ||
        !dip_mul_ok(cells, TYPES[parsed.type].size, &wanted) || wanted != length - header_bytes) {
        return dip_fail(err, DIP_ERR_FORMAT,
                        "%s: the header promises %lld x %zu values, the file has %zu bytes of them",
                        name, (long long)parsed.rows, columns, length - header_bytes);
    }
    parsed.data = data + header_bytes;
    *npy = parsed;
    return DIP_OK;
}

bool dip_npy_is_plain(const dip_npy *npy, const void *bytes) {
    char header[HEADER_LIMIT];
    const size_t header_bytes = make_header(header, npy->type, npy->rows, npy->columns);
    const size_t found = (size_t)((const char *)npy->data - (const char *)bytes);
    return found == header_bytes && memcmp(header, bytes, header_bytes) == 0;
}
