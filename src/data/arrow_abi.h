/* SPDX-License-Identifier: Apache-2.0
 *
 * The Arrow C Data Interface and C Stream Interface, as their specification gives them, and the
 * table of functions of the module that reads files with Arrow C++. The module is a shared library
 * of its own, which is loaded when a Parquet or Arrow file is opened, so that nothing else depends
 * on Arrow.
 */
#ifndef DIP_DATA_ARROW_ABI_H
#define DIP_DATA_ARROW_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

#endif

/* ---- the module ------------------------------------------------------------------------------ */

#define DIP_ARROW_MODULE "libdiptych_arrow.so"
#define DIP_ARROW_SYMBOL "dip_arrow_bridge_get"

enum { DIP_ARROW_VERSION = 1, DIP_ARROW_MESSAGE = 600, DIP_ARROW_BATCH = 8192 };

typedef enum dip_arrow_outcome {
    DIP_ARROW_GOOD,
    DIP_ARROW_BAD_FILE,
    DIP_ARROW_IO,
    DIP_ARROW_NO_MEMORY
} dip_arrow_outcome;

typedef struct dip_arrow_file dip_arrow_file;

/* No function throws. Failures put a text into message[DIP_ARROW_MESSAGE]. */
typedef struct dip_arrow_bridge {
    int version; /* DIP_ARROW_VERSION */

    /* Opens what fd reads, which becomes the module's and is closed on failure too. The schema is
     * that of all columns and is to be released. */
    dip_arrow_outcome (*open)(int fd, int is_parquet, dip_arrow_file **file,
                              struct ArrowSchema *schema, int64_t *n_rows, char *message);

    /* A stream of batches of at most DIP_ARROW_BATCH rows with these top-level columns, ascending.
     * Its batches are validated in full: offsets, indices and lengths can be trusted. */
    dip_arrow_outcome (*read)(dip_arrow_file *file, const int *columns, int n_columns,
                              struct ArrowArrayStream *stream, char *message);

    void (*close)(dip_arrow_file *file);
} dip_arrow_bridge;

const dip_arrow_bridge *dip_arrow_bridge_get(void);

#ifdef __cplusplus
}
#endif

#endif
