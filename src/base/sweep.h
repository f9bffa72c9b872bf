/* SPDX-License-Identifier: Apache-2.0
 *
 * Removing folders of files: outputs that were replaced or rotated out, and what writers that were
 * killed left under temporary names, which are  .NAME.tmp.PID.RANDOM  beside the output NAME.
 */
#ifndef DIP_BASE_SWEEP_H
#define DIP_BASE_SWEEP_H

/* Removes a folder and the files in it; folders inside stay, and then it stays too. Of a symbolic
 * link only the link goes. Failures are ignored. Allocates nothing, so that it also cleans up when
 * memory is out. */
void dip_remove_flat_folder(const char *path);

/* Takes a published folder away: under a temporary name first, so that a process that is killed
 * here leaves no half-empty folder under the final one. */
void dip_discard_folder(const char *parent, const char *name);

/* Removes the temporary folders of writers of an output that no longer live. */
void dip_sweep_dead_writers(const char *parent, const char *name);

/* Removes all temporary folders in a folder, which the caller has locked. */
void dip_sweep_all_writers(const char *parent);

#endif
