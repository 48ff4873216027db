/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping the process's memory to itself (prctl(2), proc(5), core(5)). The main thread, before all others. */

#include "net/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>

/* Both: a core_pattern that is a pipe asks for no limit, and a debugger that is let in makes us dumpable. */
int process_harden(void)
{
    const struct rlimit none = {0, 0};
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
        return ERR_IO;
    return 0;
}
