/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The cage that a program of ours puts itself in once everything is open: capabilities, system calls, files. What
 * each program keeps, it says in a table of its own (node/cage.c, backbone/cage.c). */

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct landlock_path;
struct syscall_rule;

/* A sanitizer's own calls are many and change: its builds run uncaged unless told otherwise. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_DEFAULT false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANDBOX_DEFAULT false
#endif
#endif
#ifndef SANDBOX_DEFAULT
#define SANDBOX_DEFAULT true
#endif

#define SANDBOX_TABLES_MAX 5

struct sandbox_config {
    uint64_t keep;                     /* bits 1 << CAP_…, which stay where the process holds them */
    bool nobody;                       /* what root started becomes the user nobody's; keep is empty */
    const struct landlock_path *paths; /* what may be opened; ends with NULL */
    const struct syscall_rule *calls[SANDBOX_TABLES_MAX + 1]; /* as for syscall_filter_load */
};

/* What holds. All zero: nothing was restricted. */
struct sandbox {
    bool entered;          /* the capabilities are gone, no_new_privs and the filter are set */
    uint64_t capabilities; /* that are left, bits 1 << CAP_… */
    int landlock;          /* the version that holds; 0: this kernel has none */
};

/* Enters it, for ever. Before the process makes its first thread, as all of it is per thread (asserted). ERR_IO with
 * errno set; failed returns what the kernel refused, as words for a person. What was entered by then holds, so
 * the process should end. */
int sandbox_enter(const struct sandbox_config *config, struct sandbox *out, const char **failed) must_check;

/* "net_admin" of CAP_NET_ADMIN. */
const char *sandbox_capability_name(unsigned capability);
