/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of bf16.h's kernels share: each has the products for one kind of instructions.
 */
#ifndef DIP_MATH_BF16_TILES_H
#define DIP_MATH_BF16_TILES_H

#include "math/bf16.h"

void dip_bf16_tile_avx512(const dip_tile *tile);
void dip_bf16_tile_amx(const dip_tile *tile);
size_t dip_bf16_sift_amx(const dip_sift *sift);
void dip_bf16_make_left_amx(size_t pairs, dip_bf16 *block);

extern const dip_bf16_kernels dip_bf16_avx512;
extern const dip_bf16_kernels dip_bf16_amx;

#endif
