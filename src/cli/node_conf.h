/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The configuration of a network's node as `up` and `join` write it: for people, who edit it. */

#include "base/addr.h"

#define NODE_CONF_BACKBONES_MAX 8
#define NODE_CONF_PEERS_MAX     16
#define NODE_CONF_DEVICE_MAX    16 /* with a NUL, as the kernel's */

struct node_conf {
    const char *network;
    const char *checked; /* what `shadowmesh check` takes for it */
    const char *name;    /* what the node wants to be called; NULL where its certificate says it */
    char device[NODE_CONF_DEVICE_MAX];
    uint16_t port, control_port;
    struct addr ip; /* at which others reach it; family 0: it finds out */
    const char *backbones[NODE_CONF_BACKBONES_MAX];
    unsigned backbone_count;
    const char *dials[NODE_CONF_PEERS_MAX], *admits[NODE_CONF_PEERS_MAX]; /* -connect, -allow */
    unsigned dial_count, admit_count;
};

/* Chooses the name of the device, which no interface has, and ports that nobody uses and no configuration below etc has. */
void node_conf_choose(struct node_conf *conf, const char *etc);

/* Its text, for the caller to free. */
char *node_conf_text(const struct node_conf *conf);
