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
struct proxy;

/* All borrowed. */
struct netcheck_config {
    uv_loop_t *loop;
    const struct config *config;
    const struct proxy *proxies; /* by which each backbone is reached, by its number */
    struct name_client *names;
    struct helper_client *backbones; /* that speaks with them; NULL without -backbone */
};

/* Answers later, once, with the result, which done takes. */
int netcheck_start(const struct netcheck_config *config, void (*done)(void *context, json_t *result),
                   void *context, struct netcheck **out) must_check;

/* It is not to answer any more. */
void netcheck_cancel(struct netcheck *n);
