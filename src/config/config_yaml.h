/* SPDX-License-Identifier: Apache-2.0
 *
 * Options from YAML: a preset, then options in sections (train: {rate: 0.1}) or with their whole
 * key (train.rate: 0.1).
 */
#ifndef DIP_CONFIG_CONFIG_YAML_H
#define DIP_CONFIG_CONFIG_YAML_H

#include "base/yaml.h"
#include "config/config.h"

/* Sets what the root mapping says. Keys in other [n_other] are left alone.
 * DIP_ERR_USAGE names file, line, column, and the nearest key. */
dip_status dip_config_read_yaml(dip_config *config, dip_yaml *yaml, const char *const *other,
                                size_t n_other, dip_error *err);

/* A file of options only. config is untouched on failure. */
dip_status dip_config_read(dip_config *config, const char *path, dip_error *err);

#endif
