/* SPDX-License-Identifier: Apache-2.0
 *
 * Vocabularies: what is read has distinct values that are found, and is written back the same.
 */
#include "data/vocab.h"
#include "fuzz/fuzz.h"
#include "fuzz/memory_files.h"

#include <stdlib.h>
#include <string.h>

static void check_rows(const dip_vocab *vocab) {
    for (size_t row = 0; row < vocab->n; row++) {
        size_t length = 0;
        const char *text = dip_vocab_text(vocab, row, &length);
        CLAIM(vocab->count[row] >= 0);
        CLAIM(dip_vocab_find(vocab, text, length) == (int32_t)row);
    }
}

static bool is_equal(const dip_vocab *a, const dip_vocab *b) {
    bool equal = a->n == b->n;
    for (size_t row = 0; equal && row < a->n; row++) {
        size_t na = 0;
        size_t nb = 0;
        const char *ta = dip_vocab_text(a, row, &na);
        const char *tb = dip_vocab_text(b, row, &nb);
        equal = na == nb && memcmp(ta, tb, na) == 0 && a->count[row] == b->count[row];
    }
    return equal;
}

static void write_and_read(const dip_vocab *vocab) {
    static char work[] = MEMORY_ROOT "work";
    dip_folder_writer folder = {.work = work, .writer = {.fd = -1}, .parts = json_object()};
    dip_vocab again;
    size_t written = 0;
    memory_file_remove("work/vocab.tsv");
    CLAIM(dip_vocab_write(vocab, &folder, "vocab.tsv", NULL) == DIP_OK);
    json_decref(folder.parts);
    const char *file = (const char *)memory_file("work/vocab.tsv", &written);
    CLAIM(dip_vocab_parse(&again, file, written, (int64_t)vocab->n, "vocab.tsv", NULL) == DIP_OK);
    CLAIM(is_equal(vocab, &again));
    dip_vocab_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static bool is_ready;
    dip_vocab vocab;
    dip_error err = {DIP_OK, ""};
    int64_t rows = 0;
    if (!is_ready) {
        memory_files_begin();
        is_ready = true;
    }
    for (size_t i = 0; i < bytes; i++) {
        rows += data[i] == '\n';
    }
    memory_file_put("input.tsv", data, bytes);
    const char *file = (const char *)memory_file("input.tsv", &bytes);
    const dip_status status = dip_vocab_parse(&vocab, file, bytes, rows, "input.tsv", &err);
    if (went_well(status, DIP_ERR_FORMAT, &err)) {
        check_rows(&vocab);
        write_and_read(&vocab);
        dip_vocab_free(&vocab);
    }
    return 0;
}
