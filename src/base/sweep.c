/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sweep.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

/* False when the path is too long to be one. */
static bool join(char path[PATH_BYTES], const char *folder, const char *name) {
    const int length = snprintf(path, PATH_BYTES, "%s/%s", folder, name);
    return length > 0 && length < PATH_BYTES;
}

void dip_remove_flat_folder(const char *path) {
    if (dip_path_is_link(path)) {
        dip_vfs_get()->unlink(path);
        return;
    }
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char file[PATH_BYTES];
        const bool is_self = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (!is_self && join(file, path, entry->d_name)) {
            dip_vfs_get()->unlink(file);
        }
    }
    closedir(folder);
    dip_vfs_get()->rmdir(path);
}

void dip_discard_folder(const char *parent, const char *name) {
    char path[PATH_BYTES];
    char aside[PATH_BYTES];
    const int length =
        snprintf(aside, sizeof aside, "%s/.%s.tmp.%ld.old", parent, name, (long)getpid());
    if (length <= 0 || length >= PATH_BYTES || !join(path, parent, name)) {
        return;
    }
    dip_remove_flat_folder(aside);
    if (dip_vfs_get()->rename(path, aside) == 0) {
        dip_remove_flat_folder(aside);
    }
}

static bool is_alive(long pid) {
    return pid <= 0 || kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

void dip_sweep_dead_writers(const char *parent, const char *name) {
    DIR *folder = opendir(parent);
    if (folder == NULL) {
        return;
    }
    char prefix[300];
    const int length = snprintf(prefix, sizeof prefix, ".%s.tmp.", name);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char stale[PATH_BYTES];
        if (length < 0 || strncmp(entry->d_name, prefix, (size_t)length) != 0) {
            continue;
        }
        if (!is_alive(strtol(entry->d_name + length, NULL, 10)) &&
            join(stale, parent, entry->d_name)) {
            dip_remove_flat_folder(stale);
        }
    }
    closedir(folder);
}

void dip_sweep_all_writers(const char *parent) {
    DIR *folder = opendir(parent);
    if (folder == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char stale[PATH_BYTES];
        const bool is_temporary = entry->d_name[0] == '.' && strstr(entry->d_name, ".tmp.") != NULL;
        if (is_temporary && join(stale, parent, entry->d_name)) {
            dip_remove_flat_folder(stale);
        }
    }
    closedir(folder);
}
