/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sizes that a file claims may be more than there is memory: then an allocation fails, as it does
 * without a sanitizer. Short histories of blocks make small allocations several times faster. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "max_allocation_size_mb=256:allocator_may_return_null=1:malloc_context_size=4:"
           "quarantine_size_mb=16";
}

_Noreturn void broken(const char *file, int line, const char *promise) {
    fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, promise);
    abort();
}

uint8_t take_byte(input *in) {
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->at++;
}

size_t take_size(input *in) {
    const size_t low = take_byte(in);
    return low + 256 * (size_t)take_byte(in);
}

const uint8_t *take_bytes(input *in, size_t most, size_t *bytes) {
    const uint8_t *taken = in->at;
    *bytes = most < in->left ? most : in->left;
    in->at += *bytes;
    in->left -= *bytes;
    return taken;
}

char *copy_of(const void *data, size_t bytes) {
    char *copy = malloc(bytes + 1);
    CLAIM(copy != NULL);
    if (bytes > 0) {
        memcpy(copy, data, bytes);
    }
    copy[bytes] = '\0';
    return copy;
}

bool went_well(dip_status status, dip_status failure, const dip_error *err) {
    if (status == DIP_OK) {
        return true;
    }
    if (status != failure) {
        fprintf(stderr, "%s: %s\n", dip_status_name(status), err->message);
    }
    CLAIM(status == failure);
    CLAIM(err->code == failure);
    CLAIM(err->message[0] != '\0');
    return false;
}
