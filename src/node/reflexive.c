/* SPDX-License-Identifier: Apache-2.0 */
/* How the world sees our data port: STUN Binding requests (RFC 8489) to the backbone from the very socket
 * that carries data. docs/PROTOCOL.md §10. Control thread. */

#include "base/clock.h"
#include "crypto/secret.h"
#include "node/node.h"
#include <string.h>

#define ASK_EVERY_US 20000000ull /* also keeps the mapping alive */
#define RETRY_US     1000000ull

void reflexive_tick(struct node *n, uint64_t now_us)
{
    if (!n->reflexive.server.family || now_us < n->reflexive.next_us)
        return;
    uint8_t request[STUN_MESSAGE_MAX];
    struct udp_remote to;
    secret_random(n->reflexive.transaction, sizeof n->reflexive.transaction);
    size_t len = stun_request_encode(n->reflexive.transaction, request);
    udp_remote_init(&n->sockets[0], &n->reflexive.server, &to);
    /* A lost request is asked again. */
    (void)!udp_send(&n->sockets[0], &to, request, len, len, 0);
    n->reflexive.next_us = now_us + RETRY_US;
}

void reflexive_on_datagram(struct node *n, const uint8_t *data, size_t len)
{
    struct addr mapped;
    if (stun_response_decode(data, len, n->reflexive.transaction, &mapped)) {
        n->drops[DROP_TYPE]++;
        return;
    }
    n->reflexive.next_us = clock_monotonic_us() + ASK_EVERY_US;
    if (addr_equal(&mapped, &n->reflexive.mapped))
        return;
    n->reflexive.mapped = mapped;
    char text[ADDR_TEXT_MAX];
    log_debug("the backbone sees us at %s", addr_format(&mapped, text));
    addresses_announce(n);
}
