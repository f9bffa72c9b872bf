/* SPDX-License-Identifier: Apache-2.0
 *
 * From the dumps of a Wikipedia to pages.tsv, links.tsv and project.yaml in one published folder.
 */
#ifndef DIP_IMPORT_WIKIPEDIA_H
#define DIP_IMPORT_WIKIPEDIA_H

#include "import/wiki_files.h"

#include <jansson.h>

/* summary: what was counted; the caller json_decref()s it. */
dip_status dip_wikipedia_import(const dip_wiki_options *options, const char *output, bool replace,
                                const dip_watch *watch, json_t **summary, dip_error *err);

#endif
