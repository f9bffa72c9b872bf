/* SPDX-License-Identifier: Apache-2.0
 *
 * XXH3 64-bit hashes: checksums of files and keys of hash tables. Only this header knows
 * xxHash.
 */
#ifndef DIP_BASE_HASH_H
#define DIP_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define XXH_STATIC_LINKING_ONLY /* the size of XXH3_state_t, which we allocate ourselves */
#include <xxhash.h>

static inline uint64_t dip_hash(const void *data, size_t bytes) {
    return XXH3_64bits(data, bytes);
}

#endif
