/* SPDX-License-Identifier: Apache-2.0 */
/* A user of TURN (RFC 8656) for bench/relays.py: what a node sends to its port it passes to a peer by a TURN server, in one channel,
 * and back. As cheap as it can be, trains at once, so that the server is what is measured.
 *
 *   turn PORT SERVER PEER     addresses as ADDR:PORT; prints "ready" */

#include "base/bytes.h"
#include "net/udp.h"
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALLOCATE       0x0003
#define PERMISSION     0x0008
#define CHANNEL_BIND   0x0009
#define CHANNEL_NUMBER 0x000c
#define XOR_PEER       0x0012
#define REQUESTED      0x0019
#define MAGIC          0x2112a442u
#define CHANNEL        0x4000
#define HEAD           4 /* of channel data: channel, length */
#define TRAIN          65000
#define ANSWER_WAIT_MS 2000
#define UDP_TRANSPORT  17u

struct turn {
    struct udp_socket near, far;
    struct udp_remote server, node;
    bool known; /* where the node is */
    struct udp_batch *batch;
    struct udp_message messages[UDP_BATCH];
    uint8_t out[TRAIN + 2048];
};

static void check(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "turn: %s\n", what);
    exit(1);
}

static struct addr address(const char *text)
{
    struct addr a = {.family = 4};
    char host[64];
    unsigned port;
    check(sscanf(text, "%63[^:]:%u", host, &port) == 2 && inet_pton(AF_INET, host, a.ip) == 1, "ADDR:PORT");
    a.port = (uint16_t)port;
    return a;
}

/* ---- the server's side ---- */

static void ask(struct turn *t, uint16_t method, const uint8_t *attributes, size_t len)
{
    uint8_t request[256];
    uint64_t overflow = 0;
    struct writer w = writer_init(request, sizeof(request));
    static const uint8_t transaction[12] = {1};
    writer_u16(&w, method);
    writer_u16(&w, (uint16_t)len);
    writer_u32(&w, MAGIC);
    writer_put(&w, transaction, sizeof(transaction));
    writer_put(&w, attributes, len);
    check(udp_send(&t->far, &t->server, request, writer_len(&w), writer_len(&w), 0) == 0, "cannot send");
    struct pollfd p = {.fd = t->far.fd, .events = POLLIN};
    check(poll(&p, 1, ANSWER_WAIT_MS) == 1, "the server does not answer");
    check(udp_receive(&t->far, t->batch, t->messages, &overflow) > 0, "no answer");
    check(t->messages[0].data[0] == 1 && t->messages[0].data[1] == method, "the server refuses");
}

static size_t put_peer(struct writer *w, const struct addr *peer)
{
    uint8_t ip[4];
    for (unsigned i = 0; i < sizeof(ip); i++)
        ip[i] = peer->ip[i] ^ (uint8_t)(MAGIC >> (24 - 8 * i));
    writer_u16(w, XOR_PEER);
    writer_u16(w, 8);
    writer_u16(w, 1);
    writer_u16(w, peer->port ^ (uint16_t)(MAGIC >> 16));
    writer_put(w, ip, sizeof(ip));
    return writer_len(w);
}

static void open_channel(struct turn *t, const struct addr *peer)
{
    uint8_t attributes[64];
    struct writer w = writer_init(attributes, sizeof(attributes));
    writer_u16(&w, REQUESTED);
    writer_u16(&w, 4);
    writer_u32(&w, UDP_TRANSPORT << 24);
    ask(t, ALLOCATE, attributes, writer_len(&w));
    w = writer_init(attributes, sizeof(attributes));
    ask(t, PERMISSION, attributes, put_peer(&w, peer));
    w = writer_init(attributes, sizeof(attributes));
    writer_u16(&w, CHANNEL_NUMBER);
    writer_u16(&w, 4);
    writer_u32(&w, (uint32_t)CHANNEL << 16);
    ask(t, CHANNEL_BIND, attributes, put_peer(&w, peer));
}

/* ---- datagrams ---- */

/* Each datagram with the head of channel data in front, as a train again. */
static void to_server(struct turn *t, const struct udp_message *m)
{
    size_t filled = 0, piece = m->segment + HEAD;
    for (size_t at = 0; at < m->len; at += m->segment) {
        size_t len = m->len - at < m->segment ? m->len - at : m->segment;
        struct writer w = writer_init(t->out + filled, HEAD);
        writer_u16(&w, CHANNEL);
        writer_u16(&w, (uint16_t)len);
        memcpy(t->out + filled + HEAD, m->data + at, len);
        filled += HEAD + len;
        if (filled + piece > TRAIN || filled / piece == UDP_SEGMENTS_MAX || at + len == m->len) {
            (void)!udp_send(&t->far, &t->server, t->out, filled, piece, m->ecn);
            filled = 0;
        }
    }
}

static void to_node(struct turn *t, const struct udp_message *m)
{
    size_t filled = 0, piece = m->segment - HEAD;
    for (size_t at = 0; m->segment > HEAD && at < m->len; at += m->segment) {
        size_t len = m->len - at < m->segment ? m->len - at : m->segment;
        if (len <= HEAD)
            break;
        memcpy(t->out + filled, m->data + at + HEAD, len - HEAD);
        filled += len - HEAD;
    }
    if (filled && t->known)
        (void)!udp_send(&t->near, &t->node, t->out, filled, piece, m->ecn);
}

static void serve(struct turn *t, struct udp_socket *from, bool from_node)
{
    uint64_t overflow = 0;
    int count = udp_receive(from, t->batch, t->messages, &overflow);
    for (int i = 0; i < count; i++) {
        const struct udp_message *m = &t->messages[i];
        if (from_node) {
            udp_remote_init(&t->near, &m->local, &m->from, &t->node);
            t->known = true;
            to_server(t, m);
        } else {
            to_node(t, m);
        }
    }
}

int main(int argc, char **argv)
{
    static struct turn t;
    check(argc == 4, "PORT SERVER PEER");
    const struct addr server = address(argv[2]), peer = address(argv[3]);
    check(udp_open((uint16_t)atoi(argv[1]), 1, &t.near) == 0 && udp_open(0, 1, &t.far) == 0 &&
              udp_batch_new(&t.batch) == 0,
          "no sockets");
    udp_remote_init(&t.far, &(struct addr){0}, &server, &t.server);
    open_channel(&t, &peer);
    puts("ready");
    fflush(stdout);
    struct pollfd fds[] = {{.fd = t.near.fd, .events = POLLIN}, {.fd = t.far.fd, .events = POLLIN}};
    while (poll(fds, 2, -1) > 0) {
        if (fds[0].revents & POLLIN)
            serve(&t, &t.near, true);
        if (fds[1].revents & POLLIN)
            serve(&t, &t.far, false);
    }
    return 1;
}
