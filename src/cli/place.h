/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where the files of a network are on this machine. */

#include "crypto/cert.h"
#include <limits.h>
#include <stdbool.h>

#define PLACE_ETC     "/etc/shadowmesh"
#define PLACE_RUN     "/run/shadowmesh"
#define PLACE_CONF    "node.conf"
#define PLACE_TOKEN   "join.token"
#define PLACE_LOG_END ".log"

/* Of KEYDIR, but for certfile.h's and keyfile.h's. */
#define PLACE_LEDGER      "ledger"
#define PLACE_LAST_ISSUER "last-issuer.pem"
#define PLACE_RESTORED    "restored" /* the ledger is a copy of an earlier one */
#define PLACE_LISTS       "lists"

struct cli_options;

/* The folder of the API sockets, unless -run says otherwise: an ordinary user's own, where a node without root has made
 * it, else PLACE_RUN. */
const char *place_run_dir(char out[PATH_MAX]);

struct place {
    char network[CERT_LABEL_MAX];
    bool standard;       /* where shadowmesh@.service looks for them */
    const char *run_dir; /* of the API sockets; borrowed */
    char etc[PATH_MAX];  /* the folder of all networks */
    char dir[PATH_MAX];  /* the network's in it: what people edit, and the CA's key */
    char conf[PATH_MAX]; /* its node.conf */
    char keydir_parent[PATH_MAX];
    char keydir[PATH_MAX]; /* what the node itself reads and writes; inside of dir unless standard */
    char log[PATH_MAX];    /* of a node that no service manager has */
};

/* By -etc and -run. NULL, or what is wrong with them or with the name, as the end of a sentence. */
const char *place_init(const struct cli_options *options, const char *network, struct place *out);

/* What `shadowmesh check` takes for its configuration. Borrowed. */
const char *place_checked(const struct place *p);

/* True when the network has a configuration. */
bool place_exists(const struct place *p);

/* True when the node has joined: it has a certificate. */
bool place_is_member(const struct place *p);
