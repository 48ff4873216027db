/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One router of one family: sockets that only it reaches, what it is asked, and what is held of it. By PCP and NAT-PMP
 * (proto/portmap/mapper.h), then, with IPv4, by UPnP. In the helper for port mappings. */

#include "node/helper/upnp_gateway.h"
#include "node/helper/upnp_job.h"
#include "proto/portmap/mapper.h"

#include <poll.h>

#define PORTMAP_SIDE_FDS 3

struct portmap_side {
    struct mapper_config config; /* client without family: there is no router to ask */
    struct addr gateway;
    int fd, heard_fd; /* to the router's port, and for what it says to everybody; -1: none */
    struct mapper mapper;
    unsigned failures; /* of it, which UPnP has been asked after */
    bool releasing;
    struct {
        struct upnp_job job;
        bool held; /* external */
        struct addr external[MAPPER_PORTS];
        uint64_t asked_us, again_us; /* 0: it may be asked at once */
        char where[UPNP_WHERE_MAX];  /* empty: not found yet */
    } upnp;
    char why[HELPER_TEXT_MAX]; /* nothing is held, as the end of "the router …" */
};

/* Asks nobody. ports and nonce count. */
void portmap_side_init(struct portmap_side *s, const struct mapper_config *config);

/* From here on this router is asked, from our address client; family 0: none. The same ones again: the network has changed, what
 * is held is asked for again. Of another router's nothing is held any more. */
void portmap_side_ask(struct portmap_side *s, const struct addr *client, const struct addr *gateway,
                      uint64_t now_us);

/* What is held ends; portmap_side_released tells when. */
void portmap_side_release(struct portmap_side *s, uint64_t now_us);
bool portmap_side_released(const struct portmap_side *s);

/* Descriptors to be read, -1 where there is none, and when there is something to do though none can be. */
void portmap_side_wants(const struct portmap_side *s, struct pollfd fds[PORTMAP_SIDE_FDS]);
uint64_t portmap_side_next_us(const struct portmap_side *s);

/* Reads what came, and does what is due. */
void portmap_side_turn(struct portmap_side *s, const struct pollfd fds[PORTMAP_SIDE_FDS], uint64_t now_us);

/* What the node is to know. False in the middle of a round: what is held then is what was. */
bool portmap_side_describe(const struct portmap_side *s, struct helper_message *out);
