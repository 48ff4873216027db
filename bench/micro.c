/* SPDX-License-Identifier: Apache-2.0 */
/* Each step that a datagram takes through user space, alone and in memory: what `make bench-micro` times, and
 * what micro_check.py has valgrind count instructions of. Everything around a step is made outside of its
 * measure_ function.
 *
 *   micro                     every step: name, nanoseconds per datagram, those of the fastest batch, BATCH
 *   micro NAME REPEATS        one step, or all; a repeat is BATCH datagrams
 *
 * Its first line says what it was built by. Nothing in it is random: two runs execute the same instructions of ours. */

#include "crypto/aead_backend.h"
#include "base/uninitialized.h"
#include "frame/offload.h"
#include "node/data/fwd.h"
#include "proto/session/replay.h"
#include "proto/session/session.h"
#include "proto/switch/switch.h"
#include "proto/wire/wire.h"
#include "timing.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH     44   /* about what a super-frame is cut to */
#define FULL      1362 /* of TCP in a datagram of 1472, which fills 1500 of IPv4 */
#define MSS       1448 /* what TCP meant */
#define TCP_HEAD  (14 + 20 + 32)
#define FRAME_LEN (TCP_HEAD + FULL)
#define SMALL_LEN 106 /* 64 bytes of UDP */
#define PEERS     64
#define MACS      16    /* behind each peer */
#define ENTRIES   65536 /* as a node's */
#define NOINLINE  __attribute__((noinline, noclone))

struct micro {
    struct aead *aead;
    struct session *near, *far; /* what near seals, far opens */
    struct replay replay;
    uint64_t counter, now_us;
    uint8_t super[TCP_HEAD + BATCH * FULL];
    uint8_t out[BATCH][WIRE_OVERHEAD + FRAME_LEN];
    uint8_t frames[BATCH][FRAME_LEN]; /* segments of the train, pristine */
    uint8_t work[BATCH][FRAME_LEN];   /* … and as merged */
    struct offload_meta metas[BATCH];
    struct offload_merge merge;
    struct switch_table *sw;
    struct fwd *fwd;
    struct session *sessions[PEERS];
    struct switch_frame macs[BATCH];
    uint32_t receivers[BATCH];
    unsigned long sum; /* of what was found, so that nothing is left out */
};

static void check(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "micro: %s failed\n", what);
    exit(1);
}

static const struct virtio_net_hdr super_vnet = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                                 .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                                 .hdr_len = TCP_HEAD,
                                                 .gso_size = MSS,
                                                 .csum_start = 34,
                                                 .csum_offset = 16};

/* ---- the steps, BATCH datagrams each ---- */

static void seal(struct micro *m, size_t frame_len)
{
    const struct wire_inner inner = {.flags = WIRE_FLAG_CSUM, .csum_start = 34, .csum_offset = 16};
    uint8_t head[WIRE_INNER_LEN];
    for (unsigned i = 0; i < BATCH; i++) {
        wire_inner_encode(&inner, head);
        const struct slice pieces[] = {
            {head, sizeof(head)}, {m->super, TCP_HEAD}, {m->super + TCP_HEAD, frame_len - TCP_HEAD}};
        check(session_seal(m->near, WIRE_DATA, 0, pieces, 3, m->out[i]) > 0, "seal");
    }
}

static void open_all(struct micro *m, size_t frame_len)
{
    for (unsigned i = 0; i < BATCH; i++) {
        UNINITIALIZED struct wire_header h;
        UNINITIALIZED struct wire_inner inner;
        uint8_t *plain;
        size_t len = WIRE_OVERHEAD + frame_len;
        check(wire_header_decode(m->out[i], len, &h) == DROP_NONE, "header");
        check(session_open(m->far, &h, m->out[i], len, &plain, &len) == DROP_NONE, "open");
        check(wire_inner_decode(plain, len, &inner) == DROP_NONE, "inner header");
    }
}

/* The cipher alone, by one library. */
static void cipher_seal(struct micro *m)
{
    static const uint8_t nonce[AEAD_NONCE_LEN];
    const struct slice pieces[] = {
        {m->super, WIRE_INNER_LEN}, {m->super, TCP_HEAD}, {m->super + TCP_HEAD, FULL}};
    for (unsigned i = 0; i < BATCH; i++)
        check(aead_seal(m->aead, nonce, m->out[i], WIRE_HEADER_LEN, pieces, 3, m->out[i] + WIRE_HEADER_LEN) ==
                  0,
              "aead_seal");
}

static NOINLINE void measure_aead_seal(struct micro *m)
{
    cipher_seal(m);
}

static NOINLINE void measure_aead_open(struct micro *m)
{
    static const uint8_t nonce[AEAD_NONCE_LEN];
    for (unsigned i = 0; i < BATCH; i++)
        check(aead_open(m->aead, nonce, m->out[i], WIRE_HEADER_LEN, m->out[i] + WIRE_HEADER_LEN,
                        sizeof(m->out[i]) - WIRE_HEADER_LEN) == 0,
              "aead_open");
}

static NOINLINE void measure_seal(struct micro *m)
{
    seal(m, FRAME_LEN);
}

static NOINLINE void measure_seal_small(struct micro *m)
{
    seal(m, SMALL_LEN);
}

static NOINLINE void measure_open(struct micro *m)
{
    open_all(m, FRAME_LEN);
}

static NOINLINE void measure_open_small(struct micro *m)
{
    open_all(m, SMALL_LEN);
}

static NOINLINE void measure_split(struct micro *m)
{
    struct offload_split split;
    struct offload_segment segment;
    unsigned count = 0;
    check(offload_split_begin(&split, &super_vnet, m->super, sizeof(m->super), FRAME_LEN) == OFFLOAD_TRAIN,
          "split");
    for (; offload_split_next(&split, &segment); count++)
        m->sum += segment.head[TCP_HEAD - 1] + segment.body_len;
    check(count == BATCH, "split");
}

static NOINLINE void measure_merge(struct micro *m)
{
    for (unsigned i = 0; i < BATCH; i++)
        check(offload_merge_add(&m->merge, &m->metas[i], m->work[i], FRAME_LEN, ~0u), "merge");
    offload_merge_finish(&m->merge);
    check(m->merge.vnet.gso_size == FULL, "merge");
    m->merge.count = 0;
}

/* Receiver index to session, source to peer; destination to peer on the way out. */
static NOINLINE void measure_lookup(struct micro *m)
{
    enum drop not_learned;
    for (unsigned i = 0; i < BATCH; i++) {
        const struct session *s = fwd_session(m->fwd, m->receivers[i]);
        check(s && switch_from_peer(m->sw, session_peer_slot(s), &m->macs[i], m->now_us, &not_learned) ==
                       DROP_NONE,
              "look-up");
        struct switch_frame back = m->macs[i];
        memcpy(back.dst, m->macs[i].src, 6);
        memcpy(back.src, m->macs[i].dst, 6);
        int port = switch_from_device(m->sw, &back, m->now_us);
        m->sum += (unsigned long)(fwd_peer(m->fwd, (uint32_t)port) != NULL);
    }
}

static NOINLINE void measure_replay(struct micro *m)
{
    for (unsigned i = 0; i < BATCH; i++) {
        check(replay_check(&m->replay, m->counter) == DROP_NONE, "replay");
        replay_accept(&m->replay, m->counter++);
    }
}

/* One copy of a datagram between buffers that stay in the cache, as those of a worker do: no step of ours,
 * but what the kernel does with each byte at each crossing. */
static NOINLINE void measure_copy(struct micro *m)
{
    for (unsigned i = 0; i < BATCH; i++)
        memcpy(m->work[i], m->frames[i], FRAME_LEN);
}

/* ---- what they need ---- */

static void fresh_full(struct micro *m)
{
    seal(m, FRAME_LEN);
}

static void fresh_small(struct micro *m)
{
    seal(m, SMALL_LEN);
}

static void fresh_train(struct micro *m)
{
    memcpy(m->work, m->frames, sizeof(m->work));
}

static const struct step {
    const char *name;
    void (*before)(struct micro *);
    void (*run)(struct micro *);
} steps[] = {
    {"seal", NULL, measure_seal},       {"seal_small", NULL, measure_seal_small},
    {"open", fresh_full, measure_open}, {"open_small", fresh_small, measure_open_small},
    {"split", NULL, measure_split},     {"merge", fresh_train, measure_merge},
    {"lookup", NULL, measure_lookup},   {"replay", NULL, measure_replay},
    {"copy", NULL, measure_copy},
};

static struct session *session_of(uint32_t rx, uint32_t tx, bool initiator, uint32_t slot)
{
    static const struct session_limits none = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    static const uint8_t root[KDF_LEN] = {1, 2, 3};
    const struct session_config config = {.suite = AEAD_AES_256_GCM,
                                          .tx_lanes = 1,
                                          .rx_lanes = 1,
                                          .rx_index = rx,
                                          .tx_index = tx,
                                          .initiator = initiator,
                                          .peer_slot = slot,
                                          .limits = &none};
    struct session *s;
    check(session_new(&config, root, &s) == 0, "session");
    return s;
}

static uint32_t receiver_of(unsigned peer)
{
    return (peer + 1) * 2654435761u;
}

static void make_super(struct micro *m)
{
    static const uint8_t head[TCP_HEAD] = {0x02, 0,    0,    0,    0,    1,    0x02, 0, 0,  0, 0, 2,
                                           0x08, 0x00, /* Ethernet */
                                           0x45, 0,    0,    0,    0x12, 0x34, 0x40, 0, 64, 6, 0, 0,
                                           10,   10,   10,   3,    10,   10,   10,   4, /* IPv4 */
                                           0x9c, 0x40, 0x14, 0x51, 0,    0,    0,    1, 0,  0, 0, 1,
                                           0x80, 0x10, 1,    0xf6, 0,    0,    0,    0, /* TCP */
                                           1,    1,    8,    10,   0,    0,    0,    1, 0,  0, 0, 1};
    memcpy(m->super, head, sizeof(head));
    size_t total = sizeof(m->super) - 14;
    m->super[16] = (uint8_t)(total >> 8);
    m->super[17] = (uint8_t)total;
    for (size_t i = TCP_HEAD; i < sizeof(m->super); i++)
        m->super[i] = (uint8_t)(i * 31);
}

/* The segments as the other end gets them. */
static void make_train(struct micro *m)
{
    struct offload_split split;
    struct offload_segment s;
    check(offload_split_begin(&split, &super_vnet, m->super, sizeof(m->super), FRAME_LEN) == OFFLOAD_TRAIN,
          "split");
    for (unsigned i = 0; offload_split_next(&split, &s); i++) {
        memcpy(m->frames[i], s.head, s.head_len);
        memcpy(m->frames[i] + s.head_len, s.body, s.body_len);
        m->metas[i] = (struct offload_meta){
            .csum = s.csum, .train = true, .last = i == BATCH - 1, .group = 1, .position = (uint8_t)i};
    }
}

/* The seed of the switch's hash: once in a while a random one has addresses collide. */
static void fill_same(void *context, void *out, size_t len)
{
    (void)context;
    memset(out, 0x5a, len);
}
static const struct random_source same_each_time = {fill_same, NULL};

/* Peers with some addresses each, of which a batch meets some of every peer. */
static void make_mesh(struct micro *m)
{
    enum drop not_learned;
    check(fwd_new(&m->fwd) == 0 && switch_new(PEERS, ENTRIES, &same_each_time, &m->sw) == 0, "tables");
    for (unsigned i = 0; i < PEERS; i++) {
        m->sessions[i] = session_of(receiver_of(i), i, true, i);
        const struct fwd_peer peer = {.slot = i, .tx = m->sessions[i], .has_path = true, .size = 1472};
        check(fwd_set(m->fwd, i, &peer, &m->sessions[i], 1) == 0, "a peer");
    }
    fwd_worker_enter(m->fwd);
    for (unsigned i = 0; i < PEERS * MACS; i++) {
        struct switch_frame f = {
            .dst = {2, 0, 0, 0, 0, 1}, .src = {2, 1, 0, 0, (uint8_t)(i >> 8), (uint8_t)i}, .type = 0x0800};
        check(switch_from_peer(m->sw, i % PEERS, &f, m->now_us, &not_learned) == DROP_NONE, "learning");
        if (i % (PEERS * MACS / BATCH) == 0 && i / (PEERS * MACS / BATCH) < BATCH) {
            m->macs[i / (PEERS * MACS / BATCH)] = f;
            m->receivers[i / (PEERS * MACS / BATCH)] = receiver_of(i % PEERS);
        }
    }
    switch_local(m->sw, (const uint8_t[]){2, 0, 0, 0, 0, 1}, m->now_us);
}

static void make(struct micro *m)
{
    m->now_us = 1000000;
    m->near = session_of(1, 2, true, 0);
    m->far = session_of(2, 1, false, 0);
    make_super(m);
    make_train(m);
    make_mesh(m);
    /* Lanes that are used. */
    seal(m, FRAME_LEN);
    open_all(m, FRAME_LEN);
    session_warm(m->near);
    session_warm(m->far);
}

static void unmake(struct micro *m)
{
    fwd_worker_leave(m->fwd);
    fwd_free(m->fwd);
    switch_free(m->sw);
    for (unsigned i = 0; i < PEERS; i++)
        session_free(m->sessions[i]);
    session_free(m->near);
    session_free(m->far);
}

/* Nanoseconds per datagram. */
static struct timing run(struct micro *m, const struct step *step, unsigned repeats)
{
    double *took = calloc(repeats, sizeof(*took));
    check(took != NULL, "memory for the times");
    for (unsigned i = 0; i < repeats; i++) {
        if (step->before)
            step->before(m);
        double begin = timing_now_ns();
        step->run(m);
        took[i] = (timing_now_ns() - begin) / BATCH;
    }
    struct timing t = timing_of(took, repeats);
    free(took);
    return t;
}

struct choice {
    const char *name; /* or all */
    unsigned repeats;
    bool found;
};

static void one(struct micro *m, struct choice *c, const struct step *step, const char *name)
{
    if (strcmp(c->name, "all") != 0 && strcmp(c->name, name) != 0)
        return;
    c->found = true;
    struct timing t = run(m, step, c->repeats);
    printf("%s %.1f %.1f %d\n", name, t.median, t.fastest, BATCH);
}

/* Every library, not only the one that is the fastest here and now. */
static void ciphers(struct micro *m, struct choice *c)
{
    static const struct step seal_step = {NULL, NULL, measure_aead_seal};
    static const struct step open_step = {NULL, cipher_seal, measure_aead_open};
    static const uint8_t key[AEAD_KEY_LEN] = {7};
    for (const struct aead_backend *const *b = aead_backends; *b; b++) {
        char name[64];
        if (!(*b)->serves(AEAD_AES_256_GCM) || aead_new_with(*b, AEAD_AES_256_GCM, key, &m->aead))
            continue;
        int len = (int)strcspn((*b)->name(), " ");
        (void)snprintf(name, sizeof(name), "aead_seal_%.*s", len, (*b)->name());
        one(m, c, &seal_step, name);
        (void)snprintf(name, sizeof(name), "aead_open_%.*s", len, (*b)->name());
        one(m, c, &open_step, name);
        aead_free(m->aead);
    }
}

int main(int argc, char **argv)
{
    struct micro *m = calloc(1, sizeof(*m));
    check(m && (argc == 1 || (argc == 3 && atoi(argv[2]) > 0)), "usage: micro [NAME REPEATS]");
    struct choice c = {argc == 3 ? argv[1] : "all", argc == 3 ? (unsigned)atoi(argv[2]) : 20000, false};
    printf("# %s\n", MICRO_BUILD);
    make(m);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        one(m, &c, &steps[i], steps[i].name);
    ciphers(m, &c);
    check(c.found, "no such step");
    unmake(m);
    free(m);
    return 0;
}
