/* SPDX-License-Identifier: Apache-2.0
 *
 * Compressed streams beside another way to decompress the same bytes.
 */
#ifndef DIP_TESTS_FUZZ_STREAMS_H
#define DIP_TESTS_FUZZ_STREAMS_H

#include "fuzz/fuzz.h"

/* More than this is not read. */
enum { STREAM_LIMIT = 1 << 18 };

typedef struct expanded {
    bool is_whole;     /* well-formed to its end; false when it is cut off at the limit */
    bool is_beyond;    /* there is more than the limit */
    bool accepts_more; /* it overlooks some damage that a stream reports */
    bool refuses_more; /* it refused what a stream may overlook */
    size_t bytes;      /* what comes before the end or the damage */
    uint8_t data[STREAM_LIMIT];
} expanded;

/* Reads a stream over the input, in pieces whose sizes its first byte decides, and compares. */
void check_stream(const char *name, input in, const expanded *reference);

#endif
