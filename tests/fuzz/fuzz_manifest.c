/* SPDX-License-Identifier: Apache-2.0
 *
 * Manifests: a JSON text and, behind a NUL byte, the content of one part. The checksums are made
 * right, so that what they protect is reached; the text as it is must never be taken for sealed.
 */
#include "base/hash.h"
#include "fuzz/fuzz.h"
#include "fuzz/memory_files.h"
#include "fuzz/seal.h"

#include <stdlib.h>
#include <string.h>

#define FOLDER "folder"
#define PART "part.bin"

static void open_folder(dip_status *status) {
    dip_folder folder;
    dip_map map;
    dip_error err = {DIP_OK, ""};
    *status = dip_folder_open(&folder, MEMORY_ROOT FOLDER, NULL, 3, &err);
    if (!went_well(*status, DIP_ERR_FORMAT, &err)) {
        return;
    }
    CLAIM(strlen(dip_folder_identity(&folder)) == 16);
    if (went_well(dip_folder_map(&folder, PART, &map, &err), DIP_ERR_FORMAT, &err)) {
        size_t bytes = 0;
        const unsigned char *content = memory_file(FOLDER "/" PART, &bytes);
        CLAIM(map.bytes == bytes);
        CLAIM(bytes == 0 || memcmp(map.data, content, bytes) == 0);
        dip_map_close(&map);
    }
    dip_folder_close(&folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static bool is_ready;
    if (!is_ready) {
        memory_files_begin();
        is_ready = true;
    }
    const uint8_t *nul = bytes > 0 ? memchr(data, '\0', bytes) : NULL;
    const size_t length = nul != NULL ? (size_t)(nul - data) : bytes;
    dip_status raw = DIP_OK;
    dip_status sealed = DIP_OK;
    memory_file_put(FOLDER "/manifest.json", data, length);
    memory_file_put(FOLDER "/" PART, nul != NULL ? nul + 1 : data,
                    nul != NULL ? bytes - length - 1 : 0);
    open_folder(&raw);
    json_t *manifest = json_loadb((const char *)data, length, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(manifest)) {
        seal_part_in_memory(manifest, FOLDER, PART);
        seal_manifest_in_memory(manifest, FOLDER);
        open_folder(&sealed);
    }
    json_decref(manifest);
    return 0;
}
