/* SPDX-License-Identifier: Apache-2.0
 *
 * write_page RESULTS PAGE [PLOTLY]: makes the page of a report from its results.json, so that the
 * tests in a browser can look at any results. Without PLOTLY the page has no library of figures.
 */
#include "base/mem.h"
#include "experiment/page.h"

#include <stdio.h>

static dip_status write_page(const char *results, const char *page, const char *plotly,
                             dip_error *err) {
    dip_writer writer;
    char *json = NULL;
    size_t bytes = 0;
    uint64_t hash = 0;
    uint64_t written = 0;
    DIP_TRY(dip_read_file(results, (size_t)1 << 30, &json, &bytes, err));
    dip_status status = dip_writer_open(&writer, page, err);
    if (status == DIP_OK) {
        status = dip_page_write(&writer, json, bytes, plotly, err);
    }
    if (status == DIP_OK) {
        status = dip_writer_close(&writer, &written, &hash, err);
    } else {
        dip_writer_abandon(&writer);
    }
    dip_free(json);
    return status;
}

int main(int argc, char **argv) {
    dip_error err;
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: write_page RESULTS PAGE [PLOTLY]\n");
        return 2;
    }
    if (write_page(argv[1], argv[2], argc == 4 ? argv[3] : NULL, &err) != DIP_OK) {
        fprintf(stderr, "write_page: %s\n", err.message);
        return 1;
    }
    return 0;
}
