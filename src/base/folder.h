/* SPDX-License-Identifier: Apache-2.0
 *
 * Published folders: datasets and models are folders of parts with a manifest that is written last.
 *
 *   writing   parts go to  .NAME.tmp.PID.RANDOM/  beside the target, each fsynced with its XXH3;
 *             then manifest.json with the size and checksum of every part; fsync of the folder; one
 *             rename (or exchange, when an old output is replaced); fsync of the parent.
 *   reading   manifest.json must be, byte for byte, what its writer would write for its content,
 *             and carry its own checksum; each part must have its exact size and checksum.
 *
 * So a folder under its final name is always whole, and any altered bit is noticed.
 */
#ifndef DIP_BASE_FOLDER_H
#define DIP_BASE_FOLDER_H

#include "base/file.h"
#include "base/json.h"

typedef struct dip_folder_writer {
    char *target;
    char *parent; /* the folder of the target */
    char *work;   /* the temporary folder, "" before it is made */
    bool replace;
    json_t *parts;
    dip_writer writer; /* the part being written */
    char *part_name;
} dip_folder_writer;

/* Whether an output may be written: DIP_ERR_USAGE when it exists and `replace` is not given, or
 * when it is not one of our folders, whole and with nothing else in it. */
dip_status dip_folder_check_target(const char *target, bool replace, dip_error *err);

/* Refuses an existing target unless `replace`; then it must be one of our folders (or empty). */
dip_status dip_folder_create(dip_folder_writer *folder, const char *target, bool replace,
                             dip_error *err);

/* Parts are written one after the other. Names match [A-Za-z0-9._-]+ after escaping by the
 * caller. */
dip_status dip_folder_begin(dip_folder_writer *folder, const char *name, dip_writer **writer,
                            dip_error *err);
dip_status dip_folder_end(dip_folder_writer *folder, dip_error *err);

/* One part from one block of memory. */
dip_status dip_folder_put(dip_folder_writer *folder, const char *name, const void *data,
                          size_t bytes, dip_error *err);

/* Writes the manifest (format, version, then the keys of `content`, parts, checksum), and
 * publishes. The writer is closed whatever happens. */
dip_status dip_folder_publish(dip_folder_writer *folder, const char *format, int64_t version,
                              const json_t *content, dip_error *err);

/* Removes the temporary folder; safe on a zeroed, published or aborted writer. */
void dip_folder_abort(dip_folder_writer *folder);

typedef struct dip_folder {
    char *path;
    json_t *manifest;
} dip_folder;

/* Opens and verifies the manifest. format NULL accepts any; `version` is the newest that the caller
 * reads. */
dip_status dip_folder_open(dip_folder *folder, const char *path, const char *format,
                           int64_t version, dip_error *err);

/* Maps one part after checking its size, and its checksum. */
dip_status dip_folder_map(const dip_folder *folder, const char *name, dip_map *map, dip_error *err);

/* Checks size and checksum of one part without keeping it. */
dip_status dip_folder_check(const dip_folder *folder, const char *name, dip_error *err);

/* The checksum that the manifest carries, as 16 hexadecimal digits: the folder's identity. */
const char *dip_folder_identity(const dip_folder *folder);

void dip_folder_close(dip_folder *folder);

#endif
