/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Names of a network's members on this machine: a name server at our own addresses there, and what this machine's resolver
 * is told of it by a helper process (node/helper/resolver_helper.h), which takes it back. Control thread. */

#include "node/helper/resolver_helper.h"
#include <uv.h>

struct cert;
struct names;
struct rolls;

struct names_config {
    uv_loop_t *loop;
    const struct rolls *rolls; /* whose members have names; borrowed */
    const struct cert *ca;     /* whose subnets are the network's, and its name; borrowed */
    const char *device;        /* its name; borrowed */
    int broker;                /* of the device's namespace, its channel; -1: it is this machine's */
};

/* Takes fd, the node's end of the helper's channel, also on an error: ERR_NOMEM. -1: names are answered, and nobody is told
 * whom to ask. */
int names_new(const struct names_config *config, int fd, struct names **out) must_check;

/* Our addresses in the network, from now on; DNS_ADDRESSES_MAX at most. */
void names_serve(struct names *n, const struct addr_prefix *list, unsigned count);

/* Once a second: members come and go, and what failed is tried again. */
void names_tick(struct names *n);

/* How the resolver is told, never RESOLVER_AUTO, and what is wrong with that, as a sentence for a person, or empty. Borrowed. */
enum resolver_mode names_mode(const struct names *n);
const char *names_trouble(const struct names *n);

/* NULL is allowed. The helper takes everything back, and ends. */
void names_close(struct names *n);
