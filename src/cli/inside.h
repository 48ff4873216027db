/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The namespaces of a node that runs without root, and a process that enters them (setns(2), user_namespaces(7)). */

#include <stdbool.h>
#include <sys/types.h>

#define INSIDE_WRONG_MAX 256

struct inside {
    int holder;        /* of the process that holds them: readable once it has ended (pidfd_open(2)) */
    int user, network; /* the namespaces */
    const char *names, *folder; /* as inside_names_mount takes them; NULL: names are looked up as here */
};

/* Opens those of a process, which has to be the caller's user's, without names. False with what is wrong, as a sentence's end. */
bool inside_open(pid_t holder, struct inside *out, char wrong[INSIDE_WRONG_MAX]);
void inside_close(struct inside *in);

/* The calling process is in there from now on, as the same user, without a right, also for what it becomes. That names are
 * not found is complained about. False with errno set. For a process with one thread, which ends when that fails. */
bool inside_enter(const struct inside *in);
