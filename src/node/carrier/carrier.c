/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints, carried. Any thread. */

#include "node/carrier/carrier.h"

int carrier_remote_init(const struct udp_socket *s, const struct endpoint *e, struct carrier_remote *out)
{
    switch (e->carrier) {
    case CARRIER_NONE:
    case CARRIER_UPLINK:
        return ERR_UNSUPPORTED;
    case CARRIER_UDP:
        udp_remote_init(s, &e->local, &e->remote, &out->udp);
        out->envelope = 0;
        return 0;
    }
    return ERR_UNSUPPORTED;
}

int carrier_send(struct udp_socket *s, const struct carrier_remote *to, uint8_t *first, size_t len,
                 size_t segment, uint8_t ecn)
{
    return udp_send(s, &to->udp, first - to->envelope, len, segment, ecn);
}

int carrier_send_one(struct udp_socket *s, const struct endpoint *to, uint8_t *datagram, size_t len)
{
    struct carrier_remote remote;
    int err = carrier_remote_init(s, to, &remote);
    if (err)
        return err;
    len += remote.envelope;
    return carrier_send(s, &remote, datagram, len, len, 0);
}

struct endpoint carrier_source(const struct udp_message *m)
{
    return (struct endpoint){.carrier = CARRIER_UDP, .local = m->local, .remote = m->from};
}
