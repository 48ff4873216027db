/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh-l2: one foreground node, driven by flags alone. */

#include "base/log.h"
#include "node/config.h"
#include "node/control.h"
#include <stdlib.h>

int main(int argc, char **argv)
{
    static struct config config;
    switch (config_parse(argc, argv, &config)) {
    case CONFIG_EXIT_OK:
        return EXIT_SUCCESS;
    case CONFIG_EXIT_USAGE:
        return 2;
    case CONFIG_RUN:
        break;
    }
    if (config.verbose)
        log_set_level(LOG_LEVEL_DEBUG);
    return control_run(&config);
}
