/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints, carried. Any thread. */

#include "node/carrier/carrier.h"

#include "base/bytes.h"
#include "node/carrier/trunk_socket.h"
#include "node/helper/uplink_channel.h"
#include <string.h>

static void init_udp(const struct udp_socket *s, const struct endpoint *e, struct udp_remote *out)
{
    udp_remote_init(s, &e->local, &e->remote, out);
    if (e->interface)
        udp_remote_leave_by(s, e->interface, out);
}

int carrier_remote_init(const struct udp_socket *s, const struct endpoint *e, struct carrier_remote *out)
{
    out->carrier = e->carrier;
    out->envelope = out->side = 0;
    switch (e->carrier) {
    case CARRIER_NONE:
        return ERR_UNSUPPORTED;
    case CARRIER_UDP:
        init_udp(s, e, &out->udp);
        out->side = e->side;
        return 0;
    case CARRIER_TCP:
        out->channel = CARRIER_TRUNKS;
        out->batch[0] = UPLINK_DATAGRAMS;
        trunk_name(e->conn, out->batch + UPLINK_BATCH_ID_AT);
        return 0;
    case CARRIER_RELAY:
        init_udp(s, e, &out->udp);
        out->envelope = ENVELOPE_LEN;
        envelope_encode(&(struct envelope){ENVELOPE_DATAGRAM, e->channel}, out->head);
        return 0;
    case CARRIER_UPLINK:
        out->channel = e->backbone;
        out->batch[0] = UPLINK_DATAGRAMS;
        memcpy(out->batch + 1, e->peer.bytes, ID_LEN);
        return 0;
    }
    return ERR_UNSUPPORTED;
}

static int send_by_channel(int channel, const struct carrier_remote *to, uint8_t *first, size_t len,
                           size_t segment, uint8_t ecn)
{
    uint8_t head[UPLINK_BATCH_HEAD_LEN];
    const struct iovec pieces[] = {{head, sizeof(head)}, {first, len}};
    struct writer w = writer_init(head, sizeof(head));
    if (channel < 0)
        return ERR_UNSUPPORTED;
    writer_put(&w, to->batch, 1 + ID_LEN);
    writer_u8(&w, ecn);
    writer_u16(&w, (uint16_t)(segment < len ? segment : len));
    return uplink_channel_send(channel, pieces, 2);
}

static void write_envelopes(const struct carrier_remote *to, uint8_t *first, size_t len, size_t segment)
{
    for (size_t at = 0; at < len; at += segment)
        memcpy(first + at, to->head, sizeof(to->head));
}

int carrier_send(const struct carrier_ports *ports, const struct carrier_remote *to, uint8_t *first,
                 size_t len, size_t segment, uint8_t ecn)
{
    first -= to->envelope;
    if (carrier_is_stream(to->carrier))
        return send_by_channel(ports->channels[to->channel], to, first, len, segment, ecn);
    if (to->carrier == CARRIER_RELAY)
        write_envelopes(to, first, len, segment);
    struct udp_socket *s = carrier_socket(ports, to);
    return s ? udp_send(s, &to->udp, first, len, segment, ecn) : ERR_CLOSED;
}

int carrier_send_one(const struct carrier_ports *ports, const struct endpoint *to, uint8_t *datagram,
                     size_t len)
{
    struct carrier_remote remote;
    int err = carrier_remote_init(ports->udp, to, &remote);
    if (err)
        return err;
    len += remote.envelope;
    return carrier_send(ports, &remote, datagram, len, len, 0);
}

struct carrier_ports carrier_ports_of(struct udp_socket *udp)
{
    struct carrier_ports ports = {.udp = udp};
    for (unsigned i = 0; i < CARRIER_CHANNELS; i++)
        ports.channels[i] = -1;
    return ports;
}

int carrier_send_near(const struct carrier_ports *ports, const struct endpoint *to, const uint8_t *datagram,
                      size_t len, uint8_t hops)
{
    struct carrier_remote remote;
    if (to->carrier != CARRIER_UDP)
        return ERR_UNSUPPORTED;
    int err = carrier_remote_init(ports->udp, to, &remote);
    struct udp_socket *s = err ? NULL : carrier_socket(ports, &remote);
    if (!err && !s)
        err = ERR_CLOSED;
    return err ? err : udp_send_near(s, &remote.udp, datagram, len, hops);
}

struct endpoint carrier_source(const struct udp_message *m, uint8_t side, uint32_t channel)
{
    return (struct endpoint){.carrier = channel ? CARRIER_RELAY : CARRIER_UDP,
                             .local = m->local,
                             .remote = m->from,
                             .side = side,
                             .channel = channel};
}

int carrier_receive(const struct carrier_ports *ports, unsigned channel, uint8_t room[UPLINK_MESSAGE_MAX],
                    struct udp_message *out, struct endpoint *from)
{
    struct uplink_message m;
    ssize_t len = uplink_channel_receive(ports->channels[channel], room);
    if (len < 0)
        return (int)len;
    if (uplink_message_decode(room, (size_t)len, UPLINK_BACKBONE, &m) || m.kind != UPLINK_DATAGRAMS)
        return ERR_FORMAT;
    *from = channel == CARRIER_TRUNKS ? endpoint_tcp(trunk_named(m.id.bytes), &(struct addr){0})
                                      : endpoint_uplink(channel, &m.id);
    *out = (struct udp_message){
        .data = room + (m.data.data - room), .len = m.data.len, .segment = m.segment, .ecn = m.ecn};
    return 0;
}
