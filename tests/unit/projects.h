/* SPDX-License-Identifier: Apache-2.0
 *
 * Random projects with every kind of feature, split, query and mistake that is no error.
 */
#ifndef DIP_TESTS_UNIT_PROJECTS_H
#define DIP_TESTS_UNIT_PROJECTS_H

#include "check.h"

/* From this number on a project has thousands of rows; before, a few hundred at most. */
enum { PROJECTS_LARGE = 10 };

/* Writes project.yaml and its tables; everything is a function of the number. Number % 3 says what
 * queries are: items, of a file, of the interactions; number % 5 is the dip_split_by. */
void projects_write(check_folder *folder, size_t number);

#endif
