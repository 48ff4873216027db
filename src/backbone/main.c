/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh-backbone, the rendezvous server. */

#include "backbone/config.h"
#include "backbone/server.h"
#include "base/log.h"
#include "net/process.h"
#include <errno.h>
#include <signal.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct backbone_config config;
    process_fill_streams();
    process_look_up_alone();
    signal(SIGPIPE, SIG_IGN); /* readers of the log and clients hang up */
    if (process_harden())
        log_warn("this process can be looked into, and core dumps may be written: %s", strerror(errno));
    switch (backbone_config_parse(argc, argv, &config)) {
    case FLAGS_EXIT_OK:
        return 0;
    case FLAGS_EXIT_USAGE:
        return 2;
    case FLAGS_RUN:
        break;
    }
    if (config.check)
        return 0;
    log_set_level(config.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
    return server_run(&config);
}
