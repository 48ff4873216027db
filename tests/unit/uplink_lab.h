/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Uplinks over socket pairs, on a clock that the test moves, and the nodes at their other ends. For one test program. */

#include "backbone/uplink.h"
#include "backbone/uplink_hub.h"
#include "crypto/identity.h"
#include "crypto/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LAB_T0     (1000 * USEC_PER_SEC)
#define LAB_NODES  80
#define LAB_IN_MAX (4 << 20)
#define LAB_HOST   "backbone.example"
#define FRAME_HEAD 14

static struct uplink_hub hub;
static struct uplinks_config config;
static struct uplink_metrics metrics;

/* A node: its end of an uplink. */
struct node {
    struct uplink *uplink;
    int fd;
    struct identity *me;
    struct node_id id;
    uint8_t challenge[UPLINK_CHALLENGE_LEN];
    size_t in_len;
    uint8_t *in;    /* LAB_IN_MAX bytes */
    unsigned ended; /* the code of the close frame, once it came */
};

static struct node nodes[LAB_NODES];
static unsigned node_count;

/* What the thread does in each turn, but for reading. */
static void lab_settle(void)
{
    struct uplink *u;
    while (uplink_hub_verify(&hub))
        ;
    uplink_hub_fire(&hub);
    while ((u = uplink_hub_take_unsent(&hub)))
        uplink_flush(u);
    for (unsigned i = 0; i < node_count; i++)
        if (nodes[i].uplink && nodes[i].uplink->state == UPLINK_GONE)
            nodes[i].uplink = NULL;
    uplink_hub_bury(&hub);
}

static __attribute__((unused)) void lab_pass(uint64_t us)
{
    hub.now_us += us;
    lab_settle();
}

static int lab_open(void **state)
{
    (void)state;
    hub = (struct uplink_hub){.now_us = LAB_T0};
    config = (struct uplinks_config){.relay_mbit = 1000, .source_mbit = 200, .max = UPLINK_MAX};
    memset(&metrics, 0, sizeof(metrics));
    assert_int_equal(uplink_hub_open(&hub, &config, &metrics), 0);
    return 0;
}

static int lab_close(void **state)
{
    (void)state;
    uplink_hub_close(&hub);
    assert_int_equal(hub.waiting, 0);
    assert_int_equal(hub.leg_count, 0);
    assert_int_equal(hub.pair_count, 0);
    assert_int_equal(metrics.proven + metrics.streams + metrics.pairs, 0);
    for (unsigned i = 0; i < node_count; i++) {
        close(nodes[i].fd);
        identity_free(nodes[i].me);
        free(nodes[i].in);
    }
    node_count = 0;
    return 0;
}

/* A frame as clients send it, under the mask of zeros. */
static size_t lab_frame(uint8_t head, const uint8_t *payload, size_t len, uint8_t *out)
{
    struct writer w = writer_init(out, len + FRAME_HEAD);
    writer_u8(&w, head);
    writer_u8(&w, (uint8_t)(0x80 | (len < 126 ? len : len < 65536 ? 126 : 127)));
    if (len >= 65536)
        writer_u64(&w, len);
    else if (len >= 126)
        writer_u16(&w, (uint16_t)len);
    writer_u32(&w, 0);
    writer_put(&w, payload, len);
    return writer_len(&w);
}

static void say_bytes(struct node *n, const uint8_t *bytes, size_t len)
{
    uint8_t *framed = malloc(len + FRAME_HEAD);
    size_t framed_len = lab_frame(0x82, bytes, len, framed);
    assert_non_null(n->uplink);
    for (size_t at = 0; at < framed_len; at += 60000) /* as large a piece as the thread reads */
        uplink_read(n->uplink, framed + at, framed_len - at < 60000 ? framed_len - at : 60000);
    free(framed);
    lab_settle();
}

static void say(struct node *n, const struct uplink_message *m)
{
    static uint8_t bytes[UPLINK_MESSAGE_MAX];
    size_t len;
    assert_int_equal(uplink_message_encode(m, bytes, sizeof(bytes), &len), 0);
    say_bytes(n, bytes, len);
}

static void fill(struct node *n)
{
    ssize_t got;
    lab_settle();
    while ((got = recv(n->fd, n->in + n->in_len, LAB_IN_MAX - n->in_len, MSG_DONTWAIT)) > 0) {
        n->in_len += (size_t)got;
        if (n->uplink && n->uplink->out.blocked) {
            uplink_hub_list(n->uplink);
            lab_settle();
        }
    }
}

/* The next message that came, or false; a close frame sets n->ended. Slices live until the next call. */
static bool hear(struct node *n, struct uplink_message *out)
{
    static uint8_t bytes[UPLINK_MESSAGE_MAX];
    fill(n);
    struct reader r = reader_init(n->in, n->in_len);
    uint8_t head = reader_u8(&r);
    uint64_t len = reader_u8(&r);
    len = len == 126 ? reader_u16(&r) : len == 127 ? reader_u64(&r) : len;
    const uint8_t *payload = reader_take(&r, len);
    if (!payload || len > sizeof(bytes))
        return false;
    memcpy(bytes, payload, len);
    n->in_len = reader_left(&r);
    memmove(n->in, r.at, n->in_len);
    if (head == 0x88) {
        n->ended = (unsigned)(bytes[0] << 8 | bytes[1]);
        return false;
    }
    assert_int_equal(head, 0x82);
    assert_int_equal(uplink_message_decode(bytes, len, UPLINK_BACKBONE, out), 0);
    return true;
}

/* The next message is of that kind. */
static struct uplink_message hears(struct node *n, enum uplink_kind kind)
{
    struct uplink_message m;
    assert_true(hear(n, &m));
    assert_int_equal(m.kind, kind);
    return m;
}

static __attribute__((unused)) void hears_nothing(struct node *n)
{
    struct uplink_message m;
    assert_false(hear(n, &m));
    assert_int_equal(n->ended, 0);
}

static __attribute__((unused)) void hears_end(struct node *n, unsigned code)
{
    struct uplink_message m;
    while (hear(n, &m))
        ;
    assert_int_equal(n->ended, code);
}

/* One that has connected from an address and has its challenge. */
static struct node *lab_connect_as(const char *from, bool visits)
{
    int ends[2];
    struct node *n = &nodes[node_count++];
    struct addr source;
    assert_true(node_count <= LAB_NODES);
    assert_int_equal(addr_parse(from, 0, &source), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    *n = (struct node){.fd = ends[1], .in = malloc(LAB_IN_MAX)};
    assert_int_equal(uplink_new(&hub, ends[0], &source, visits, &n->uplink), 0);
    memcpy(n->challenge, hears(n, UPLINK_CHALLENGE).challenge.data, sizeof(n->challenge));
    return n;
}

static struct node *lab_connect(const char *from)
{
    return lab_connect_as(from, false);
}

static void prove_with(struct node *n, struct identity *me, const char *host)
{
    uint8_t proof[UPLINK_PROOF_MAX], signature[IDENTITY_SIGNATURE_LEN];
    const struct slice name = {(const uint8_t *)host, strlen(host)};
    size_t len = uplink_proof(n->challenge, name, proof);
    assert_int_equal(identity_sign(me, UPLINK_PROOF_CONTEXT, proof, len, signature), 0);
    const struct uplink_message m = {.kind = UPLINK_PROVE,
                                     .host = name,
                                     .spki = {identity_spki(me), IDENTITY_SPKI_LEN},
                                     .signature = {signature, sizeof(signature)}};
    n->id = *identity_id(me);
    say(n, &m);
}

/* One that is up. */
static __attribute__((unused)) struct node *lab_join(const char *from)
{
    struct node *n = lab_connect(from);
    assert_int_equal(identity_generate(&n->me), 0);
    prove_with(n, n->me, LAB_HOST);
    hears(n, UPLINK_WELCOME);
    return n;
}

static __attribute__((unused)) void lab_pair(struct node *a, struct node *b)
{
    const struct uplink_message to_b = {.kind = UPLINK_PAIR, .id = b->id, .on = true},
                                to_a = {.kind = UPLINK_PAIR, .id = a->id, .on = true};
    say(a, &to_b);
    say(b, &to_a);
    assert_true(hears(a, UPLINK_PAIRED).on);
    assert_true(hears(b, UPLINK_PAIRED).on);
}

#define with_lab(name) cmocka_unit_test_setup_teardown(name, lab_open, lab_close)
