/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing YAML.
 */
#ifndef DIP_IMPORT_YAML_TEXT_H
#define DIP_IMPORT_YAML_TEXT_H

#include "base/text.h"

/* Puts a text in double quotes, with everything escaped that YAML would read as something else or
 * refuse. The text must be UTF-8. */
dip_status dip_yaml_put_quoted(dip_text *yaml, const char *text, size_t length, dip_error *err);

#endif
