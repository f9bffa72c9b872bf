/* SPDX-License-Identifier: Apache-2.0
 *
 * The header of .npy files: what is accepted is written again by dip_npy_put, and read back.
 */
#include "base/npy.h"
#include "fuzz/fuzz.h"
#include "fuzz/memory_files.h"

#include <stdlib.h>
#include <string.h>

static void write_and_read(const dip_npy *npy, const char *bytes, size_t length) {
    static char work[] = MEMORY_ROOT "work";
    dip_folder_writer folder = {.work = work, .writer = {.fd = -1}, .parts = json_object()};
    dip_npy again;
    size_t written = 0;
    memory_file_remove("work/array.npy");
    CLAIM(dip_npy_put(&folder, "array.npy", npy->type, npy->data, npy->rows, npy->columns, NULL) ==
          DIP_OK);
    json_decref(folder.parts);
    const unsigned char *file = memory_file("work/array.npy", &written);
    CLAIM(dip_npy_parse(&again, file, written, "array.npy", NULL) == DIP_OK);
    CLAIM(dip_npy_is_plain(&again, file));
    CLAIM(again.type == npy->type && again.rows == npy->rows && again.columns == npy->columns);
    CLAIM((size_t)((const unsigned char *)again.data - file) % 64 == 0);
    const bool is_same = written == length && memcmp(file, bytes, length) == 0;
    CLAIM(is_same == dip_npy_is_plain(npy, bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static bool is_ready;
    dip_npy npy;
    dip_error err = {DIP_OK, ""};
    if (!is_ready) {
        memory_files_begin();
        is_ready = true;
    }
    memory_file_put("input.npy", data, bytes);
    const char *file = (const char *)memory_file("input.npy", &bytes);
    if (went_well(dip_npy_parse(&npy, file, bytes, "input.npy", &err), DIP_ERR_FORMAT, &err)) {
        const size_t cells = (size_t)npy.rows * (npy.columns > 0 ? (size_t)npy.columns : 1);
        CLAIM((const char *)npy.data + cells * dip_npy_size(npy.type) == file + bytes);
        write_and_read(&npy, file, bytes);
    }
    return 0;
}
