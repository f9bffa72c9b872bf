/* SPDX-License-Identifier: Apache-2.0
 *
 * The public report: a JSON document and its text.
 */
#ifndef DIP_API_REPORT_H
#define DIP_API_REPORT_H

#include "base/json.h"

struct dip_report {
    json_t *json;
    char *text;
};

/* Wraps a document; steals the reference, also on failure. */
dip_status dip_report_wrap(dip_report **out, json_t *json, dip_error *err);

#endif
