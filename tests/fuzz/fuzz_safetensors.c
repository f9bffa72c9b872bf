/* SPDX-License-Identifier: Apache-2.0
 *
 * The safetensors format: tensors are asked for as the header names them, so that the checks behind
 * the names are reached; what is read is written back and read the same.
 */
#include "fuzz/fuzz.h"
#include "fuzz/memory_files.h"
#include "model/safetensors.h"

#include <stdlib.h>
#include <string.h>

enum { TENSORS = 8, LARGEST = 1 << 12 };

static dip_param list[TENSORS];

static int64_t number_at(const json_t *tensor, const char *key, size_t i) {
    return json_integer_value(json_array_get(json_object_get(tensor, key), i));
}

static int by_offset(const void *left, const void *right) {
    const double a = ((const dip_param *)left)->scale;
    const double b = ((const dip_param *)right)->scale;
    return (a > b) - (a < b);
}

/* Tensors of the header's names and shapes, in the order of their places. `scale` is unused by the
 * reader and keeps the place. */
static dip_params wanted(json_t *header) {
    const char *name = NULL;
    json_t *tensor = NULL;
    dip_params params = {.list = list};
    json_object_foreach(header, name, tensor) {
        const int64_t rows = number_at(tensor, "shape", 0);
        const int64_t columns = number_at(tensor, "shape", 1);
        if (strcmp(name, "__metadata__") == 0 || strlen(name) >= DIP_PARAM_NAME_MAX ||
            params.n == TENSORS || rows < 0 || rows > LARGEST || columns < 0 || columns > LARGEST ||
            rows * columns > LARGEST) {
            continue;
        }
        dip_param *param = &list[params.n++];
        *param = (dip_param){.rows = (size_t)rows,
                             .columns = (size_t)columns,
                             .scale = (double)number_at(tensor, "data_offsets", 0)};
        memcpy(param->name, name, strlen(name) + 1);
        param->value = malloc(dip_param_size(param) * sizeof *param->value);
        CLAIM(param->value != NULL);
    }
    qsort(list, params.n, sizeof *list, by_offset);
    return params;
}

static void write_and_read(const dip_params *params) {
    static char work[] = MEMORY_ROOT "work";
    dip_folder_writer folder = {.work = work, .writer = {.fd = -1}, .parts = json_object()};
    dip_map map = {0};
    memory_file_remove("work/t.safetensors");
    CLAIM(dip_safetensors_put(&folder, "t.safetensors", params, NULL) == DIP_OK);
    json_decref(folder.parts);
    map.data = memory_file("work/t.safetensors", &map.bytes);
    for (size_t i = 0; i < params->n; i++) {
        const size_t bytes = dip_param_size(&list[i]) * sizeof *list[i].value;
        dip_real *before = list[i].value;
        list[i].value = malloc(bytes);
        CLAIM(list[i].value != NULL);
        list[i].gradient = before;
    }
    CLAIM(dip_safetensors_read(&(dip_params){.n = params->n, .list = list}, &map, "t", NULL) ==
          DIP_OK);
    for (size_t i = 0; i < params->n; i++) {
        const size_t bytes = dip_param_size(&list[i]) * sizeof *list[i].value;
        CLAIM(bytes == 0 || memcmp(list[i].value, list[i].gradient, bytes) == 0);
        free(list[i].gradient);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static bool is_ready;
    dip_error err = {DIP_OK, ""};
    json_t *header = NULL;
    size_t offset = 0;
    dip_map map = {0};
    if (!is_ready) {
        memory_files_begin();
        is_ready = true;
    }
    memory_file_put("input", data, bytes);
    map.data = memory_file("input", &map.bytes);
    if (!went_well(dip_safetensors_header(&map, "input", &header, &offset, &err), DIP_ERR_FORMAT,
                   &err)) {
        return 0;
    }
    CLAIM(offset <= bytes && json_is_object(header));
    dip_params params = wanted(header);
    if (went_well(dip_safetensors_read(&params, &map, "input", &err), DIP_ERR_FORMAT, &err)) {
        write_and_read(&params);
    }
    for (size_t i = 0; i < params.n; i++) {
        free(list[i].value);
    }
    json_decref(header);
    return 0;
}
