/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the process asks of the kernel for itself, and gives back to it. */

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

/* Puts /dev/null in the place of each of the three standard streams that is closed: else what is opened next takes its
 * number, and what is said goes there. First of all. */
void process_fill_streams(void);

/* In a program without shared libraries: getaddrinfo reads /etc/hosts and asks by DNS, whatever nsswitch.conf(5) names, since what
 * that names it would have to load, from another glibc. Before the first look-up. */
void process_look_up_alone(void);

/* What a program allocates for good at its start is there only as far as it is used: large pieces have pages of their own, and
 * threads share one heap. Before there are any; and its end, from which on what comes and goes is from the heap. */
void process_begin_small(void);
void process_end_small(void);

/* From here on memory, descriptors and registers of this process are root's alone to see, also for other
 * processes of the same user, and no core dump holds its keys. Before any key is read.
 * ERR_IO with errno set. */
int process_harden(void) must_check;

/* Lets the process lock as much memory as the system allows it to: all, where CAP_SYS_RESOURCE holds. Before rights
 * are given up. */
void process_raise_locked(void);

/* Whether the process may map so many bytes more (`ulimit -v`), and what a thread takes of them. Threads that
 * libraries make abort the process where they find no room. */
bool process_has_room(size_t bytes);
size_t process_thread_bytes(void);

/* Whether so many threads more can run at once, 8 at most (`ulimit -u`, a control group's limit): starts them, and waits for their
 * end. */
bool process_may_start_threads(unsigned count);

/* Raises the soft limit on open files to wanted, or to the hard limit if that is less; never lowers it. Returns
 * what it is now. */
unsigned process_raise_files(unsigned wanted);

/* Gives up root: the process is nobody's from here on, and as well hardened. Does nothing for another user, and where
 * the system does not let it be given up. */
void process_become_nobody(void);

/* What ps(1) shows of the process instead of its arguments, whose memory it takes and whose length it may have; and
 * of the calling thread, 15 characters. */
void process_title(const char *title, const char *name);

/* Unmaps code and constants that were needed before, of the program and its libraries, and frees what the
 * allocators hold unused: what is needed again is mapped again at its first use, from the page cache. Any
 * thread; the others go on. */
void process_trim(void);

/* The latter alone. Some milliseconds, where much lies about in pieces. */
void process_give_back(void);
