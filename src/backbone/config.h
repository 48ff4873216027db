/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the flags of shadowmesh-backbone say, `-flag` and `--flag` alike. While it runs reload.h alone changes it. */

#include "backbone/forwarded.h"
#include "backbone/redis_target.h"
#include "backbone/store.h"
#include "backbone/uplinks.h"
#include "base/addr.h"
#include "base/err.h"
#include "base/flags_again.h"
#include <stdbool.h>

#define BACKBONE_PORT     8080
#define BACKBONE_DATA_DIR "./backbone-data"

struct backbone_config {
    struct flags_source source;      /* where it came from, to be read again */
    const struct flags_again *again; /* while it is */
    struct addr listen;              /* family 0: every address, IPv6 and IPv4; port 0: the kernel chooses */
    char data_dir[3072];
    bool verbose;
    bool check;                       /* only read the flags, exit */
    bool sandbox;                     /* -sandbox */
    struct uplinks_config uplinks;    /* -url, -relay-rate, -source-rate */
    uint16_t relay_port;              /* 0: that of reflection */
    struct forwarded_proxies proxies; /* -trusted-proxy */
    char password_file[1024];         /* -store-password-file */
    struct redis_target store;        /* -store, and its password; not given: SQLite in data_dir */
    char advertise[STORE_URL_MAX];    /* -advertise; empty where the store is not shared */
};

/* Parses argv, as flags_parse does, and takes the store's password out of the environment. */
enum flags_result backbone_config_parse(int argc, char **argv, struct backbone_config *out) must_check;

/* The same flags again, without the store's password. */
enum flags_result backbone_config_parse_again(const struct flags_again *again,
                                              struct backbone_config *out) must_check;

/* The table: which flag a running server takes anew, and where it lies in struct backbone_config. */
const struct flags *backbone_config_flags(void);
