/* SPDX-License-Identifier: Apache-2.0
 *
 * The report's page: one HTML file that holds style, script, figures' library and numbers, and asks
 * for nothing when it is opened.
 *
 *   page/report.html     the frame, with a marker for each part that is put into it: @@style@@,
 *                        @@plotly@@, @@results@@, @@script@@
 *   page/report.css      the style
 *   page/<parts>.js      what turns the numbers into text, tables and figures
 *   plotly.min.js        the figures' library, read at run time: it is too large for the program
 *   results.json         the numbers, as src/experiment/results.c makes them
 */
#ifndef DIP_EXPERIMENT_PAGE_H
#define DIP_EXPERIMENT_PAGE_H

#include "base/file.h"

/* Writes the whole page.
 *
 * results   a JSON document, valid UTF-8; it is escaped, so its texts may hold anything
 * plotly    path of plotly.min.js; NULL: the page shows tables where figures would be
 * DIP_ERR_FORMAT   the file is not plotly.min.js, or cannot stand in a page */
dip_status dip_page_write(dip_writer *writer, const char *results, size_t bytes, const char *plotly,
                          dip_error *err);

/* Where plotly.min.js is: `given` when it is not NULL; else beside the library (or the program that
 * it is linked into), as in a build folder, or in share/diptych of where that is installed. *path
 * is NULL when it is in none of these. The caller dip_free()s it.
 *
 * DIP_ERR_IO       `given` is not there
 * DIP_ERR_FORMAT   it is not plotly.min.js, or cannot stand in a page */
dip_status dip_page_find_plotly(char **path, const char *given, dip_error *err);

#endif
