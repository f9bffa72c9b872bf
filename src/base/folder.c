/* SPDX-License-Identifier: Apache-2.0 */
#include "base/folder.h"

#include "base/mem.h"
#include "base/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MANIFEST "manifest.json"

enum { MANIFEST_LIMIT = 64 << 20, MAX_PARTS = 100000, HASH_DIGITS = 16 };

static bool folder_is_empty(const char *path) {
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return false;
    }
    int entries = 0;
    while (readdir(folder) != NULL) {
        entries++;
    }
    closedir(folder);
    return entries == 2;
}

/* Whether every entry of a folder is its manifest or one of the parts that it names. */
static bool holds_only_parts(const char *path, const json_t *parts) {
    DIR *folder = opendir(path);
    bool is_ours = folder != NULL;
    for (struct dirent *entry = is_ours ? readdir(folder) : NULL; entry != NULL && is_ours;
         entry = readdir(folder)) {
        const char *name = entry->d_name;
        is_ours = strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
                  strcmp(name, MANIFEST) == 0 || json_object_get(parts, name) != NULL;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return is_ours;
}

/* Whether a folder is one of ours and holds nothing else: replacing it deletes what is in it. */
static dip_status may_be_replaced(const char *path, bool *may, dip_error *err) {
    dip_folder folder;
    *may = dip_path_is_folder(path) && folder_is_empty(path);
    if (*may || !dip_path_is_folder(path)) {
        return DIP_OK;
    }
    char *manifest = dip_path_join(path, MANIFEST, err);
    if (manifest == NULL) {
        return DIP_ERR_MEMORY;
    }
    const bool has_manifest = dip_path_exists(manifest);
    dip_free(manifest);
    if (!has_manifest) {
        return DIP_OK;
    }
    const dip_status status = dip_folder_open(&folder, path, NULL, INT32_MAX, err);
    if (status == DIP_OK) {
        *may = holds_only_parts(path, json_object_get(folder.manifest, "parts"));
        dip_folder_close(&folder);
    }
    return status == DIP_ERR_FORMAT ? DIP_OK : status;
}

dip_status dip_folder_check_target(const char *target, bool replace, dip_error *err) {
    if (!dip_path_exists(target)) {
        return DIP_OK;
    }
    if (!replace) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "%s exists; give another name, or --force to replace it", target);
    }
    bool may = false;
    DIP_TRY(may_be_replaced(target, &may, err));
    if (!may) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "%s is not a folder that diptych wrote, is damaged, or holds other files "
                        "too; it is not replaced: remove it yourself",
                        target);
    }
    return DIP_OK;
}

static dip_status make_work_folder(dip_folder_writer *folder, const char *name, dip_error *err) {
    const size_t size = strlen(folder->parent) + strlen(name) + 64;
    folder->work = dip_alloc(size, 1, "a path", err);
    if (folder->work == NULL) {
        return DIP_ERR_MEMORY;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(folder->work, size, "%s/.%s.tmp.%ld.%08lx", folder->parent, name, (long)getpid(),
             (unsigned long)now.tv_nsec);
    if (dip_vfs_get()->mkdir(folder->work, 0777) != 0) {
        const int reason = errno;
        const dip_status status = dip_fail_errno(err, reason, "create folder", folder->work);
        dip_free(folder->work);
        folder->work = NULL;
        return status;
    }
    return DIP_OK;
}

dip_status dip_folder_create(dip_folder_writer *folder, const char *target, bool replace,
                             dip_error *err) {
    memset(folder, 0, sizeof *folder);
    folder->writer.fd = -1;
    dip_status status = dip_folder_check_target(target, replace, err);
    if (status != DIP_OK) {
        return status;
    }
    char *name = dip_path_name(target, err);
    folder->parent = dip_path_folder(target, err);
    folder->replace = replace;
    folder->target = dip_copy_text(target, strlen(target), "a path", err);
    if (folder->parent == NULL || name == NULL || folder->target == NULL) {
        status = DIP_ERR_MEMORY;
        goto out;
    }
    dip_sweep_dead_writers(folder->parent, name);
    DIP_TRY_GOTO(out, dip_json_new_object(&folder->parts, err));
    DIP_TRY_GOTO(out, make_work_folder(folder, name, err));
out:
    dip_free(name);
    if (status != DIP_OK) {
        dip_folder_abort(folder);
    }
    return status;
}

dip_status dip_folder_begin(dip_folder_writer *folder, const char *name, dip_writer **writer,
                            dip_error *err) {
    char *path = dip_path_join(folder->work, name, err);
    folder->part_name = dip_copy_text(name, strlen(name), "a part's name", err);
    if (path == NULL || folder->part_name == NULL) {
        dip_free(path);
        return DIP_ERR_MEMORY;
    }
    const dip_status status = dip_writer_open(&folder->writer, path, err);
    dip_free(path);
    *writer = &folder->writer;
    return status;
}

static dip_status record_part(json_t *parts, const char *name, uint64_t bytes, uint64_t hash,
                              dip_error *err) {
    char digits[HASH_DIGITS + 1];
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)hash);
    return dip_json_set(parts, name,
                        json_pack("{s:I, s:s}", "bytes", (json_int_t)bytes, "xxh3", digits), err);
}

dip_status dip_folder_end(dip_folder_writer *folder, dip_error *err) {
    uint64_t bytes = 0;
    uint64_t hash = 0;
    dip_status status = dip_writer_close(&folder->writer, &bytes, &hash, err);
    if (status == DIP_OK) {
        status = record_part(folder->parts, folder->part_name, bytes, hash, err);
    }
    dip_free(folder->part_name);
    folder->part_name = NULL;
    return status;
}

dip_status dip_folder_put(dip_folder_writer *folder, const char *name, const void *data,
                          size_t bytes, dip_error *err) {
    dip_writer *writer = NULL;
    DIP_TRY(dip_folder_begin(folder, name, &writer, err));
    DIP_TRY(dip_writer_put(writer, data, bytes, err));
    return dip_folder_end(folder, err);
}

/* The checksum key goes last; its value covers the document without it. */
static dip_status seal(json_t *manifest, dip_error *err) {
    char *text = NULL;
    DIP_TRY(dip_json_dump(manifest, &text, err));
    char digits[HASH_DIGITS + 1];
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)dip_hash(text, strlen(text)));
    dip_free(text);
    return dip_json_set(manifest, "checksum", json_string(digits), err);
}

static dip_status write_manifest(dip_folder_writer *folder, json_t *manifest, dip_error *err) {
    DIP_TRY(seal(manifest, err));
    char *text = NULL;
    DIP_TRY(dip_json_dump(manifest, &text, err));
    dip_writer *writer = NULL;
    dip_status status = dip_folder_begin(folder, MANIFEST, &writer, err);
    if (status == DIP_OK) {
        status = dip_writer_put(writer, text, strlen(text), err);
    }
    if (status == DIP_OK) {
        status = dip_folder_end(folder, err);
    }
    dip_free(text);
    return status;
}

/* Without an exchange of names, the old output is moved aside first; then work names it. */
static dip_status swap_by_moving(dip_folder_writer *folder, dip_error *err) {
    const dip_vfs *vfs = dip_vfs_get();
    char *aside = dip_path_join(folder->work, "", err);
    if (aside == NULL) {
        return DIP_ERR_MEMORY;
    }
    aside[strlen(folder->work)] = '~';
    if (vfs->rename(folder->target, aside) != 0) {
        dip_free(aside);
        return dip_fail_errno(err, errno, "publish", folder->target);
    }
    if (vfs->rename(folder->work, folder->target) != 0) {
        const int reason = errno;
        vfs->rename(aside, folder->target);
        dip_free(aside);
        return dip_fail_errno(err, reason, "publish", folder->target);
    }
    dip_free(folder->work);
    folder->work = aside;
    return DIP_OK;
}

/* Puts the work folder under the final name. When an old output is replaced, *old says that it now
 * stands under the name of the work folder. */
static dip_status swap_in(dip_folder_writer *folder, bool *old, dip_error *err) {
    const dip_vfs *vfs = dip_vfs_get();
    *old = dip_path_exists(folder->target);
    if (!*old) {
        return vfs->rename(folder->work, folder->target) == 0
                   ? DIP_OK
                   : dip_fail_errno(err, errno, "publish", folder->target);
    }
    if (!folder->replace) {
        return dip_fail(err, DIP_ERR_USAGE, "%s was created meanwhile; it is not replaced",
                        folder->target);
    }
    DIP_TRY(dip_folder_check_target(folder->target, true, err));
    if (vfs->exchange(folder->work, folder->target) == 0) {
        return DIP_OK;
    }
    if (errno != ENOSYS && errno != EINVAL) {
        return dip_fail_errno(err, errno, "publish", folder->target);
    }
    return swap_by_moving(folder, err);
}

static dip_status publish(dip_folder_writer *folder, json_t *manifest, const json_t *content,
                          dip_error *err) {
    bool old = false;
    if (content != NULL && json_object_update(manifest, dip_json_readable(content)) != 0) {
        return dip_fail(err, DIP_ERR_MEMORY, "out of memory for a manifest");
    }
    DIP_TRY(dip_json_set(manifest, "parts", json_incref(folder->parts), err));
    DIP_TRY(write_manifest(folder, manifest, err));
    DIP_TRY(dip_sync_folder(folder->work, err));
    DIP_TRY(swap_in(folder, &old, err));
    /* The old output goes only after the new one's name lasts. */
    const dip_status status = dip_sync_folder(folder->parent, err);
    if (old) {
        dip_remove_flat_folder(folder->work);
    }
    dip_free(folder->work);
    folder->work = NULL;
    return status;
}

dip_status dip_folder_publish(dip_folder_writer *folder, const char *format, int64_t version,
                              const json_t *content, dip_error *err) {
    json_t *manifest = json_pack("{s:s, s:I}", "format", format, "version", (json_int_t)version);
    dip_status status = manifest != NULL
                            ? publish(folder, manifest, content, err)
                            : dip_fail(err, DIP_ERR_MEMORY, "out of memory for a manifest");
    json_decref(manifest);
    dip_folder_abort(folder);
    return status;
}

void dip_folder_abort(dip_folder_writer *folder) {
    dip_writer_abandon(&folder->writer);
    if (folder->work != NULL) {
        dip_remove_flat_folder(folder->work);
    }
    dip_free(folder->work);
    dip_free(folder->target);
    dip_free(folder->parent);
    dip_free(folder->part_name);
    json_decref(folder->parts);
    memset(folder, 0, sizeof *folder);
    folder->writer.fd = -1;
}

static bool name_is_safe(const char *name) {
    if (name[0] == '\0' || name[0] == '.' || strlen(name) > 255) {
        return false;
    }
    static const char ALLOWED[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-";
    return strspn(name, ALLOWED) == strlen(name);
}

static dip_status check_seal(json_t *manifest, const char *text, size_t bytes, const char *path,
                             dip_error *err) {
    char *again = NULL;
    DIP_TRY(dip_json_dump(manifest, &again, err));
    const bool is_same = strlen(again) == bytes && memcmp(again, text, bytes) == 0;
    dip_free(again);
    const char *stored = json_string_value(json_object_get(manifest, "checksum"));
    if (!is_same || stored == NULL || strlen(stored) != HASH_DIGITS) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s has been altered or is truncated", path);
    }
    char kept[HASH_DIGITS + 1];
    snprintf(kept, sizeof kept, "%s", stored);
    json_object_del(manifest, "checksum");
    DIP_TRY(seal(manifest, err));
    const char *computed = json_string_value(json_object_get(manifest, "checksum"));
    if (strcmp(kept, computed) != 0) {
        return dip_fail(err, DIP_ERR_FORMAT,
                        "%s has been altered: its checksum is %s, its content gives %s", path, kept,
                        computed);
    }
    return DIP_OK;
}

static dip_status check_format(const json_t *manifest, const char *format, int64_t version,
                               dip_error *err) {
    const char *found = NULL;
    int64_t found_version = 0;
    DIP_TRY(dip_json_text(manifest, "format", &found, err));
    if (format != NULL && strcmp(found, format) != 0) {
        return dip_fail(err, DIP_ERR_FORMAT, "this is a %s, not a %s", found, format);
    }
    DIP_TRY(dip_json_integer(manifest, "version", 1, INT32_MAX, &found_version, err));
    if (found_version > version) {
        return dip_fail(err, DIP_ERR_FORMAT,
                        "format version %lld; this diptych (%s) reads up to %lld: update it",
                        (long long)found_version, dip_version(), (long long)version);
    }
    json_t *parts = NULL;
    DIP_TRY(dip_json_object(manifest, "parts", &parts, err));
    if (json_object_size(parts) > MAX_PARTS) {
        return dip_fail(err, DIP_ERR_FORMAT, "more than %d parts", MAX_PARTS);
    }
    return DIP_OK;
}

static dip_status load_manifest(dip_folder *folder, const char *manifest_path, const char *format,
                                int64_t version, dip_error *err) {
    char *text = NULL;
    size_t bytes = 0;
    DIP_TRY(dip_read_file(manifest_path, MANIFEST_LIMIT, &text, &bytes, err));
    dip_status status = dip_json_parse(&folder->manifest, text, bytes, manifest_path, err);
    if (status == DIP_OK) {
        status = check_seal(folder->manifest, text, bytes, manifest_path, err);
    }
    dip_free(text);
    if (status != DIP_OK) {
        return status;
    }
    status = check_format(folder->manifest, format, version, err);
    return status == DIP_OK ? DIP_OK : dip_fail_context(err, status, "%s", manifest_path);
}

dip_status dip_folder_open(dip_folder *folder, const char *path, const char *format,
                           int64_t version, dip_error *err) {
    memset(folder, 0, sizeof *folder);
    if (dip_path_exists(path) && !dip_path_is_folder(path)) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s is a file; a %s is a folder", path,
                        format != NULL ? format : "dataset or model");
    }
    char *manifest_path = dip_path_join(path, MANIFEST, err);
    folder->path = dip_copy_text(path, strlen(path), "a path", err);
    dip_status status = DIP_ERR_MEMORY;
    if (manifest_path != NULL && folder->path != NULL) {
        status = load_manifest(folder, manifest_path, format, version, err);
    }
    dip_free(manifest_path);
    if (status != DIP_OK) {
        dip_folder_close(folder);
    }
    return status;
}

static dip_status check_part(const json_t *part, const dip_map *map, const char *path,
                             dip_error *err) {
    int64_t bytes = 0;
    const char *stored = NULL;
    DIP_TRY(dip_json_integer(part, "bytes", 0, INT64_MAX, &bytes, err));
    DIP_TRY(dip_json_text(part, "xxh3", &stored, err));
    if ((uint64_t)bytes != map->bytes) {
        return dip_fail(err, DIP_ERR_FORMAT,
                        "%s is damaged: it has %zu bytes, the manifest says %lld", path, map->bytes,
                        (long long)bytes);
    }
    char digits[HASH_DIGITS + 1];
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)dip_map_hash(map));
    if (strcmp(digits, stored) != 0) {
        return dip_fail(err, DIP_ERR_FORMAT,
                        "%s is damaged: its checksum is %s, the manifest says %s", path, digits,
                        stored);
    }
    return DIP_OK;
}

dip_status dip_folder_map(const dip_folder *folder, const char *name, dip_map *map,
                          dip_error *err) {
    const json_t *parts = json_object_get(folder->manifest, "parts");
    const json_t *part = json_object_get(parts, name);
    *map = (dip_map){0};
    if (part == NULL || !name_is_safe(name)) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s/%s names no part \"%s\"", folder->path, MANIFEST,
                        name);
    }
    char *path = dip_path_join(folder->path, name, err);
    if (path == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_status status =
        dip_path_exists(path)
            ? dip_map_open(map, path, err)
            : dip_fail(err, DIP_ERR_FORMAT, "%s is missing, though the manifest names it", path);
    if (status == DIP_OK) {
        status = check_part(part, map, path, err);
        if (status != DIP_OK) {
            dip_map_close(map);
        }
    }
    dip_free(path);
    return status;
}

dip_status dip_folder_check(const dip_folder *folder, const char *name, dip_error *err) {
    dip_map map;
    DIP_TRY(dip_folder_map(folder, name, &map, err));
    dip_map_close(&map);
    return DIP_OK;
}

const char *dip_folder_identity(const dip_folder *folder) {
    return json_string_value(json_object_get(folder->manifest, "checksum"));
}

void dip_folder_close(dip_folder *folder) {
    dip_free(folder->path);
    json_decref(folder->manifest);
    memset(folder, 0, sizeof *folder);
}
