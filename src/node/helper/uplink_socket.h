/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One WebSocket to a backbone (RFC 6455; docs/PROTOCOL.md §15), from its first packet to its last: the tunnel, the
 * request, messages both ways, pings. Nothing in here waits. One thread. */

#include "node/helper/tunnel.h"
#include "proto/uplink/batch_queue.h"

#define UPLINK_CONTROL_WAITING 262144 /* bytes of other messages than DATAGRAMS that may wait */
#define UPLINK_PING_US         (20 * USEC_PER_SEC)
#define UPLINK_PONG_US         (10 * USEC_PER_SEC)
#define UPLINK_CHECK_US        USEC_PER_SEC /* likewise, when something is known to have changed */

struct uplink_socket;

struct uplink_socket_config {
    const struct curl_library *curl;
    const struct proxy *proxy; /* of http_handle.h */
    const char *url;           /* the backbone's, without trailing slash */
    uint32_t interface;        /* by which it leaves; 0: as the kernel chooses */
    bool visits;               /* as uplink_upgrade_request's */
    const struct addr *addresses;
    unsigned address_count;
    /* From within uplink_socket_turn: it is open; after that, a message came, which is borrowed. */
    void (*opened)(void *context);
    void (*message)(void *context, const uint8_t *bytes, size_t len);
    void *context;
};

/* Begins. Borrows config's curl, proxy, url and context until it is closed. ERR_NOMEM, ERR_CRYPTO. */
int uplink_socket_open(const struct uplink_socket_config *config, uint64_t now_us,
                       struct uplink_socket **out) must_check;

/* What to wait for, TUNNEL_FDS_MAX at most, and how long. Returns how many. */
unsigned uplink_socket_wants(struct uplink_socket *s, struct curl_waitfd *fds, uint64_t now_us,
                             int *timeout_ms);

/* After a wait: does what can be done now. ERR_CLOSED: it is over, and uplink_socket_end tells why. */
int uplink_socket_turn(struct uplink_socket *s, uint64_t now_us) must_check;

/* Of one that is over: a phrase, not to be trusted, and the code with which the backbone closed, or one of enum
 * helper_end. */
const char *uplink_socket_end(const struct uplink_socket *s, unsigned *code);

/* Of one that is open. Takes b. DATAGRAMS go behind all others, and are lost before they wait for long. */
void uplink_socket_put(struct uplink_socket *s, struct batch *b, bool datagrams, uint64_t now_us);

/* Whether fewer than UPLINK_CONTROL_WAITING bytes of control messages wait. */
bool uplink_socket_has_room(const struct uplink_socket *s);

/* The network has changed: the backbone has UPLINK_CHECK_US to show that it is still reached. */
void uplink_socket_check(struct uplink_socket *s, uint64_t now_us);

/* Of one that will be closed next: sends what waits, but for datagrams, and that it ends with this code, as far as the
 * connection takes it at once. */
void uplink_socket_say_end(struct uplink_socket *s, uint16_t code, uint64_t now_us);

/* Messages with datagrams that were lost for age or room. */
uint64_t uplink_socket_dropped(const struct uplink_socket *s);

/* NULL is allowed. */
void uplink_socket_close(struct uplink_socket *s);
