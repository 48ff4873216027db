/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A command that this process runs, with all that the command starts, which ends with it. */

#include <stdbool.h>
#include <sys/types.h>

struct inside;

/* Runs words in there, on the terminal as it is. -1 with errno set. One in a process. */
pid_t brood_start(const char *const *words, const struct inside *in);

/* Waits until the command ends, and returns its exit code, 128 and the number of the signal that ended it, 126 or 127
 * where it cannot be run, which was complained about. Or until fd is readable, then gone is set. Signals that ask this
 * process to end are the command's. */
int brood_wait(pid_t command, int fd, bool *gone);

/* Ends whatever is left, all of it: asks first, and waits for a second. */
void brood_end(void);
