/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/memory_files.h"

#include "base/file.h"
#include "base/hash.h"
#include "fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { FILES = 256, OPEN = 8, FIRST_DESCRIPTOR = 1 << 20, NAME_MAX_BYTES = 160, ALIGN = 64 };

typedef struct memory_entry {
    char name[NAME_MAX_BYTES]; /* "" when the entry is free */
    uint64_t hash;             /* of the name; 0 when the entry is free */
    unsigned char *data;
    size_t bytes;
} memory_entry;

typedef struct open_file {
    memory_entry *entry; /* NULL when the descriptor is free */
    size_t position;
} open_file;

static memory_entry entries[FILES];
static open_file open_files[OPEN];

static const char *name_under_root(const char *path) {
    const size_t length = strlen(MEMORY_ROOT);
    return strncmp(path, MEMORY_ROOT, length) == 0 ? path + length : NULL;
}

/* The entry of a name, or a free one for "". */
static memory_entry *find(const char *name) {
    const uint64_t hash = name[0] != '\0' ? dip_hash(name, strlen(name)) : 0;
    for (size_t i = 0; i < FILES; i++) {
        if (entries[i].hash == hash) {
            return &entries[i];
        }
    }
    return NULL;
}

static unsigned char *exact_copy(const void *data, size_t bytes) {
    void *copy = NULL;
    CLAIM(posix_memalign(&copy, ALIGN, bytes > 0 ? bytes : 1) == 0);
    if (bytes > 0) {
        memcpy(copy, data, bytes);
    }
    return copy;
}

const unsigned char *memory_file(const char *name, size_t *bytes) {
    const memory_entry *entry = find(name);
    *bytes = entry != NULL ? entry->bytes : 0;
    return entry != NULL ? entry->data : NULL;
}

void memory_file_put(const char *name, const void *data, size_t bytes) {
    memory_entry *entry = find(name);
    entry = entry != NULL ? entry : find("");
    CLAIM(entry != NULL && strlen(name) < NAME_MAX_BYTES);
    unsigned char *copy = exact_copy(data, bytes);
    free(entry->data);
    memcpy(entry->name, name, strlen(name) + 1);
    entry->hash = dip_hash(name, strlen(name));
    entry->data = copy;
    entry->bytes = bytes;
}

void memory_file_remove(const char *name) {
    memory_entry *entry = find(name);
    if (entry != NULL) {
        free(entry->data);
        *entry = (memory_entry){0};
    }
}

static open_file *opened(int fd) {
    const bool is_ours = fd >= FIRST_DESCRIPTOR && fd < FIRST_DESCRIPTOR + OPEN;
    return is_ours ? &open_files[fd - FIRST_DESCRIPTOR] : NULL;
}

static int memory_open(const char *path, int flags, mode_t mode) {
    const char *name = name_under_root(path);
    if (name == NULL) {
        return dip_vfs_system()->open(path, flags, mode);
    }
    if (find(name) == NULL && (flags & O_CREAT) != 0) {
        memory_file_put(name, "", 0);
    } else if (find(name) == NULL) {
        errno = ENOENT;
        return -1;
    }
    for (int i = 0; i < OPEN; i++) {
        if (open_files[i].entry == NULL) {
            open_files[i] = (open_file){find(name), 0};
            return FIRST_DESCRIPTOR + i;
        }
    }
    errno = EMFILE;
    return -1;
}

static ssize_t memory_read(int fd, void *data, size_t bytes) {
    open_file *file = opened(fd);
    if (file == NULL) {
        return dip_vfs_system()->read(fd, data, bytes);
    }
    const size_t left = file->entry->bytes - file->position;
    const size_t n = bytes < left ? bytes : left;
    if (n > 0) {
        memcpy(data, file->entry->data + file->position, n);
    }
    file->position += n;
    return (ssize_t)n;
}

/* Writers append. */
static ssize_t memory_write(int fd, const void *data, size_t bytes) {
    open_file *file = opened(fd);
    if (file == NULL) {
        return dip_vfs_system()->write(fd, data, bytes);
    }
    memory_entry *entry = file->entry;
    unsigned char *grown = NULL;
    CLAIM(posix_memalign((void **)&grown, ALIGN, entry->bytes + bytes) == 0);
    if (entry->bytes > 0) {
        memcpy(grown, entry->data, entry->bytes);
    }
    memcpy(grown + entry->bytes, data, bytes);
    free(entry->data);
    entry->data = grown;
    entry->bytes += bytes;
    return (ssize_t)bytes;
}

static int memory_fsync(int fd) {
    return opened(fd) != NULL ? 0 : dip_vfs_system()->fsync(fd);
}

static int memory_close(int fd) {
    open_file *file = opened(fd);
    if (file == NULL) {
        return dip_vfs_system()->close(fd);
    }
    file->entry = NULL;
    return 0;
}

static int memory_fstat(int fd, struct stat *status) {
    const open_file *file = opened(fd);
    if (file == NULL) {
        return dip_vfs_system()->fstat(fd, status);
    }
    *status = (struct stat){.st_mode = S_IFREG, .st_size = (off_t)file->entry->bytes};
    return 0;
}

static int memory_stat(const char *path, struct stat *status) {
    const char *name = name_under_root(path);
    if (name == NULL) {
        return dip_vfs_system()->stat(path, status);
    }
    const memory_entry *entry = find(name);
    if (entry == NULL) {
        errno = ENOENT;
        return -1;
    }
    *status = (struct stat){.st_mode = S_IFREG, .st_size = (off_t)entry->bytes};
    return 0;
}

static int memory_lstat(const char *path, struct stat *status) {
    return name_under_root(path) != NULL ? memory_stat(path, status)
                                         : dip_vfs_system()->lstat(path, status);
}

static void *memory_map(int fd, size_t bytes) {
    const open_file *file = opened(fd);
    return file != NULL ? file->entry->data : dip_vfs_system()->map(fd, bytes);
}

static int memory_unmap(void *base, size_t bytes) {
    for (size_t i = 0; i < FILES; i++) {
        if (entries[i].data == base) {
            return 0;
        }
    }
    return dip_vfs_system()->unmap(base, bytes);
}

void memory_files_begin(void) {
    static dip_vfs table;
    table = *dip_vfs_system();
    table.open = memory_open;
    table.read = memory_read;
    table.write = memory_write;
    table.fsync = memory_fsync;
    table.close = memory_close;
    table.fstat = memory_fstat;
    table.stat = memory_stat;
    table.lstat = memory_lstat;
    table.map = memory_map;
    table.unmap = memory_unmap;
    dip_vfs_set(&table);
}
