/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_OF(number) #number
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *dip_version(void) {
    return VERSION_TEXT(DIP_VERSION_MAJOR, DIP_VERSION_MINOR, DIP_VERSION_PATCH);
}

const char *dip_status_name(dip_status status) {
    static const char *const NAMES[] = {[DIP_OK] = "ok",
                                        [DIP_ERR_FAILED] = "failed",
                                        [DIP_ERR_USAGE] = "usage",
                                        [DIP_ERR_IO] = "input/output",
                                        [DIP_ERR_MEMORY] = "out of memory",
                                        [DIP_ERR_FORMAT] = "bad file",
                                        [DIP_ERR_NONFINITE] = "not finite",
                                        [DIP_ERR_INTERRUPTED] = "interrupted",
                                        [DIP_END] = "end"};
    const size_t n = sizeof NAMES / sizeof NAMES[0];
    return (size_t)status < n ? NAMES[status] : "unknown";
}

dip_status dip_fail(dip_error *err, dip_status code, const char *format, ...) {
    if (err == NULL) {
        return code;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    err->code = code;
    return code;
}

dip_status dip_fail_errno(dip_error *err, int errno_value, const char *action, const char *path) {
    char text[128];
    if (strerror_r(errno_value, text, sizeof text) != 0) {
        snprintf(text, sizeof text, "error %d", errno_value);
    }
    return dip_fail(err, DIP_ERR_IO, "cannot %s %s: %s", action, path, text);
}

dip_status dip_fail_context(dip_error *err, dip_status code, const char *format, ...) {
    if (err == NULL) {
        return code;
    }
    char inner[sizeof err->message];
    memcpy(inner, err->message, sizeof inner);
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < sizeof err->message) {
        snprintf(err->message + length, sizeof err->message - (size_t)length, ": %s", inner);
    }
    err->code = code;
    return code;
}
