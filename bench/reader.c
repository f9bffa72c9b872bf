/* SPDX-License-Identifier: Apache-2.0
 *
 * How fast one core reads a table: bench_reader FOLDER [megabytes] writes interactions of three
 * columns and items of five in every format, and reads each back twice: the first time warms the
 * page cache, the second is reported. Bytes are those of the text before compression.
 *
 *   take   finding whole records, with reading and decompression; one thread does this for all
 *   cut    checking, cutting and ending all fields; every thread does this for blocks of its own
 */
#include "data/reader.h"
#include "math/isa.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>
#include <zstd.h>

enum { LINE_MAX_BYTES = 400 };

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static uint64_t draw(uint64_t *state, uint64_t n) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*state >> 33) % n;
}

/* ---- what is written ------------------------------------------------------------------------- */

typedef enum shape { TSV, CSV, QUOTED_CSV, JSON_LINES } shape;

static int put_pair(char *line, shape form, uint64_t *state) {
    static const char *const FORMS[] = {"u%07llu\ti%06llu\t%llu\n", "u%07llu,i%06llu,%llu\n",
                                        "\"u%07llu\",\"i%06llu\",\"%llu\"\n",
                                        "{\"user\": \"u%07llu\", \"item\": \"i%06llu\", "
                                        "\"time\": %llu}\n"};
    const unsigned long long user = draw(state, 5000000);
    const unsigned long long item = draw(state, 400000);
    const unsigned long long time = 1500000000 + draw(state, 200000000);
    return snprintf(line, LINE_MAX_BYTES, FORMS[form], user, item, time);
}

static int put_item(char *line, shape form, uint64_t *state) {
    static const char *const FORMS[] = {
        "i%06llu\t%s\tcategory-%llu\t%s\t%llu.99\n", "i%06llu,%s,category-%llu,%s,%llu.99\n",
        "\"i%06llu\",\"%s\",\"category-%llu\",\"%s\",\"%llu.99\"\n",
        "{\"id\": \"i%06llu\", \"title\": \"%s\", \"category\": \"category-%llu\", \"tags\": "
        "\"%s\", \"price\": %llu.99}\n"};
    static const char *const WORDS[] = {"small",
                                        "chair",
                                        "of",
                                        "the",
                                        "wooden",
                                        "table",
                                        "lamp",
                                        "blue",
                                        "garden",
                                        "Gr\xC3\xB6\xC3\x9F"
                                        "e",
                                        "summer",
                                        "house"};
    char title[120] = "";
    char tags[60] = "";
    for (uint64_t i = 3 + draw(state, 5); i > 0; i--) {
        snprintf(title + strlen(title), sizeof title - strlen(title), "%s%s",
                 WORDS[draw(state, 12)], i > 1 ? " " : "");
    }
    for (uint64_t i = 1 + draw(state, 4); i > 0; i--) {
        snprintf(tags + strlen(tags), sizeof tags - strlen(tags), "tag%llu%s",
                 (unsigned long long)draw(state, 300), i > 1 ? "|" : "");
    }
    return snprintf(line, LINE_MAX_BYTES, FORMS[form], (unsigned long long)draw(state, 1000000),
                    title, (unsigned long long)draw(state, 500), tags,
                    (unsigned long long)draw(state, 100));
}

typedef struct text {
    char *data;
    size_t bytes;
} text;

static text make_text(bool is_items, shape form, size_t bytes) {
    static const char *const HEADERS[2][3] = {
        {"user\titem\ttime\n", "user,item,time\n", "user,item,time\n"},
        {"id\ttitle\tcategory\ttags\tprice\n", "id,title,category,tags,price\n",
         "id,title,category,tags,price\n"}};
    text made = {malloc(bytes + LINE_MAX_BYTES), 0};
    uint64_t state = 1;
    if (form != JSON_LINES) {
        made.bytes = strlen(HEADERS[is_items][form]);
        memcpy(made.data, HEADERS[is_items][form], made.bytes);
    }
    while (made.bytes < bytes) {
        char *line = made.data + made.bytes;
        made.bytes +=
            (size_t)(is_items ? put_item(line, form, &state) : put_pair(line, form, &state));
    }
    return made;
}

static void write_file(const char *path, const text *made) {
    if (strstr(path, ".gz") != NULL) {
        gzFile file = gzopen(path, "wb6");
        gzwrite(file, made->data, (unsigned)made->bytes);
        gzclose(file);
        return;
    }
    FILE *file = fopen(path, "wb");
    if (strstr(path, ".zst") != NULL) {
        const size_t capacity = ZSTD_compressBound(made->bytes);
        char *packed = malloc(capacity);
        const size_t size = ZSTD_compress(packed, capacity, made->data, made->bytes, 3);
        fwrite(packed, 1, size, file);
        free(packed);
    } else {
        fwrite(made->data, 1, made->bytes, file);
    }
    fclose(file);
}

/* ---- what is measured ------------------------------------------------------------------------ */

typedef struct timing {
    double take;
    double cut;
    uint64_t records;
    size_t checksum; /* of field lengths, so that no work can be left out */
} timing;

static dip_status read_table(const char *path, size_t n_fields, timing *t, dip_error *err) {
    dip_reader *reader = NULL;
    dip_block block = {0};
    const dip_field *fields = NULL;
    *t = (timing){0};
    dip_status status = dip_reader_open(&reader, &path, 1, NULL, err);
    while (status == DIP_OK) {
        const double begin = seconds();
        status = dip_reader_take(reader, &block, err);
        const double taken = seconds();
        t->take += taken - begin;
        while (status == DIP_OK && (status = dip_block_next(&block, &fields, err)) == DIP_OK) {
            t->records++;
            for (size_t i = 0; i < n_fields; i++) {
                t->checksum += fields[i].length;
            }
        }
        t->cut += seconds() - taken;
        if (status == DIP_END && t->records > 0) {
            status = dip_reader_position(reader) < dip_reader_size(reader) ? DIP_OK : status;
        }
    }
    dip_block_free(&block);
    dip_reader_close(reader);
    return status == DIP_END ? DIP_OK : status;
}

static int measure(const char *folder, bool is_items, shape form, const char *name, size_t bytes) {
    char path[1000];
    dip_error err;
    timing t;
    snprintf(path, sizeof path, "%s/%s.%s", folder, is_items ? "items" : "pairs", name);
    text made = make_text(is_items, form, bytes);
    write_file(path, &made);
    free(made.data);
    for (int round = 0; round < 2; round++) {
        if (read_table(path, is_items ? 5 : 3, &t, &err) != DIP_OK) {
            fprintf(stderr, "%s\n", err.message);
            return 1;
        }
    }
    const double megabytes = 1e-6 * (double)made.bytes;
    printf("%-5s %-14s %9llu %9.0f %9.0f %9.0f\n", is_items ? "items" : "pairs",
           form == QUOTED_CSV ? "csv, quoted" : name, (unsigned long long)t.records,
           megabytes / t.take, megabytes / t.cut, megabytes / (t.take + t.cut));
    fflush(stdout);
    remove(path);
    return 0;
}

int main(int argc, char **argv) {
    static const struct {
        shape form;
        const char *name;
    } KINDS[] = {{TSV, "tsv"}, {TSV, "tsv.gz"},     {TSV, "tsv.zst"},
                 {CSV, "csv"}, {QUOTED_CSV, "csv"}, {JSON_LINES, "jsonl"}};
    if (argc < 2) {
        fprintf(stderr, "usage: bench_reader FOLDER [megabytes]\n");
        return 2;
    }
    const size_t bytes = (argc > 2 ? (size_t)atoi(argv[2]) : 100) * 1000000;
    printf("instructions: %s; megabytes of text a second on one core\n",
           dip_isa_name(dip_isa_get()));
    printf("%-5s %-14s %9s %9s %9s %9s\n", "table", "format", "records", "take", "cut", "both");
    for (int table = 0; table < 2; table++) {
        for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
            if (measure(argv[1], table == 1, KINDS[i].form, KINDS[i].name, bytes) != 0) {
                return 1;
            }
        }
    }
    return 0;
}
