/* SPDX-License-Identifier: Apache-2.0
 *
 * Imports: they check arguments and delegate.
 */
#include "api/report.h"
#include "import/recbole.h"
#include "import/wikipedia.h"

static dip_status check_settings(const char *const *names, const char *const *values, size_t n,
                                 dip_error *err) {
    if (n > 0 && (names == NULL || values == NULL)) {
        return dip_fail(err, DIP_ERR_USAGE, "argument names or values is NULL");
    }
    for (size_t i = 0; i < n; i++) {
        if (names[i] == NULL || values[i] == NULL) {
            return dip_fail(err, DIP_ERR_USAGE, "setting %zu is NULL", i);
        }
    }
    return DIP_OK;
}

static dip_status check_output(const char *output, unsigned flags, dip_error *err) {
    if (output == NULL) {
        return dip_fail(err, DIP_ERR_USAGE, "argument output is NULL");
    }
    return (flags & ~DIP_REPLACE) == 0
               ? DIP_OK
               : dip_fail(err, DIP_ERR_USAGE, "unknown flags 0x%x", flags & ~DIP_REPLACE);
}

dip_status dip_import_wikipedia(const char *const *names, const char *const *values, size_t n,
                                const char *output, unsigned flags, const dip_watch *watch,
                                dip_report **report, dip_error *err) {
    dip_wiki_options options;
    json_t *summary = NULL;
    DIP_TRY(check_settings(names, values, n, err));
    DIP_TRY(check_output(output, flags, err));
    DIP_TRY(dip_wiki_options_read(&options, names, values, n, err));
    DIP_TRY(dip_wikipedia_import(&options, output, (flags & DIP_REPLACE) != 0, watch,
                                 report != NULL ? &summary : NULL, err));
    return report != NULL ? dip_report_wrap(report, summary, err) : DIP_OK;
}

dip_status dip_import_recbole(const char *source, const char *const *names,
                              const char *const *values, size_t n, const char *output,
                              unsigned flags, const dip_watch *watch, dip_report **report,
                              dip_error *err) {
    dip_recbole_options options;
    json_t *summary = NULL;
    if (source == NULL) {
        return dip_fail(err, DIP_ERR_USAGE, "argument source is NULL");
    }
    DIP_TRY(check_settings(names, values, n, err));
    DIP_TRY(check_output(output, flags, err));
    DIP_TRY(dip_recbole_options_read(&options, names, values, n, err));
    DIP_TRY(dip_recbole_import(source, &options, output, (flags & DIP_REPLACE) != 0, watch,
                               report != NULL ? &summary : NULL, err));
    return report != NULL ? dip_report_wrap(report, summary, err) : DIP_OK;
}
