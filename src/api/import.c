/* SPDX-License-Identifier: Apache-2.0
 *
 * Imports: they check arguments and delegate.
 */
#include "api/arguments.h"
#include "api/report.h"
#include "import/recbole.h"
#include "import/wikipedia.h"

dip_status dip_import_wikipedia(const char *const *names, const char *const *values, size_t n,
                                const char *output, unsigned flags, const dip_watch *watch,
                                dip_report **report, dip_error *err) {
    dip_wiki_options options;
    json_t *summary = NULL;
    DIP_TRY(dip_need_settings(names, values, n, err));
    DIP_TRY(dip_need(output, "output", err));
    DIP_TRY(dip_need_flags(flags, DIP_REPLACE, err));
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
    DIP_TRY(dip_need(source, "source", err));
    DIP_TRY(dip_need_settings(names, values, n, err));
    DIP_TRY(dip_need(output, "output", err));
    DIP_TRY(dip_need_flags(flags, DIP_REPLACE, err));
    DIP_TRY(dip_recbole_options_read(&options, names, values, n, err));
    DIP_TRY(dip_recbole_import(source, &options, output, (flags & DIP_REPLACE) != 0, watch,
                               report != NULL ? &summary : NULL, err));
    return report != NULL ? dip_report_wrap(report, summary, err) : DIP_OK;
}
