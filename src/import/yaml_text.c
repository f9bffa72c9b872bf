/* SPDX-License-Identifier: Apache-2.0 */
#include "import/yaml_text.h"

#include <stdint.h>

/* Decodes the character at the front of valid UTF-8; returns its length. */
static size_t decode(const unsigned char *text, uint32_t *character) {
    if (text[0] < 0x80) {
        *character = text[0];
        return 1;
    }
    const size_t size = text[0] < 0xE0 ? 2 : text[0] < 0xF0 ? 3 : 4;
    *character = text[0] & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++) {
        *character = *character << 6 | (text[i] & 0x3Fu);
    }
    return size;
}

/* Whether a character may stand as it is: printable, no line break, no byte order mark. */
static bool may_stand(uint32_t c) {
    if (c < 0xA0) {
        return c >= ' ' && c < 0x7F && c != '"' && c != '\\';
    }
    return c != 0x2028 && c != 0x2029 && c != 0xFEFF && c != 0xFFFE && c != 0xFFFF;
}

dip_status dip_yaml_put_quoted(dip_text *yaml, const char *text, size_t length, dip_error *err) {
    DIP_TRY(dip_text_put(yaml, "\"", 1, err));
    for (size_t at = 0; at < length;) {
        uint32_t character = 0;
        const size_t size = decode((const unsigned char *)text + at, &character);
        if (may_stand(character)) {
            DIP_TRY(dip_text_put(yaml, text + at, size, err));
        } else if (character == '"' || character == '\\') {
            DIP_TRY(dip_text_printf(yaml, err, "\\%c", (int)character));
        } else {
            DIP_TRY(dip_text_printf(yaml, err, "\\u%04X", (unsigned)character));
        }
        at += size;
    }
    return dip_text_put(yaml, "\"", 1, err);
}
