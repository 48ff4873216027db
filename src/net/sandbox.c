/* SPDX-License-Identifier: Apache-2.0 */
/* The order: capabilities first, since dropping them from the bounding set takes one; no_new_privs, which the
 * others need; Landlock, whose calls the filter does not allow; the filter. */

#include "net/sandbox.h"

#include "net/landlock.h"
#include "net/process.h"
#include "net/syscall_filter.h"
#include <assert.h>
#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>

/* A folder's links are itself, its name and its folders: one for each thread. */
static bool is_single_threaded(void)
{
    struct stat st;
    return stat("/proc/self/task", &st) != 0 || st.st_nlink == 3;
}

/* Nothing is ever executed again, so the bounding set is emptied, too. Without CAP_SETPCAP it stays as it is and gives
 * nothing: no_new_privs and the filter stand before it. */
static int drop_capabilities(uint64_t keep, bool nobody, uint64_t *left)
{
    *left = 0;
    if (capng_get_caps_process() != 0)
        return ERR_IO;
    bool bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++)
        if (keep >> i & 1 && capng_have_capability(CAPNG_PERMITTED, i))
            *left |= 1ull << i;
    capng_clear(CAPNG_SELECT_ALL);
    if (bounds && capng_apply(CAPNG_SELECT_BOUNDS) != 0)
        return ERR_IO;
    if (nobody)
        process_become_nobody(); /* by CAP_SETUID and CAP_SETGID, which it takes with it */
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++)
        if (*left >> i & 1 && capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, i) != 0)
            return ERR_IO;
    return capng_apply(CAPNG_SELECT_CAPS) == 0 && capng_apply(CAPNG_SELECT_AMBIENT) == 0 ? 0 : ERR_IO;
}

int sandbox_enter(const struct sandbox_config *config, struct sandbox *out, const char **failed)
{
    *out = (struct sandbox){.entered = false};
    assert(is_single_threaded());
    *failed = "dropping capabilities";
    int err = drop_capabilities(config->keep, config->nobody, &out->capabilities);
    if (err)
        return err;
    *failed = "giving up new privileges";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return ERR_IO;
    *failed = "Landlock";
    err = landlock_restrict(config->paths, &out->landlock);
    if (err)
        return err;
    *failed = "the filter of system calls";
    err = syscall_filter_load(config->calls);
    out->entered = !err;
    return err;
}

const char *sandbox_capability_name(unsigned capability)
{
    return capng_capability_to_name(capability);
}
