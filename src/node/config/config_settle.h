/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What flags mean together: some are fine alone and contradict each other, some complete others. Main thread. */

#include "node/config/config.h"

/* What is known only when all flags are read. */
struct config_parse {
    struct config *config;
    const struct flags *flags;       /* by which it is parsed */
    const struct flags_again *again; /* NULL at the start */
    bool has_bits;                   /* -tap-ip ADDR/BITS */
    const char *netmask;             /* -tap-netmask; NULL when not given */
    bool has_words;                  /* -proxy with a name, and perhaps a password */
    bool has_run;                    /* -run */
    bool relays;                     /* -relay … */
    unsigned relay_mbit;             /* … and -relay-rate; 0 when not given */
};

/* Completes what is parsed. False when it complained: what contradicts what, and which to give or to leave away. */
bool config_settle(struct config_parse *p);
