/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* dladdr, which POSIX has since 2024 only */
#include "data/arrow_table.h"

#include "base/file.h"
#include "base/mem.h"
#include "data/arrow_cells.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct dip_arrow_table {
    const dip_arrow_bridge *bridge;
    dip_arrow_file *file;
    struct ArrowSchema schema; /* all columns of the file */
    struct ArrowArrayStream stream;
    int64_t n_rows;
    int64_t row; /* rows taken */
};

/* How the wanted columns are read: the schema of the stream, and each one's place in it. */
typedef struct dip_arrow_columns {
    struct ArrowSchema schema;
    struct column {
        size_t child;
        dip_cell_plan plan;
    } wanted[];
} dip_arrow_columns;

/* ---- the module ------------------------------------------------------------------------------ */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *module_name = DIP_ARROW_MODULE;
static const dip_arrow_bridge *loaded;

void dip_arrow_set_module(const char *name) {
    pthread_mutex_lock(&lock);
    module_name = name != NULL ? name : DIP_ARROW_MODULE;
    loaded = NULL;
    pthread_mutex_unlock(&lock);
}

/* The module beside the file that this code is in: the library, or the program that it is linked
 * into. Else the system's places are searched. */
static void *open_module(void) {
    static const char here = 0;
    char path[4096];
    Dl_info info;
    const char *file = dladdr(&here, &info) != 0 ? info.dli_fname : NULL;
    const char *slash = file != NULL ? strrchr(file, '/') : NULL;
    if (slash != NULL) {
        const int n =
            snprintf(path, sizeof path, "%.*s/%s", (int)(slash - file), file, module_name);
        void *module =
            n > 0 && (size_t)n < sizeof path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
        if (module != NULL) {
            return module;
        }
    }
    return dlopen(module_name, RTLD_NOW | RTLD_LOCAL);
}

/* The module stays loaded: batches are released by functions of it at any time. */
static const dip_arrow_bridge *load_module(void) {
    union {
        void *found;
        const dip_arrow_bridge *(*get)(void);
    } symbol = {NULL};
    void *module = open_module();
    if (module != NULL) {
        symbol.found = dlsym(module, DIP_ARROW_SYMBOL);
    }
    const dip_arrow_bridge *bridge = symbol.found != NULL ? symbol.get() : NULL;
    return bridge != NULL && bridge->version == DIP_ARROW_VERSION ? bridge : NULL;
}

static dip_status get_bridge(const dip_arrow_bridge **bridge, const char *path, dip_error *err) {
    pthread_mutex_lock(&lock);
    if (loaded == NULL) {
        loaded = load_module();
    }
    *bridge = loaded;
    pthread_mutex_unlock(&lock);
    if (*bridge != NULL) {
        return DIP_OK;
    }
    return dip_fail(err, DIP_ERR_USAGE,
                    "%s: this build reads no Parquet and Arrow files (%s is not there); build it "
                    "where Arrow is found (docs/input.md), or convert the file, for example with "
                    "python3 -c \"import pandas; pandas.read_parquet('%s').to_csv('table.csv.gz', "
                    "index=False)\"",
                    path, DIP_ARROW_MODULE, path);
}

static dip_status bad_outcome(const dip_sheet *sheet, dip_arrow_outcome outcome,
                              const char *message, dip_error *err) {
    const char *kind = sheet->format == DIP_FORMAT_PARQUET ? "Parquet" : "Arrow";
    switch (outcome) {
    case DIP_ARROW_GOOD:
        return DIP_OK;
    case DIP_ARROW_NO_MEMORY:
        return dip_fail(err, DIP_ERR_MEMORY, "%s: out of memory while reading it: %s", sheet->path,
                        message);
    case DIP_ARROW_IO:
        return dip_fail(err, DIP_ERR_IO, "cannot read %s: %s", sheet->path, message);
    default:
        return dip_fail(err, DIP_ERR_FORMAT, "%s: no %s file, or a damaged one: %s", sheet->path,
                        kind, message);
    }
}

/* ---- opening --------------------------------------------------------------------------------- */

static dip_status name_columns(const dip_arrow_table *table, dip_sheet *sheet, dip_error *err) {
    for (int64_t i = 0; i < table->schema.n_children; i++) {
        const char *name = table->schema.children[i]->name;
        bool is_new = false;
        name = name != NULL ? name : "";
        DIP_TRY(dip_sheet_add_name(sheet, name, strlen(name), &is_new, err));
        if (!is_new) {
            return dip_fail(err, DIP_ERR_FORMAT, "%s: column \"%s\" is named twice", sheet->path,
                            name);
        }
    }
    return DIP_OK;
}

static dip_status open_table(dip_arrow_table *table, dip_sheet *sheet, dip_error *err) {
    char message[DIP_ARROW_MESSAGE] = "";
    DIP_TRY(get_bridge(&table->bridge, sheet->path, err));
    const int fd = dip_vfs_get()->open(sheet->path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        return dip_fail_errno(err, errno, "open", sheet->path);
    }
    DIP_TRY(bad_outcome(sheet,
                        table->bridge->open(fd, sheet->format == DIP_FORMAT_PARQUET, &table->file,
                                            &table->schema, &table->n_rows, message),
                        message, err));
    return name_columns(table, sheet, err);
}

dip_status dip_arrow_open(dip_arrow_table **out, dip_sheet *sheet, dip_error *err) {
    dip_arrow_table *table = dip_alloc(1, sizeof *table, "an Arrow table", err);
    if (table == NULL) {
        return DIP_ERR_MEMORY;
    }
    const dip_status status = open_table(table, sheet, err);
    if (status != DIP_OK) {
        dip_arrow_close(table);
        return status;
    }
    *out = table;
    return DIP_OK;
}

void dip_arrow_close(dip_arrow_table *table) {
    if (table == NULL) {
        return;
    }
    if (table->stream.release != NULL) {
        table->stream.release(&table->stream);
    }
    if (table->schema.release != NULL) {
        table->schema.release(&table->schema);
    }
    if (table->file != NULL) {
        table->bridge->close(table->file);
    }
    dip_free(table);
}

void dip_arrow_sheet_free(dip_sheet *sheet) {
    if (sheet->arrow != NULL && sheet->arrow->schema.release != NULL) {
        sheet->arrow->schema.release(&sheet->arrow->schema);
    }
    dip_free(sheet->arrow);
    sheet->arrow = NULL;
}

/* ---- choosing columns ------------------------------------------------------------------------ */

static dip_status check_type(const dip_arrow_table *table, const dip_sheet *sheet, size_t wanted,
                             dip_error *err) {
    const size_t column = sheet->column[wanted];
    const struct ArrowSchema *schema = table->schema.children[column];
    const dip_cell_plan plan = dip_cell_plan_of(schema);
    if (plan.cell.kind != DIP_CELL_OTHER) {
        return DIP_OK;
    }
    return dip_fail(err, DIP_ERR_FORMAT,
                    "%s: column %zu (%s) is of a type that is not read: %s; write it as text, a "
                    "number, a time or a list of those",
                    sheet->path, column + 1, sheet->names[column], dip_cell_name(schema));
}

/* Asks for the wanted columns, each once, in the order of the file. */
static dip_status start_stream(dip_arrow_table *table, dip_sheet *sheet, dip_error *err) {
    char message[DIP_ARROW_MESSAGE] = "";
    int *columns = dip_alloc(sheet->n_columns, sizeof *columns, "wanted columns", err);
    int n = 0;
    if (columns == NULL) {
        return DIP_ERR_MEMORY;
    }
    for (size_t c = 0; c < sheet->n_columns; c++) {
        if (sheet->target[c] < sheet->n_wanted) {
            columns[n++] = (int)c;
        }
    }
    const dip_arrow_outcome outcome =
        table->bridge->read(table->file, columns, n, &table->stream, message);
    dip_free(columns);
    return bad_outcome(sheet, outcome, message, err);
}

/* The places of the wanted columns among those of the stream. */
static dip_status plan_columns(dip_sheet *sheet, dip_error *err) {
    const struct ArrowSchema *schema = &sheet->arrow->schema;
    for (size_t i = 0; i < sheet->n_wanted; i++) {
        struct column *column = &sheet->arrow->wanted[i];
        int64_t child = 0;
        while (child < schema->n_children &&
               strcmp(schema->children[child]->name, sheet->wanted[i].name) != 0) {
            child++;
        }
        if (child == schema->n_children) {
            return dip_fail(err, DIP_ERR_FORMAT, "%s: column \"%s\" is lost", sheet->path,
                            sheet->wanted[i].name);
        }
        column->child = (size_t)child;
        column->plan = dip_cell_plan_of(schema->children[child]);
    }
    return DIP_OK;
}

static dip_status begin_reading(dip_arrow_table *table, dip_sheet *sheet, dip_error *err) {
    for (size_t i = 0; i < sheet->n_wanted; i++) {
        DIP_TRY(check_type(table, sheet, i, err));
    }
    sheet->arrow =
        dip_alloc(1, sizeof *sheet->arrow + sheet->n_wanted * sizeof *sheet->arrow->wanted,
                  "wanted columns", err);
    if (sheet->arrow == NULL) {
        return DIP_ERR_MEMORY;
    }
    DIP_TRY(start_stream(table, sheet, err));
    if (table->stream.get_schema(&table->stream, &sheet->arrow->schema) != 0) {
        return bad_outcome(sheet, DIP_ARROW_BAD_FILE, "its schema cannot be read", err);
    }
    return plan_columns(sheet, err);
}

/* ---- batches --------------------------------------------------------------------------------- */

void dip_arrow_block_free(dip_block *block) {
    if (block->batch != NULL && block->batch->release != NULL) {
        block->batch->release(block->batch);
    }
    dip_free(block->batch);
    block->batch = NULL;
}

static dip_status next_batch(dip_arrow_table *table, const dip_sheet *sheet,
                             struct ArrowArray *batch, dip_error *err) {
    struct ArrowArrayStream *stream = &table->stream;
    const int outcome = stream->get_next(stream, batch);
    if (outcome == 0) {
        return batch->release != NULL ? DIP_OK : DIP_END;
    }
    const char *message = stream->get_last_error(stream);
    return bad_outcome(sheet, outcome == ENOMEM ? DIP_ARROW_NO_MEMORY : DIP_ARROW_BAD_FILE,
                       message != NULL ? message : "", err);
}

dip_status dip_arrow_take(dip_arrow_table *table, dip_sheet *sheet, dip_block *block,
                          dip_error *err) {
    if (sheet->arrow == NULL) {
        DIP_TRY(begin_reading(table, sheet, err));
    }
    dip_block_reset(block, sheet, 0, (uint64_t)table->row + 1);
    do {
        dip_arrow_block_free(block);
        block->batch = dip_alloc(1, sizeof *block->batch, "an Arrow batch", err);
        if (block->batch == NULL) {
            return DIP_ERR_MEMORY;
        }
        DIP_TRY(next_batch(table, sheet, block->batch, err));
    } while (block->batch->length == 0);
    block->size = (size_t)block->batch->length;
    table->row += block->batch->length;
    return DIP_OK;
}

uint64_t dip_arrow_position(const dip_arrow_table *table, uint64_t bytes) {
    if (table->n_rows <= table->row) {
        return bytes;
    }
    return (uint64_t)((double)bytes * ((double)table->row / (double)table->n_rows));
}

/* ---- rows ------------------------------------------------------------------------------------ */

static dip_status check_text(const dip_block *block, size_t selected, const dip_cell *cell,
                             dip_error *err) {
    if (memchr(cell->text, '\0', cell->length) != NULL) {
        return dip_block_fail(block, selected, err, "the text holds a NUL byte");
    }
    const size_t bad = dip_utf8_check(cell->text, cell->length);
    return bad == cell->length
               ? DIP_OK
               : dip_block_fail(block, selected, err, "byte %zu, 0x%02X, is not valid UTF-8",
                                bad + 1, (unsigned char)cell->text[bad]);
}

static dip_status put_list(dip_block *block, size_t selected, const struct ArrowArray *array,
                           int64_t place, dip_error *err) {
    const dip_cell_plan *plan = &block->sheet->arrow->wanted[selected].plan;
    int64_t begin = 0;
    int64_t end = 0;
    dip_cell cell;
    if (!dip_cell_list(&plan->list, array, place, &begin, &end)) {
        block->fields[selected] = (dip_field){"", 0};
        return DIP_OK;
    }
    DIP_TRY(dip_block_begin_list(block, selected, err));
    for (int64_t i = begin; i < end; i++) {
        dip_cell_read(plan, array->children[0], i, &cell);
        if (!cell.is_null) {
            DIP_TRY(check_text(block, selected, &cell, err));
            DIP_TRY(dip_block_join(block, selected, cell.text, cell.length, err));
        }
    }
    return dip_block_end_list(block, selected, err);
}

static dip_status put_cell(dip_block *block, size_t selected, int64_t row, dip_error *err) {
    const struct column *column = &block->sheet->arrow->wanted[selected];
    const struct ArrowArray *array = block->batch->children[column->child];
    const int64_t place = block->batch->offset + row;
    dip_cell cell;
    if (column->plan.list.kind != DIP_CELL_OTHER) {
        return put_list(block, selected, array, place, err);
    }
    dip_cell_read(&column->plan, array, place, &cell);
    DIP_TRY(check_text(block, selected, &cell, err));
    return dip_block_keep(block, cell.text, cell.length, &block->fields[selected], err);
}

dip_status dip_cut_arrow(dip_block *block, dip_error *err) {
    const size_t n = block->sheet->n_wanted;
    const int64_t row = (int64_t)block->at++;
    DIP_TRY(dip_grow((void **)&block->fields, &block->field_capacity, n + 1, sizeof *block->fields,
                     "fields of a record", err));
    block->line = block->at_line++;
    for (size_t i = 0; i < n; i++) {
        DIP_TRY(put_cell(block, i, row, err));
    }
    return DIP_OK;
}
