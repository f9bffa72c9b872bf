/* SPDX-License-Identifier: Apache-2.0
 *
 * What all fuzz targets share. A target is one file that defines LLVMFuzzerTestOneInput: it gives
 * the bytes to a parser and ends the process when the parser breaks a promise. Linked with
 * libFuzzer it searches for such bytes; linked with replay.c it runs the files of its corpus.
 */
#ifndef DIP_TESTS_FUZZ_H
#define DIP_TESTS_FUZZ_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Ends the process when a promise is broken. */
#define CLAIM(promise)                                                                             \
    do {                                                                                           \
        if (!(promise)) {                                                                          \
            broken(__FILE__, __LINE__, #promise);                                                  \
        }                                                                                          \
    } while (0)

_Noreturn void broken(const char *file, int line, const char *promise);

/* Bytes not yet used of an input. */
typedef struct input {
    const uint8_t *at;
    size_t left;
} input;

/* The next byte, or 0 when there is none. */
uint8_t take_byte(input *in);

/* Two bytes, the low one first. */
size_t take_size(input *in);

/* Up to `most` bytes; *bytes says how many. */
const uint8_t *take_bytes(input *in, size_t most, size_t *bytes);

/* A NUL-terminated copy in memory of its exact size, so that every byte read beyond it is noticed.
 * The caller free()s it. */
char *copy_of(const void *data, size_t bytes);

/* Whether a call succeeded; a failure must have the given status and a text. */
bool went_well(dip_status status, dip_status failure, const dip_error *err);

#endif
