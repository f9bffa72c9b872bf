/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers from text, whole text or nothing, and numbers as text, whatever the process's locale is.
 */
#ifndef DIP_BASE_NUMBER_H
#define DIP_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

enum { DIP_NUMBER_MAX = 40 };

/* A finite decimal or exponent number. False for "", " 1", "1x", "nan", "inf", "0x10", overflow. */
bool dip_parse_number(const char *text, double *number);

/* Up to 15 digits with at most one point among them and nothing else: the usual cell, read without
 * a look at its length. False for every other text, number or not. */
bool dip_parse_short(const char *text, double *number);

/* A decimal integer with an optional sign. False for "", "1.0", overflow. */
bool dip_parse_integer(const char *text, int64_t *number);

/* The shortest decimal text that reads back as the same number. */
void dip_print_number(double number, char text[DIP_NUMBER_MAX]);

/* The shortest one that reads back as the same float. */
void dip_print_float(float number, char text[DIP_NUMBER_MAX]);

#endif
