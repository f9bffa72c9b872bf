/* SPDX-License-Identifier: Apache-2.0 */
#include "shares.h"

const dip_means SHARES_MEANS = {.memory = SIZE_MAX, .threads = 2};

void shares_prepare(check_folder *folder, const char *yaml, double fraction, const char *name,
                    dip_dataset *dataset) {
    dip_project project;
    fixture_fast_files();
    check_ok(dip_project_read(&project, yaml, check_error()));
    project.config.split.train_fraction *= fraction;
    check_ok(dip_prepare_by(&project, check_path(folder, name), true, &SHARES_MEANS, NULL,
                            check_error()));
    dip_project_release(&project);
    check_ok(dip_dataset_load(dataset, check_path(folder, name), check_error()));
}

void shares_thin(check_folder *folder, const dip_dataset *whole, double fraction, const char *name,
                 const dip_means *means, dip_dataset *dataset) {
    check_ok(dip_thin(whole, fraction, check_path(folder, name), true, means, check_error()));
    check_ok(dip_dataset_load(dataset, check_path(folder, name), check_error()));
}
