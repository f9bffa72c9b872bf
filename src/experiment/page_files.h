/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of src/experiment/page as bytes; the build makes the source of them
 * (tools/embed.cmake).
 */
#ifndef DIP_EXPERIMENT_PAGE_FILES_H
#define DIP_EXPERIMENT_PAGE_FILES_H

#include <stddef.h>

extern const unsigned char dip_page_html[];
extern const size_t dip_page_html_bytes;

extern const unsigned char dip_page_css[];
extern const size_t dip_page_css_bytes;

/* All scripts, one behind the other. */
extern const unsigned char dip_page_js[];
extern const size_t dip_page_js_bytes;

#endif
