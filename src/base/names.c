/* SPDX-License-Identifier: Apache-2.0 */
#include "base/names.h"

#include "base/mem.h"

#include <string.h>

dip_status dip_names_add(dip_names *names, const char *text, size_t length, dip_error *err) {
    DIP_TRY(dip_grow((void **)&names->name, &names->capacity, names->n + 1, sizeof *names->name,
                     "names", err));
    char *copy = dip_copy_text(text, length, "a name", err);
    if (copy == NULL) {
        return DIP_ERR_MEMORY;
    }
    names->name[names->n++] = copy;
    return DIP_OK;
}

dip_status dip_names_add_all(dip_names *names, const char *const *texts, size_t n, dip_error *err) {
    for (size_t i = 0; i < n; i++) {
        DIP_TRY(dip_names_add(names, texts[i], strlen(texts[i]), err));
    }
    return DIP_OK;
}

void dip_names_free(dip_names *names) {
    for (size_t i = 0; i < names->n; i++) {
        dip_free(names->name[i]);
    }
    dip_free(names->name);
    memset(names, 0, sizeof *names);
}
