/* SPDX-License-Identifier: Apache-2.0
 *
 * Multiply-adds on registers alone: what the cores can do when no operand has to be fetched.
 */
#ifndef DIP_BENCH_REGISTERS_H
#define DIP_BENCH_REGISTERS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether this processor, and this compiler's target, have such a loop. */
bool registers_have_fp32(void);
bool registers_have_bf16(void);

/* Runs `rounds` rounds on the calling thread and returns the operations done. */
double registers_fp32(size_t rounds);
double registers_bf16(size_t rounds);

#endif
