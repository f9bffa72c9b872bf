/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_text.h"

#include "cli/command.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { LINE_WIDTH = 80 };

/* The first of these that is set decides, as setlocale has it. */
static bool is_utf8_locale(void) {
    static const char *const NAMES[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        const char *value = getenv(NAMES[i]);
        if (value != NULL && value[0] != '\0') {
            const char *dot = strchr(value, '.');
            return dot != NULL &&
                   (strncasecmp(dot, ".utf-8", 6) == 0 || strncasecmp(dot, ".utf8", 5) == 0);
        }
    }
    return false;
}

cli_paper cli_paper_find(void) {
    const bool is_terminal = isatty(STDOUT_FILENO) == 1;
    const char *plain = getenv("NO_COLOR");
    const char *kind = getenv("TERM");
    const bool can_colour = kind != NULL && strcmp(kind, "dumb") != 0;
    return (cli_paper){.has_colour =
                           is_terminal && can_colour && (plain == NULL || plain[0] == '\0'),
                       .has_shades = is_terminal && is_utf8_locale()};
}

void cli_heading(const cli_paper *paper, const char *text) {
    printf("\n%s%s%s\n", paper->has_colour ? "\033[1m" : "", text,
           paper->has_colour ? "\033[0m" : "");
}

const char *cli_bytes(double bytes, char text[CLI_NUMBER_MAX]) {
    static const char *const UNITS[] = {"B", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    while (bytes >= 999.5 && unit + 1 < sizeof UNITS / sizeof UNITS[0]) {
        bytes /= 1000;
        unit++;
    }
    snprintf(text, CLI_NUMBER_MAX, unit == 0 || bytes >= 99.95 ? "%.0f %s" : "%.1f %s", bytes,
             UNITS[unit]);
    return text;
}

const char *cli_duration(double seconds, char text[CLI_NUMBER_MAX]) {
    if (seconds < 1) {
        snprintf(text, CLI_NUMBER_MAX, "%.2g s", seconds);
    } else if (seconds < 9.95) {
        snprintf(text, CLI_NUMBER_MAX, "%.1f s", seconds);
    } else if (seconds < 99.5) {
        snprintf(text, CLI_NUMBER_MAX, "%.0f s", seconds);
    } else if (seconds < 5999.5) {
        const double minutes = floor(seconds / 60);
        snprintf(text, CLI_NUMBER_MAX, "%.0f min %02.0f s", minutes, floor(seconds - 60 * minutes));
    } else {
        const double hours = floor(seconds / 3600);
        snprintf(text, CLI_NUMBER_MAX, "%.0f h %02.0f min", hours,
                 floor((seconds - 3600 * hours) / 60));
    }
    return text;
}

const char *cli_percent(double share, char text[CLI_NUMBER_MAX]) {
    snprintf(text, CLI_NUMBER_MAX, "%.1f%%", 100 * share);
    return text;
}

/* Copies whole letters; returns how many. *used counts bytes. */
static size_t copy_letters(const char *source, size_t width, char *text, size_t *used) {
    size_t letters = 0;
    for (*used = 0; source[0] != '\0' && letters < width; letters++) {
        size_t bytes = 1;
        while (((unsigned char)source[bytes] & 0xC0) == 0x80) {
            bytes++;
        }
        if (*used + bytes + width - letters >= CLI_CLIP_MAX) {
            break;
        }
        const bool is_control = (unsigned char)source[0] < 0x20 || source[0] == 0x7F;
        memcpy(text + *used, is_control ? "?" : source, bytes);
        *used += bytes;
        source += bytes;
    }
    text[*used] = '\0';
    return letters;
}

const char *cli_clip_last(const char *source, size_t width, char text[CLI_CLIP_MAX]) {
    size_t used = 0;
    copy_letters(source, width, text, &used);
    return text;
}

const char *cli_clip(const char *source, size_t width, char text[CLI_CLIP_MAX]) {
    size_t used = 0;
    for (size_t letters = copy_letters(source, width, text, &used); letters < width; letters++) {
        text[used++] = ' ';
    }
    text[used] = '\0';
    return text;
}

double cli_number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

const char *cli_string(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

const char *cli_count(const json_t *object, const char *key, char text[CLI_NUMBER_MAX]) {
    return cli_thousands(cli_number(object, key), text);
}

void cli_wrap(const char *text, int first, int indent) {
    int column = first;
    bool is_first = true;
    while (*text != '\0') {
        const int length = (int)strcspn(text, " ");
        if (!is_first && column + 1 + length > LINE_WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (!is_first) {
            putchar(' ');
            column++;
        }
        printf("%.*s", length, text);
        is_first = false;
        column += length;
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}
