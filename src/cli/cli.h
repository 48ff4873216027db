/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the verbs of `shadowmesh` share: options, exit codes, complaints. One file per verb, cmd_*.c; how to
 * add one: docs/HACKING.md. */

#include <stdbool.h>

/* Scripts rely on them. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILURE = 1, /* the peer does not answer, a node refuses or cannot be asked */
    CLI_USAGE = 2,   /* unknown verb, flag or value */
    CLI_NO_NODE = 3, /* no node runs here, or none that -n names */
};

#define CLI_CHECK_MAX  32 /* words */
#define CLI_RANGES_MAX 2

#define CLI_ROLES_MAX 4

struct cli_options {
    const char *run_dir;
    bool run_given;   /* … by -run */
    const char *node; /* -n; NULL when not given */
    bool json;
    bool whole; /* -l: whole ids, every path */
    bool colour;
    unsigned width;     /* of the terminal; 0: there is none */
    unsigned count;     /* -c; 0 without end */
    double interval_s;  /* -i */
    const char **words; /* the verb's arguments */
    unsigned word_count;
    const char *const *command; /* run: what stands behind --, which ends with NULL; NULL when not given */
    const char *check[CLI_CHECK_MAX]; /* flags of shadowmesh-l2, each with its value */
    unsigned check_count;
    const char *etc_dir;                /* -etc */
    const char *name, *ip, *tap_ip;     /* NULL when not given */
    const char *ranges[CLI_RANGES_MAX]; /* -range */
    unsigned range_count;
    bool foreground, yes;
    unsigned uses;                    /* -uses, of a token */
    unsigned expires_s;               /* -expires */
    const char *roles[CLI_ROLES_MAX]; /* -role */
    unsigned role_count;
    const char *revoke; /* -revoke: a token's number; NULL when not given */
    bool approve, quiet, qr;
    const char *ca;    /* -ca: a copy of the key of a network's CA; NULL when not given */
    const char *adopt; /* -adopt: the folder of a node that flags drove; NULL when not given */
    bool plain;        /* -plain: without a passphrase */
};

/* One line on stderr, "shadowmesh: …", cleaned of what terminals obey. */
void cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
