/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Runs shadowmesh-l2 for a verb that needs what only the node's program knows. */

#include <sys/types.h>

#define PROGRAM_WORDS_MAX 40 /* of a command line, with the NULL behind the last */

/* Starts the shadowmesh-l2 that was installed with this program, else that of the path, with these words, NULL behind
 * the last; stderr stays ours. *out, unless out is NULL, gets what it prints, for the caller to close. -1 with errno. */
pid_t program_start(const char *const *words, int *out);

/* Becomes it, instead. Returns when it cannot: it complained. */
void program_become(const char *const *words);

/* Waits for it. Its exit code, or CLI_FAILURE when it was ended. */
int program_wait(pid_t child);
