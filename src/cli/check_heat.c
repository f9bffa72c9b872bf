/* SPDX-License-Identifier: Apache-2.0
 *
 * Two small pictures made of letters: on a UTF-8 terminal of block elements and 256 colours,
 * elsewhere of ASCII.
 */
#include "cli/check_draw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- the curve ------------------------------------------------------------------------------- */

enum { CURVE_ROWS = 8, CELL_LEVELS = 8 };

/* A column of the curve in one row: filled by eighths on a terminal. */
static const char *cell_of(double share, int row, const cli_paper *paper) {
    static const char *const BLOCKS[CELL_LEVELS + 1] = {
        " ", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588"};
    const double filled = share * CURVE_ROWS - row;
    if (!paper->has_shades) {
        return filled >= 0.5 ? "#" : " ";
    }
    const double level = filled * CELL_LEVELS;
    return BLOCKS[level <= 0 ? 0 : level >= CELL_LEVELS ? CELL_LEVELS : (int)(level + 0.5)];
}

void cli_draw_curve(const json_t *curve, const cli_paper *paper) {
    const size_t n = json_array_size(curve);
    for (int row = CURVE_ROWS - 1; row >= 0; row--) {
        printf("  %5s |", row == CURVE_ROWS - 1 ? "100%" : row == CURVE_ROWS / 2 - 1 ? "50%" : "");
        for (size_t i = 1; i < n; i++) {
            const double share = json_number_value(json_array_get(json_array_get(curve, i), 1));
            fputs(cell_of(share, row, paper), stdout);
        }
        puts(row == CURVE_ROWS - 1 ? "|  of the training pairs" : "|");
    }
    printf("        0%%%*s100%% of the items\n", (int)n - 4, "");
}

/* ---- the matrix ------------------------------------------------------------------------------ */

enum { LABEL_WIDTH = 14, WIDE_MOST = 10, SHADES = 10 };

static double entry(const json_t *matrix, size_t i, size_t j) {
    return json_number_value(json_array_get(json_array_get(matrix, i), j));
}

/* The share of the larger entropy that two features have in common. */
static double shared(const json_t *matrix, size_t i, size_t j) {
    const double larger = fmax(entry(matrix, i, i), entry(matrix, j, j));
    const double share = larger > 0 ? entry(matrix, i, j) / larger : 0;
    return share < 1 ? share : 1;
}

static void print_cell(const json_t *matrix, size_t i, size_t j, bool is_wide,
                       const cli_paper *paper) {
    static const char SHADE[SHADES + 1] = " .:-=+*#%@";
    const double share = shared(matrix, i, j);
    const int level = (int)(share * (SHADES - 1) + 0.5);
    char text[32];
    if (is_wide) {
        snprintf(text, sizeof text, "%c%5.2f", paper->has_colour ? ' ' : SHADE[level],
                 entry(matrix, i, j));
    } else {
        snprintf(text, sizeof text, "%c", SHADE[level]);
    }
    if (paper->has_colour) {
        /* Greys 232 (black) to 255 (white), with letters that can be read on them. */
        const int grey = 232 + (int)(share * 23 + 0.5);
        printf("\033[48;5;%d;38;5;%dm%s\033[0m", grey, grey > 243 ? 16 : 255, text);
    } else {
        fputs(text, stdout);
    }
}

void cli_draw_heat(const json_t *information, const cli_paper *paper) {
    const json_t *names = json_object_get(information, "features");
    const json_t *matrix = json_object_get(information, "matrix");
    const size_t k = json_array_size(names);
    const bool is_wide = k <= WIDE_MOST;
    char label[CLI_CLIP_MAX];
    printf("  %*s", LABEL_WIDTH + 4, "");
    for (size_t j = 0; j < k && is_wide; j++) {
        printf("%6zu", j + 1);
    }
    putchar('\n');
    for (size_t i = 0; i < k; i++) {
        printf("  %2zu %s ", i + 1,
               cli_clip(json_string_value(json_array_get(names, i)), LABEL_WIDTH, label));
        for (size_t j = 0; j < k; j++) {
            print_cell(matrix, i, j, is_wide, paper);
        }
        putchar('\n');
    }
}

/* ---- masks ----------------------------------------------------------------------------------- */

static void join_names(const json_t *names, char *text, size_t size) {
    size_t used = 0;
    size_t i = 0;
    json_t *name = NULL;
    text[0] = '\0';
    json_array_foreach(names, i, name) {
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "",
                                 json_string_value(name));
        if (used >= size) {
            return;
        }
    }
}

void cli_draw_masks(const json_t *information) {
    const json_t *seeds = json_object_get(information, "seeds");
    size_t i = 0;
    json_t *seed = NULL;
    if (json_array_size(seeds) > 0) {
        printf("  what a CFM masks (ssl.method: %s)\n", cli_string(information, "method"));
    }
    json_array_foreach(seeds, i, seed) {
        char masked[1024];
        char kept[1024];
        char line[2200];
        char label[CLI_CLIP_MAX];
        join_names(json_object_get(seed, "h_masks"), masked, sizeof masked);
        join_names(json_object_get(seed, "g_masks"), kept, sizeof kept);
        printf("     seed %s ", cli_clip(cli_string(seed, "seed"), LABEL_WIDTH, label));
        snprintf(line, sizeof line, "h: %s; g: %s", masked, kept);
        cli_wrap(line, LABEL_WIDTH + 11, LABEL_WIDTH + 11);
    }
}
