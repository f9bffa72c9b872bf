/* SPDX-License-Identifier: Apache-2.0 */
#include "model/safetensors.h"

#include "base/checked.h"
#include "base/mem.h"
#include "math/vec.h"

#include <string.h>

enum { LENGTH_BYTES = 8, HEADER_LIMIT = 64 << 20, DATA_ALIGN = 64, COPY_VALUES = 4096 };

static dip_status describe(json_t *header, const dip_param *param, size_t *offset, dip_error *err) {
    const size_t end = *offset + dip_param_size(param) * sizeof(float);
    DIP_TRY(dip_json_set(header, param->name,
                         json_pack("{s:s, s:[I,I], s:[I,I]}", "dtype", "F32", "shape",
                                   (json_int_t)param->rows, (json_int_t)param->columns,
                                   "data_offsets", (json_int_t)*offset, (json_int_t)end),
                         err));
    *offset = end;
    return DIP_OK;
}

static dip_status make_header(const dip_params *params, json_t *header, dip_error *err) {
    size_t offset = 0;
    DIP_TRY(dip_json_set(header, "__metadata__", json_pack("{s:s}", "format", "diptych"), err));
    for (size_t i = 0; i < params->n; i++) {
        DIP_TRY(describe(header, &params->list[i], &offset, err));
    }
    return DIP_OK;
}

/* The header text is padded with blanks so that the data is aligned. */
static dip_status put_header(dip_writer *writer, const char *text, dip_error *err) {
    const size_t length = strlen(text);
    const size_t padded =
        (LENGTH_BYTES + length + DATA_ALIGN - 1) / DATA_ALIGN * DATA_ALIGN - LENGTH_BYTES;
    unsigned char size[LENGTH_BYTES];
    for (size_t i = 0; i < LENGTH_BYTES; i++) {
        size[i] = (unsigned char)((uint64_t)padded >> (8 * i));
    }
    DIP_TRY(dip_writer_put(writer, size, sizeof size, err));
    DIP_TRY(dip_writer_put(writer, text, length, err));
    for (size_t i = length; i < padded; i++) {
        DIP_TRY(dip_writer_put(writer, " ", 1, err));
    }
    return DIP_OK;
}

static dip_status put_values(dip_writer *writer, const dip_param *param, dip_error *err) {
    float block[COPY_VALUES];
    const size_t size = dip_param_size(param);
    if (!dip_vec_is_finite(size, param->value)) {
        return dip_fail(err, DIP_ERR_NONFINITE,
                        "tensor \"%s\" has a value that is not finite; the model is not written",
                        param->name);
    }
    for (size_t at = 0; at < size; at += COPY_VALUES) {
        const size_t n = size - at < COPY_VALUES ? size - at : COPY_VALUES;
        for (size_t i = 0; i < n; i++) {
            block[i] = (float)param->value[at + i];
        }
        DIP_TRY(dip_writer_put(writer, block, n * sizeof *block, err));
    }
    return DIP_OK;
}

static dip_status put_all(dip_folder_writer *folder, const char *name, const dip_params *params,
                          const char *header, dip_error *err) {
    dip_writer *writer = NULL;
    DIP_TRY(dip_folder_begin(folder, name, &writer, err));
    DIP_TRY(put_header(writer, header, err));
    for (size_t i = 0; i < params->n; i++) {
        DIP_TRY(put_values(writer, &params->list[i], err));
    }
    return dip_folder_end(folder, err);
}

dip_status dip_safetensors_put(dip_folder_writer *folder, const char *name,
                               const dip_params *params, dip_error *err) {
    json_t *header = NULL;
    char *text = NULL;
    DIP_TRY(dip_json_new_object(&header, err));
    dip_status status = make_header(params, header, err);
    if (status == DIP_OK) {
        status = dip_json_dump_compact(header, &text, err);
    }
    if (status == DIP_OK) {
        status = put_all(folder, name, params, text, err);
    }
    dip_free(text);
    json_decref(header);
    return status;
}

dip_status dip_safetensors_header(const dip_map *map, const char *name, json_t **header,
                                  size_t *data_offset, dip_error *err) {
    uint64_t length = 0;
    if (map->bytes < LENGTH_BYTES) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s is too short for a safetensors file", name);
    }
    for (size_t i = 0; i < LENGTH_BYTES; i++) {
        length |= (uint64_t)map->data[i] << (8 * i);
    }
    if (length > HEADER_LIMIT || length > map->bytes - LENGTH_BYTES) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s: the header claims %llu bytes of %zu", name,
                        (unsigned long long)length, map->bytes);
    }
    DIP_TRY(
        dip_json_parse(header, (const char *)map->data + LENGTH_BYTES, (size_t)length, name, err));
    if (!json_is_object(*header)) {
        json_decref(*header);
        return dip_fail(err, DIP_ERR_FORMAT, "%s: the header is not a JSON object", name);
    }
    *data_offset = LENGTH_BYTES + (size_t)length;
    return DIP_OK;
}

static int64_t pair_at(const json_t *tensor, const char *key, size_t i) {
    const json_t *list = json_object_get(tensor, key);
    const json_t *value = json_array_size(list) == 2 ? json_array_get(list, i) : NULL;
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

static dip_status read_tensor(dip_param *param, const json_t *header, const dip_map *map,
                              size_t data_offset, size_t *expected, const char *name,
                              dip_error *err) {
    const json_t *tensor = json_object_get(header, param->name);
    const char *dtype = json_string_value(json_object_get(tensor, "dtype"));
    size_t bytes = 0;
    size_t end = 0;
    if (dtype == NULL || strcmp(dtype, "F32") != 0) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s: tensor \"%s\" is missing or not F32", name,
                        param->name);
    }
    if (pair_at(tensor, "shape", 0) != (int64_t)param->rows ||
        pair_at(tensor, "shape", 1) != (int64_t)param->columns) {
        return dip_fail(err, DIP_ERR_FORMAT,
                        "%s: tensor \"%s\" has shape [%lld, %lld], the model needs [%zu, %zu]",
                        name, param->name, (long long)pair_at(tensor, "shape", 0),
                        (long long)pair_at(tensor, "shape", 1), param->rows, param->columns);
    }
    if (!dip_mul_ok(dip_param_size(param), sizeof(float), &bytes) ||
        !dip_add_ok(*expected, bytes, &end) ||
        pair_at(tensor, "data_offsets", 0) != (int64_t)*expected ||
        pair_at(tensor, "data_offsets", 1) != (int64_t)end || end > map->bytes - data_offset) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s: tensor \"%s\" does not lie at bytes %zu to %zu",
                        name, param->name, *expected, end);
    }
    const unsigned char *source = map->data + data_offset + *expected;
    for (size_t i = 0; i < dip_param_size(param); i++) {
        float value = 0;
        memcpy(&value, source + i * sizeof value, sizeof value);
        param->value[i] = (dip_real)value;
    }
    *expected = end;
    return dip_vec_is_finite(dip_param_size(param), param->value)
               ? DIP_OK
               : dip_fail(err, DIP_ERR_FORMAT, "%s: tensor \"%s\" has a value that is not finite",
                          name, param->name);
}

dip_status dip_safetensors_read(dip_params *params, const dip_map *map, const char *name,
                                dip_error *err) {
    json_t *header = NULL;
    size_t data_offset = 0;
    size_t expected = 0;
    DIP_TRY(dip_safetensors_header(map, name, &header, &data_offset, err));
    dip_status status = DIP_OK;
    for (size_t i = 0; i < params->n && status == DIP_OK; i++) {
        status = read_tensor(&params->list[i], header, map, data_offset, &expected, name, err);
    }
    const size_t n_tensors =
        json_object_size(header) - (json_object_get(header, "__metadata__") != NULL);
    if (status == DIP_OK && (n_tensors != params->n || map->bytes - data_offset != expected)) {
        status = dip_fail(err, DIP_ERR_FORMAT, "%s holds more than the %zu tensors of the model",
                          name, params->n);
    }
    json_decref(header);
    return status;
}
