/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a network check consists of. For netcheck*.c. */

#include "node/helper/helper_message.h"
#include "node/helper/http_url.h"
#include "node/netcheck/netcheck.h"
#include "node/netcheck/netcheck_udp.h"

/* A host that is asked: a backbone, or a server of -stun. */
struct netcheck_host {
    struct netcheck *owner;
    const char *url;      /* of a backbone; NULL: it is a STUN server */
    unsigned number;      /* the backbone's */
    struct http_url http; /* what HTTP connects to: the backbone, or the proxy */
    bool busy;            /* an answer is missing */
    bool by_proxy;        /* it is the proxy, whose name is looked up */
    char error[HELPER_TEXT_MAX];
    unsigned count;
    struct addr stun[HELPER_ADDRESSES_MAX]; /* where STUN is served, as far as is known */
    uint64_t asked_us, rtt_us;              /* of HTTP; 0: no answer */
};

#define NETCHECK_HOSTS_MAX (UPLINKS_MAX + CONFIG_STUN_MAX)

struct netcheck {
    struct netcheck_config config;
    void (*done)(void *context, json_t *result);
    void *context;
    uint64_t begun_us;
    uv_timer_t deadline;
    struct netcheck_udp udp;
    unsigned handles;
    bool ended;
    unsigned host_count;
    struct netcheck_host hosts[NETCHECK_HOSTS_MAX];
};

/* The answer, for the caller to decref. */
json_t *netcheck_json(const struct netcheck *n, uint64_t now_us);
