/* SPDX-License-Identifier: Apache-2.0
 *
 * Files: every operation of the library on the file system goes through one table of functions, so
 * that a test can fail, shorten or lose any call. Writers never leave a partial file under a final
 * name: see folder.h for the publishing sequence.
 */
#ifndef DIP_BASE_FILE_H
#define DIP_BASE_FILE_H

#include "base/hash.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* What is said to the system about mapped bytes; it changes what is in memory, never what is
 * read. */
typedef enum dip_advice {
    DIP_ADVICE_SOON, /* they are needed soon: read them ahead */
    DIP_ADVICE_DONE  /* they are not needed for now: this process lets go of their pages */
} dip_advice;

typedef struct dip_vfs {
    int (*open)(const char *path, int flags, mode_t mode);
    ssize_t (*read)(int fd, void *data, size_t bytes);
    ssize_t (*write)(int fd, const void *data, size_t bytes);
    int (*fsync)(int fd);
    int (*close)(int fd);
    int (*fstat)(int fd, struct stat *status);
    int (*stat)(const char *path, struct stat *status);
    int (*lstat)(const char *path, struct stat *status); /* of a link itself */
    int (*rename)(const char *from, const char *to);
    int (*exchange)(const char *a, const char *b);
    int (*unlink)(const char *path);
    int (*mkdir)(const char *path, mode_t mode);
    int (*rmdir)(const char *path);
    void *(*map)(int fd, size_t bytes);        /* to read */
    int (*unmap)(void *base, size_t bytes);    /* what map returned */
    int (*reserve)(int fd, size_t bytes);      /* as posix_fallocate: 0 or the error's number */
    void *(*map_shared)(int fd, size_t bytes); /* to read and write */
    ssize_t (*pread)(int fd, void *data, size_t bytes, off_t offset);
    ssize_t (*pwrite)(int fd, const void *data, size_t bytes, off_t offset);
    int (*advise)(void *data, size_t bytes, dip_advice advice); /* of whole pages of a map */
} dip_vfs;

/* The table in use. Tests put their own in with dip_vfs_set (NULL restores the system's). */
const dip_vfs *dip_vfs_get(void);
void dip_vfs_set(const dip_vfs *vfs);
const dip_vfs *dip_vfs_system(void);

/* read() that goes on after EINTR and short reads: bytes read, less than asked only at the end. */
dip_status dip_read_full(int fd, void *data, size_t bytes, size_t *got, const char *path,
                         dip_error *err);

/* The whole file as NUL-terminated bytes; refuses files over limit bytes. Caller frees. */
dip_status dip_read_file(const char *path, size_t limit, char **data, size_t *bytes,
                         dip_error *err);

/* Opens a new file of the folder to read and write, and takes its name away, so that its space
 * comes back however the process ends. */
dip_status dip_open_nameless(const char *folder, int *fd, dip_error *err);

bool dip_path_exists(const char *path);
bool dip_path_is_link(const char *path);
bool dip_path_is_folder(const char *path);

/* The size of a regular file, 0 for a pipe or the like; the file is not opened. */
dip_status dip_path_size(const char *path, uint64_t *bytes, dip_error *err);

/* folder + "/" + name. Caller frees; NULL with err filled when memory is short. */
char *dip_path_join(const char *folder, const char *name, dip_error *err);

/* The folder of a path ("." when it has none) and its last component, trailing slashes ignored. */
char *dip_path_folder(const char *path, dip_error *err);
char *dip_path_name(const char *path, dip_error *err);

/* fsync of a folder, so that a rename in it lasts. */
dip_status dip_sync_folder(const char *path, dip_error *err);

/* A buffered writer with a running checksum. */
typedef struct dip_writer {
    int fd;
    char *path;
    unsigned char *buffer;
    size_t used;
    uint64_t bytes;
    bool failed; /* a write failed: closing cannot succeed */
    XXH3_state_t *state;
} dip_writer;

/* Creates path, which must not exist. */
dip_status dip_writer_open(dip_writer *writer, const char *path, dip_error *err);
dip_status dip_writer_put(dip_writer *writer, const void *data, size_t bytes, dip_error *err);
dip_status dip_writer_printf(dip_writer *writer, dip_error *err, const char *format, ...)
    DIP_PRINTF(3, 4);

/* Flushes, fsyncs and closes; a failed fsync is final (the kernel has dropped the pages). */
dip_status dip_writer_close(dip_writer *writer, uint64_t *bytes, uint64_t *hash, dip_error *err);

/* Closes without care for the content; safe on a zeroed or closed writer. */
void dip_writer_abandon(dip_writer *writer);

/* A read-only map of a whole file. An empty file has data too, of no bytes. */
typedef struct dip_map {
    const unsigned char *data;
    size_t bytes;
    void *base; /* data as munmap wants it; NULL for an empty file */
} dip_map;

dip_status dip_map_open(dip_map *map, const char *path, dip_error *err);
void dip_map_close(dip_map *map);

/* Maps of more bytes than this are walked in pieces, and a piece that has been walked leaves the
 * memory of this process: so reading a file larger than the memory once needs little of it. */
enum { DIP_MAP_LARGE = 1 << 26, DIP_MAP_PIECE = 1 << 23 };

/* Advice on bytes [at, at + bytes) of a map; what lies beyond its end is left out. It is only a
 * hint: a system that refuses it is not heard. */
void dip_map_advise(const dip_map *map, size_t at, size_t bytes, dip_advice advice);

/* XXH3 of a whole map. */
uint64_t dip_map_hash(const dip_map *map);

#endif
