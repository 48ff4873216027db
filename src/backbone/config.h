/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the flags of shadowmesh-backbone say, `-flag` and `--flag` alike. Read once; nothing here changes
 * later. */

#include "base/addr.h"
#include "base/err.h"
#include <stdbool.h>

#define BACKBONE_PORT     8080
#define BACKBONE_DATA_DIR "./backbone-data"

struct backbone_config {
    struct addr listen; /* family 0: every address, IPv6 and IPv4; port 0: the kernel chooses */
    char data_dir[3072];
    bool verbose;
    bool sandbox; /* -sandbox */
};

enum backbone_config_result { BACKBONE_CONFIG_RUN, BACKBONE_CONFIG_EXIT_OK, BACKBONE_CONFIG_EXIT_USAGE };

/* Parses argv. On EXIT_USAGE one line on stderr has said what is wrong and how to mend it; EXIT_OK after
 * --help and --version, which print on stdout. */
enum backbone_config_result backbone_config_parse(int argc, char **argv,
                                                  struct backbone_config *out) must_check;
