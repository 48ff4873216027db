/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The servers of -stun: addresses, or names, which are looked up now and then. Control thread. */

#include "node/config/config.h"

struct name_client;

#define STUN_HOSTS_FRESH_US 600000000ull /* after which a name that was found is looked up again */

struct stun_hosts {
    struct name_client *names;
    /* Server i of -stun is at these addresses, with ports. */
    void (*found)(void *context, unsigned i, const struct addr *list, unsigned count);
    void *context;
    unsigned count;
    struct stun_host {
        struct stun_hosts *hosts;
        const struct config_host *host;
        bool literal;      /* an address, not a name */
        bool busy, failed; /* a look-up runs; the last one failed, and the log has told it */
        uint64_t next_us, wait_us;
    } list[CONFIG_STUN_MAX];
};

/* Borrows config and names. What needs no look-up is told at once. */
void stun_hosts_init(struct stun_hosts *hs, const struct config *config, struct name_client *names,
                     void (*found)(void *context, unsigned i, const struct addr *list, unsigned count),
                     void *context);

/* Once a second: looks up what is due. */
void stun_hosts_tick(struct stun_hosts *hs, uint64_t now_us);

/* The network changed: names may mean other addresses. */
void stun_hosts_forget(struct stun_hosts *hs);
