/* SPDX-License-Identifier: Apache-2.0
 *
 * The studies of src/experiment/presets as bytes; the build makes the source of them
 * (tools/embed.cmake).
 */
#ifndef DIP_EXPERIMENT_PLAN_FILES_H
#define DIP_EXPERIMENT_PLAN_FILES_H

#include <stddef.h>

/* The studies, of which FIRST is the one that is taken when none is named. */
#define DIP_STUDIES(FIRST, REST) FIRST(quick) REST(paper) REST(ablation) REST(sparsity) REST(sweep)

/* Their names as one text. */
#define DIP_STUDY_FIRST_NAME(name) #name
#define DIP_STUDY_NEXT_NAME(name) ", " #name
#define DIP_STUDY_NAMES DIP_STUDIES(DIP_STUDY_FIRST_NAME, DIP_STUDY_NEXT_NAME)

#define DIP_STUDY_FILE(name)                                                                       \
    extern const unsigned char dip_plan_file_##name[];                                             \
    extern const size_t dip_plan_file_##name##_bytes;
DIP_STUDIES(DIP_STUDY_FILE, DIP_STUDY_FILE)
#undef DIP_STUDY_FILE

/* Not a study but the space of dip_tune. */
extern const unsigned char dip_plan_file_tune[];
extern const size_t dip_plan_file_tune_bytes;

#endif
