/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh-l2: one foreground node, driven by flags alone. */

#include "base/log.h"
#include "net/process.h"
#include "node/config/config.h"
#include "node/control/control.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    static struct config config;
    process_fill_streams();
    process_look_up_alone();
    signal(SIGPIPE, SIG_IGN); /* readers of the log and callers hang up */
    if (process_harden())
        log_warn("this process can be looked into, and core dumps may hold its keys: %s", strerror(errno));
    process_raise_locked();
    switch (config_parse(argc, argv, &config)) {
    case FLAGS_EXIT_OK:
        return EXIT_SUCCESS;
    case FLAGS_EXIT_USAGE:
        return 2;
    case FLAGS_RUN:
        break;
    }
    if (config.check)
        return EXIT_SUCCESS;
    if (config.netcheck)
        log_set_level(LOG_LEVEL_WARN); /* its result is what is read */
    if (config.verbose)
        log_set_level(LOG_LEVEL_DEBUG);
    return control_run(&config);
}
