/* SPDX-License-Identifier: Apache-2.0 */
#include "base/output.h"

#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

dip_status dip_output_open(dip_output *out, const char *path, bool replace, dip_error *err) {
    memset(out, 0, sizeof *out);
    out->writer.fd = -1;
    if (dip_path_is_folder(path)) {
        return dip_fail(err, DIP_ERR_USAGE, "%s is a folder", path);
    }
    if (dip_path_exists(path) && !replace) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "%s exists; give another name, or --force to replace it", path);
    }
    char *name = dip_path_name(path, err);
    dip_text hidden = {0};
    dip_status status = DIP_ERR_MEMORY;
    out->path = dip_copy_text(path, strlen(path), "a path", err);
    out->folder = dip_path_folder(path, err);
    if (name != NULL && out->path != NULL && out->folder != NULL) {
        status = dip_text_printf(&hidden, err, "%s/.%s.partial", out->folder, name);
    }
    dip_free(name);
    out->work = hidden.data;
    if (status != DIP_OK) {
        return status;
    }
    dip_vfs_get()->unlink(out->work); /* what a killed process left */
    return dip_writer_open(&out->writer, out->work, err);
}

dip_status dip_output_close(dip_output *out, dip_error *err) {
    uint64_t bytes = 0;
    uint64_t hash = 0;
    return dip_writer_close(&out->writer, &bytes, &hash, err);
}

dip_status dip_output_publish(dip_output *out, dip_error *err) {
    if (dip_vfs_get()->rename(out->work, out->path) != 0) {
        return dip_fail_errno(err, errno, "publish", out->path);
    }
    dip_free(out->work);
    out->work = NULL;
    return dip_sync_folder(out->folder, err);
}

void dip_output_free(dip_output *out) {
    dip_writer_abandon(&out->writer);
    if (out->work != NULL) {
        dip_vfs_get()->unlink(out->work);
    }
    dip_free(out->work);
    dip_free(out->path);
    dip_free(out->folder);
    memset(out, 0, sizeof *out);
    out->writer.fd = -1;
}

dip_status dip_output_put(const char *path, const char *data, size_t bytes, dip_error *err) {
    dip_output out;
    dip_status status = dip_output_open(&out, path, true, err);
    if (status == DIP_OK) {
        status = dip_writer_put(&out.writer, data, bytes, err);
    }
    if (status == DIP_OK) {
        status = dip_output_close(&out, err);
    }
    if (status == DIP_OK) {
        status = dip_output_publish(&out, err);
    }
    dip_output_free(&out);
    return status;
}
