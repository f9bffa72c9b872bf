/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for the thousands of small blocks that jansson asks for while a folder is read: handed out
 * one behind the other and given back all at once, which is many times faster than the address
 * sanitizer's own. Blocks that were freed, and the gaps between blocks, stay poisoned, and none may
 * be left at the end.
 */
#ifndef DIP_TESTS_FUZZ_JSON_ARENA_H
#define DIP_TESTS_FUZZ_JSON_ARENA_H

/* From here on jansson takes its memory from the arena ... */
void json_arena_begin(void);

/* ... and from here on no longer. Ends the process when a block is left. */
void json_arena_end(void);

#endif
