/* SPDX-License-Identifier: Apache-2.0
 *
 * The studies of src/experiment/presets as bytes; the build makes the source of them
 * (tools/embed.cmake).
 */
#ifndef DIP_EXPERIMENT_PLAN_FILES_H
#define DIP_EXPERIMENT_PLAN_FILES_H

#include <stddef.h>

extern const unsigned char dip_plan_file_quick[];
extern const size_t dip_plan_file_quick_bytes;

extern const unsigned char dip_plan_file_paper[];
extern const size_t dip_plan_file_paper_bytes;

extern const unsigned char dip_plan_file_ablation[];
extern const size_t dip_plan_file_ablation_bytes;

extern const unsigned char dip_plan_file_sparsity[];
extern const size_t dip_plan_file_sparsity_bytes;

extern const unsigned char dip_plan_file_sweep[];
extern const size_t dip_plan_file_sweep_bytes;

/* Not a study but the space of dip_tune. */
extern const unsigned char dip_plan_file_tune[];
extern const size_t dip_plan_file_tune_bytes;

#endif
