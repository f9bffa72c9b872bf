/* SPDX-License-Identifier: Apache-2.0 */
#include "records.h"

dip_status records_open(records *r, const char *path, const dip_dialect *dialect) {
    *r = (records){0};
    return dip_reader_open(&r->reader, &path, 1, dialect, check_error());
}

dip_status records_next(records *r, const dip_field **fields) {
    for (;;) {
        const dip_status status =
            r->has_block ? dip_block_next(&r->block, fields, check_error()) : DIP_END;
        if (status != DIP_END) {
            return status;
        }
        DIP_TRY(dip_reader_take(r->reader, &r->block, check_error()));
        r->has_block = true;
    }
}

void records_close(records *r) {
    dip_block_free(&r->block);
    dip_reader_close(r->reader);
    *r = (records){0};
}

void check_record(records *r, const char *expected) {
    const dip_field *field = NULL;
    char joined[1000] = "";
    size_t n = 1;
    check_ok(records_next(r, &field));
    for (const char *at = expected; *at != '\0'; at++) {
        n += *at == '~';
    }
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(strlen(field[i].text), field[i].length);
        snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s", i > 0 ? "~" : "",
                 field[i].text);
    }
    assert_string_equal(joined, expected);
}

void check_end(records *r) {
    const dip_field *field = NULL;
    assert_int_equal(records_next(r, &field), DIP_END);
    assert_int_equal(records_next(r, &field), DIP_END);
    records_close(r);
}
