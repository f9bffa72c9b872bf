/* SPDX-License-Identifier: Apache-2.0 */
/* renameat2, where there is one, exchanges two names in one atomic step. */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier) */
#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WRITE_BUFFER = 1 << 16, READ_STEP = 1 << 20 };

static int system_open(const char *path, int flags, mode_t mode) {
    return open(path, flags, mode);
}

static int system_fstat(int fd, struct stat *status) {
    return fstat(fd, status);
}

static int system_stat(const char *path, struct stat *status) {
    return stat(path, status);
}

static int system_lstat(const char *path, struct stat *status) {
    return lstat(path, status);
}

static int system_exchange(const char *a, const char *b) {
#if defined(__linux__) && defined(RENAME_EXCHANGE)
    return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
#else
    (void)a;
    (void)b;
    errno = ENOSYS;
    return -1;
#endif
}

static void *system_map(int fd, size_t bytes) {
    return mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
}

static int system_reserve(int fd, size_t bytes) {
    return posix_fallocate(fd, 0, (off_t)bytes);
}

static void *system_map_shared(int fd, size_t bytes) {
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static int system_advise(void *data, size_t bytes, dip_advice advice) {
    return madvise(data, bytes, advice == DIP_ADVICE_SOON ? MADV_WILLNEED : MADV_DONTNEED);
}

static const dip_vfs SYSTEM = {.open = system_open,
                               .read = read,
                               .write = write,
                               .fsync = fsync,
                               .close = close,
                               .fstat = system_fstat,
                               .stat = system_stat,
                               .lstat = system_lstat,
                               .rename = rename,
                               .exchange = system_exchange,
                               .unlink = unlink,
                               .mkdir = mkdir,
                               .rmdir = rmdir,
                               .map = system_map,
                               .unmap = munmap,
                               .reserve = system_reserve,
                               .map_shared = system_map_shared,
                               .pread = pread,
                               .pwrite = pwrite,
                               .advise = system_advise};

static const dip_vfs *current = &SYSTEM;

const dip_vfs *dip_vfs_get(void) {
    return current;
}

const dip_vfs *dip_vfs_system(void) {
    return &SYSTEM;
}

void dip_vfs_set(const dip_vfs *vfs) {
    current = vfs != NULL ? vfs : &SYSTEM;
}

dip_status dip_read_full(int fd, void *data, size_t bytes, size_t *got, const char *path,
                         dip_error *err) {
    size_t total = 0;
    while (total < bytes) {
        const ssize_t n = current->read(fd, (char *)data + total, bytes - total);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return dip_fail_errno(err, errno, "read", path);
        }
        if (n == 0) {
            break;
        }
        total += (size_t)n;
    }
    *got = total;
    return DIP_OK;
}

/* How much to read at once: of a small file one byte more than it says it has, so that one step
 * sees its end. */
static dip_status choose_step(int fd, size_t *step, const char *path, dip_error *err) {
    struct stat status;
    if (current->fstat(fd, &status) != 0) {
        return dip_fail_errno(err, errno, "stat", path);
    }
    const bool is_small = S_ISREG(status.st_mode) && status.st_size < READ_STEP;
    *step = is_small ? (size_t)status.st_size + 1 : READ_STEP;
    return DIP_OK;
}

/* Grows the buffer in steps, so that a size that lies costs no memory. */
static dip_status read_all(int fd, size_t limit, char **data, size_t *bytes, const char *path,
                           dip_error *err) {
    size_t step = 0;
    size_t capacity = 0;
    size_t used = 0;
    size_t got = 0;
    DIP_TRY(choose_step(fd, &step, path, err));
    do {
        DIP_TRY(dip_grow((void **)data, &capacity, used + step + 1, 1, "a file's content", err));
        DIP_TRY(dip_read_full(fd, *data + used, step, &got, path, err));
        used += got;
        if (used > limit) {
            return dip_fail(err, DIP_ERR_FORMAT, "%s is larger than the %zu bytes allowed here",
                            path, limit);
        }
    } while (got == step);
    (*data)[used] = '\0';
    *bytes = used;
    return DIP_OK;
}

dip_status dip_read_file(const char *path, size_t limit, char **data, size_t *bytes,
                         dip_error *err) {
    const int fd = current->open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        return dip_fail_errno(err, errno, "open", path);
    }
    char *content = NULL;
    const dip_status status = read_all(fd, limit, &content, bytes, path, err);
    current->close(fd);
    if (status != DIP_OK) {
        dip_free(content);
        return status;
    }
    *data = content;
    return DIP_OK;
}

dip_status dip_open_nameless(const char *folder, int *fd, dip_error *err) {
    static atomic_uint count;
    char name[64];
    snprintf(name, sizeof name, ".diptych-temporary.%ld.%u", (long)getpid(),
             atomic_fetch_add(&count, 1));
    char *path = dip_path_join(folder, name, err);
    if (path == NULL) {
        return DIP_ERR_MEMORY;
    }
    dip_status status = DIP_OK;
    *fd = current->open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (*fd < 0) {
        status = dip_fail_errno(err, errno, "create", path);
    } else if (current->unlink(path) != 0) {
        status = dip_fail_errno(err, errno, "remove the name of", path);
        current->close(*fd);
        *fd = -1;
    }
    dip_free(path);
    return status;
}

bool dip_path_exists(const char *path) {
    struct stat status;
    return current->lstat(path, &status) == 0;
}

bool dip_path_is_link(const char *path) {
    struct stat status;
    return current->lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
}

bool dip_path_is_folder(const char *path) {
    struct stat status;
    return current->stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

dip_status dip_path_size(const char *path, uint64_t *bytes, dip_error *err) {
    struct stat status;
    if (current->stat(path, &status) != 0) {
        return dip_fail_errno(err, errno, "open", path);
    }
    *bytes = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
    return DIP_OK;
}

char *dip_path_join(const char *folder, const char *name, dip_error *err) {
    const size_t folder_length = strlen(folder);
    const size_t size = folder_length + strlen(name) + 2;
    char *path = dip_alloc(size, 1, "a path", err);
    if (path != NULL) {
        snprintf(path, size, "%s/%s", folder, name);
    }
    return path;
}

static size_t length_without_slashes(const char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    return length;
}

static size_t name_start(const char *path, size_t length) {
    size_t start = length;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    return start;
}

char *dip_path_folder(const char *path, dip_error *err) {
    const size_t start = name_start(path, length_without_slashes(path));
    if (start == 0) {
        return dip_copy_text(".", 1, "a path", err);
    }
    return dip_copy_text(path, start > 1 ? start - 1 : 1, "a path", err);
}

char *dip_path_name(const char *path, dip_error *err) {
    const size_t length = length_without_slashes(path);
    const size_t start = name_start(path, length);
    return dip_copy_text(path + start, length - start, "a path", err);
}

dip_status dip_sync_folder(const char *path, dip_error *err) {
    const int fd = current->open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0) {
        return dip_fail_errno(err, errno, "open folder", path);
    }
    const int failed = current->fsync(fd);
    const int reason = errno;
    current->close(fd);
    return failed ? dip_fail_errno(err, reason, "sync folder", path) : DIP_OK;
}

dip_status dip_writer_open(dip_writer *writer, const char *path, dip_error *err) {
    memset(writer, 0, sizeof *writer);
    writer->fd = -1;
    writer->path = dip_copy_text(path, strlen(path), "a path", err);
    writer->buffer = dip_alloc(WRITE_BUFFER, 1, "a write buffer", err);
    writer->state = dip_alloc(1, sizeof *writer->state, "a checksum", err);
    if (writer->path == NULL || writer->buffer == NULL || writer->state == NULL) {
        dip_writer_abandon(writer);
        return DIP_ERR_MEMORY;
    }
    XXH3_64bits_reset(writer->state);
    writer->fd = current->open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (writer->fd < 0) {
        const int reason = errno;
        dip_writer_abandon(writer);
        return dip_fail_errno(err, reason, "create", path);
    }
    return DIP_OK;
}

static dip_status write_full(dip_writer *writer, const unsigned char *data, size_t bytes,
                             dip_error *err) {
    while (bytes > 0) {
        const ssize_t n = current->write(writer->fd, data, bytes);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            writer->failed = true;
            return dip_fail_errno(err, n < 0 ? errno : EIO, "write", writer->path);
        }
        data += n;
        bytes -= (size_t)n;
    }
    return DIP_OK;
}

static dip_status flush(dip_writer *writer, dip_error *err) {
    XXH3_64bits_update(writer->state, writer->buffer, writer->used);
    writer->bytes += writer->used;
    const size_t used = writer->used;
    writer->used = 0;
    return write_full(writer, writer->buffer, used, err);
}

dip_status dip_writer_put(dip_writer *writer, const void *data, size_t bytes, dip_error *err) {
    const unsigned char *source = data;
    while (bytes > 0) {
        if (writer->used == WRITE_BUFFER) {
            DIP_TRY(flush(writer, err));
        }
        const size_t room = WRITE_BUFFER - writer->used;
        const size_t part = bytes < room ? bytes : room;
        memcpy(writer->buffer + writer->used, source, part);
        writer->used += part;
        source += part;
        bytes -= part;
    }
    return DIP_OK;
}

dip_status dip_writer_printf(dip_writer *writer, dip_error *err, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof text) {
        return dip_fail(err, DIP_ERR_FAILED, "a line for %s is too long", writer->path);
    }
    return dip_writer_put(writer, text, (size_t)length, err);
}

dip_status dip_writer_close(dip_writer *writer, uint64_t *bytes, uint64_t *hash, dip_error *err) {
    dip_status status =
        writer->failed ? dip_fail_errno(err, EIO, "finish", writer->path) : flush(writer, err);
    if (status == DIP_OK && current->fsync(writer->fd) != 0) {
        status = dip_fail_errno(err, errno, "sync", writer->path);
    }
    const int fd = writer->fd;
    writer->fd = -1;
    if (current->close(fd) != 0 && status == DIP_OK) {
        status = dip_fail_errno(err, errno, "close", writer->path);
    }
    if (status == DIP_OK) {
        *bytes = writer->bytes;
        *hash = XXH3_64bits_digest(writer->state);
    }
    dip_writer_abandon(writer);
    return status;
}

void dip_writer_abandon(dip_writer *writer) {
    if (writer->path != NULL && writer->fd >= 0) {
        current->close(writer->fd);
    }
    dip_free(writer->path);
    dip_free(writer->buffer);
    dip_free(writer->state);
    memset(writer, 0, sizeof *writer);
    writer->fd = -1;
}

static dip_status map_descriptor(dip_map *map, int fd, const char *path, dip_error *err) {
    struct stat status;
    if (current->fstat(fd, &status) != 0) {
        return dip_fail_errno(err, errno, "stat", path);
    }
    if (!S_ISREG(status.st_mode)) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s is not a regular file", path);
    }
    *map = (dip_map){.data = (const unsigned char *)"", .bytes = (size_t)status.st_size};
    if (map->bytes == 0) {
        return DIP_OK;
    }
    void *data = current->map(fd, map->bytes);
    if (data == MAP_FAILED) {
        *map = (dip_map){0};
        return dip_fail_errno(err, errno, "map", path);
    }
    map->base = data;
    map->data = data;
    return DIP_OK;
}

dip_status dip_map_open(dip_map *map, const char *path, dip_error *err) {
    const int fd = current->open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    if (fd < 0 && errno == ELOOP) {
        return dip_fail(err, DIP_ERR_FORMAT, "%s is a symbolic link, not a regular file", path);
    }
    if (fd < 0) {
        return dip_fail_errno(err, errno, "open", path);
    }
    const dip_status status = map_descriptor(map, fd, path, err);
    current->close(fd);
    return status;
}

void dip_map_close(dip_map *map) {
    if (map->base != NULL) {
        current->unmap(map->base, map->bytes);
    }
    *map = (dip_map){0};
}

void dip_map_advise(const dip_map *map, size_t at, size_t bytes, dip_advice advice) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (at >= map->bytes || bytes == 0) {
        return;
    }
    const size_t end = bytes < map->bytes - at ? at + bytes : map->bytes;
    const size_t first = at / page * page;
    current->advise((unsigned char *)map->base + first, end - first, advice);
}

uint64_t dip_map_hash(const dip_map *map) {
    if (map->bytes <= DIP_MAP_LARGE) {
        return dip_hash(map->data, map->bytes);
    }
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    for (size_t at = 0; at < map->bytes; at += DIP_MAP_PIECE) {
        const size_t left = map->bytes - at;
        XXH3_64bits_update(&state, map->data + at, left < DIP_MAP_PIECE ? left : DIP_MAP_PIECE);
        dip_map_advise(map, at, DIP_MAP_PIECE, DIP_ADVICE_DONE);
    }
    return XXH3_64bits_digest(&state);
}
