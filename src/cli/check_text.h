/* SPDX-License-Identifier: Apache-2.0
 *
 * What the drawings of diptych check share: where they are drawn, and how numbers are written.
 */
#ifndef DIP_CLI_CHECK_TEXT_H
#define DIP_CLI_CHECK_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct cli_paper {
    bool has_colour; /* a terminal, and NO_COLOR is not set */
    bool has_shades; /* a terminal whose locale is UTF-8 */
} cli_paper;

/* What standard output is. */
cli_paper cli_paper_find(void);

/* Bold on a terminal. */
void cli_heading(const cli_paper *paper, const char *text);

enum { CLI_NUMBER_MAX = 40, CLI_CLIP_MAX = 400 };

/* "1.3 GB", "4 min 10 s", "12.3%" */
const char *cli_bytes(double bytes, char text[CLI_NUMBER_MAX]);
const char *cli_duration(double seconds, char text[CLI_NUMBER_MAX]);
const char *cli_percent(double share, char text[CLI_NUMBER_MAX]);

/* At most `width` letters of a UTF-8 text, filled with blanks up to that width unless it is the
 * last of its line; control characters become '?'. */
const char *cli_clip_last(const char *source, size_t width, char text[CLI_CLIP_MAX]);
const char *cli_clip(const char *source, size_t width, char text[CLI_CLIP_MAX]);

/* object[key] as a number (0 without one), as a text ("" without one). */
double cli_number(const json_t *object, const char *key);
const char *cli_string(const json_t *object, const char *key);

/* object[key] with thousands divided. */
const char *cli_count(const json_t *object, const char *key, char text[CLI_NUMBER_MAX]);

/* A sentence in lines of 80 columns, indented but for the first line. */
void cli_wrap(const char *text, int first, int indent);

#endif
