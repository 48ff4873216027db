/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A network check: what this machine's way to the internet does, in a few seconds, for people and scripts. Asks the backbones over HTTP and
 * UDP, and the STUN servers of -stun. It needs no running node, and disturbs none: its sockets are its own.
 * docs/PROTOCOL.md §10 and §11. Control thread. */

#include "base/err.h"
#include "node/config/config.h"
#include <jansson.h>
#include <uv.h>

#define NETCHECK_US 4000000ull /* then what is not known by now is not known */

struct helper_client;
struct name_client;
struct netcheck;

/* All borrowed. */
struct netcheck_config {
    uv_loop_t *loop;
    const struct config *config;
    const char *proxy;       /* the URL of the one by which backbones are reached; empty: none */
    const char *proxy_shown; /* for people */
    struct name_client *names;
    struct helper_client *backbone; /* that speaks with the backbone; NULL without -backbone */
};

/* Answers later, once, with the result, which done takes. */
int netcheck_start(const struct netcheck_config *config, void (*done)(void *context, json_t *result),
                   void *context, struct netcheck **out) must_check;

/* It is not to answer any more. */
void netcheck_cancel(struct netcheck *n);
