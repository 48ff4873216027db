/* SPDX-License-Identifier: Apache-2.0 */
/* What a handshake costs, with raw keys alone and with certificates: CPU of each side, and bytes of TLS in each direction. Two
 * links over memory, what the mesh does with their events, and nothing else. Run by hand; the median of ROUNDS. */

#include "base/clock.h"
#include "crypto/founding.h"
#include "crypto/secret.h"
#include "proto/link/link.h"
#include "proto/link/link_work.h"
#include "proto/network/entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 51
#define NOW    1790000000ull

enum mode { RAW, FIRST, AGAIN, OTHER_ISSUER, MODES };
static const char *const titles[] = {"raw keys", "certificates, first time", "certificates, seen before",
                                     "certificates, unknown issuers"};

struct side {
    struct identity *identity;
    struct tls_context *tls;
    struct membership *network[2]; /* by issuer 0, or by one that the other side does not know */
    struct membership_seen seen;   /* of the other */
    struct link *link;
    uint64_t cpu_ns;
    size_t sent;
};

static struct side sides[2]; /* the opener, the acceptor */
static enum mode mode;

static void must(int err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "handshake: %s: %s\n", what, err_str(err));
    exit(1);
}

/* ---- the network ---- */

static void fill(void *context, void *out, size_t len)
{
    (void)context;
    secret_random(out, len);
}

static const struct random_source source = {.fill = fill};

static struct slice bytes_of(const struct founding_cert *c)
{
    return (struct slice){c->der, c->len};
}

static struct membership *join(const struct founding *f, const struct founding_cert *ca,
                               const struct founding_cert *issuer, const struct identity *key,
                               const struct identity *me)
{
    struct founding_cert member;
    const struct addr any = {0};
    enum membership_part part;
    enum cert_verdict why;
    struct membership *ms;
    must(founding_member(f, &issuer->cert, key, identity_spki(me), "node", &any, &member), "member");
    const struct membership_chain chain = {bytes_of(ca), bytes_of(issuer), bytes_of(&member)};
    must(membership_new(&chain, identity_spki(me), &part, &why, &ms), "membership");
    membership_set_clock(ms, NOW, 0);
    return ms;
}

/* Issuer 0 certified both; issuers 1 and 2 one each, for the last mode. */
static void found(void)
{
    struct founding f = {.network = "bench", .range_count = 1, .now = NOW, .random = &source};
    struct founding_cert ca, issuers[3];
    struct identity *ca_key, *keys[3];
    f.ranges[0] = (struct addr_prefix){{.family = 4, .ip = {10, 7, 0, 0}}, 16};
    must(identity_generate(&ca_key), "key");
    must(founding_ca(&f, ca_key, &ca), "CA");
    for (unsigned i = 0; i < 3; i++) {
        must(identity_generate(&keys[i]), "key");
        must(founding_issuer(&f, ca_key, identity_spki(keys[i]), i, &issuers[i]), "issuer");
    }
    for (unsigned i = 0; i < 2; i++)
        sides[i].network[0] = join(&f, &ca, &issuers[0], keys[0], sides[i].identity);
    for (unsigned i = 0; mode == OTHER_ISSUER && i < 2; i++)
        sides[i].network[1] = join(&f, &ca, &issuers[1 + i], keys[1 + i], sides[i].identity);
    identity_free(ca_key);
    for (unsigned i = 0; i < 3; i++)
        identity_free(keys[i]);
}

static void leave(void)
{
    for (unsigned i = 0; i < 2; i++)
        for (unsigned j = 0; j < 2; j++) {
            membership_free(sides[i].network[j]);
            sides[i].network[j] = NULL;
        }
}

/* ---- what the mesh does ---- */

static uint32_t reserve_index(void *context)
{
    (void)context;
    return 7;
}

static void release_index(void *context, uint32_t index)
{
    (void)context, (void)index;
}

static int session_added(void *context, struct session *s)
{
    (void)context, (void)s;
    return 0;
}

static void session_dropped(void *context, struct session *s)
{
    (void)context;
    session_free(s);
}

static void cool(void *context, struct session *s)
{
    (void)context;
    session_free(session_cool(s));
}

static void send_changed(void *context)
{
    (void)context;
}

static void send_control(void *context, struct session *s, const struct message *m)
{
    (void)context, (void)s, (void)m;
}

static void greet(struct side *s)
{
    struct hello h = {.version_min = MESSAGE_VERSION,
                      .version_max = MESSAGE_VERSION,
                      .features = HELLO_FEATURE_FRESH_ROOT,
                      .aead_count = 1,
                      .aeads = {AEAD_AES_256_GCM},
                      .lanes = 1,
                      .mtu = 1500,
                      .receiver_index = 1};
    if (mode != RAW) {
        struct message member = {.type = MESSAGE_MEMBER};
        member.certificate = membership_bytes(s->network[mode == OTHER_ISSUER], MEMBERSHIP_MEMBER);
        link_send(s->link, &member);
        h.features |= HELLO_FEATURE_NETWORK;
    }
    must(link_greet(s->link, &h), "greet");
}

/* The opener greets at once, an acceptor in a network once the opener is a member. */
static void on_identified(struct side *s)
{
    struct entry *e;
    uint8_t spki[IDENTITY_SPKI_LEN];
    if (mode != RAW) {
        must(link_peer_spki(s->link, spki), "the peer's key");
        must(entry_new(s->network[mode == OTHER_ISSUER], spki, &s->seen, false, &e), "entry");
        link_enter(s->link, e);
    }
    if (mode == RAW || s == sides)
        greet(s);
}

static void act_once(struct side *s, enum link_event event)
{
    static const struct keychain_config config = {.ratchet_us = 120000000};
    const struct keychain_ops ops = {reserve_index, release_index, session_added, session_dropped,
                                     cool,          send_changed,  send_control,  s};
    if (event == LINK_EVENT_IDENTIFIED)
        on_identified(s);
    else if (event == LINK_EVENT_ENTERED) {
        s->seen = *entry_seen(link_entry(s->link));
        if (s != sides)
            greet(s);
    } else if (event == LINK_EVENT_KEYABLE)
        must(link_key(s->link, &config, &ops, 0), "keys");
    else if (event != LINK_EVENT_LIVE)
        must(ERR_CRYPTO, link_reason(s->link));
}

static bool work(struct side *s)
{
    if (!link_has_work(s->link))
        return false;
    struct link_work *w = link_begin_work(s->link);
    link_work_run(w);
    return link_worked(w) != NULL;
}

static void act(struct side *s)
{
    enum link_event event;
    do
        while ((event = link_next(s->link, 0)) != LINK_EVENT_NONE)
            act_once(s, event);
    while (work(s));
}

/* What from has said reaches the other, which acts on it. False: it had nothing to say. */
static bool turn(struct side *from, struct side *to)
{
    uint8_t chunk[65536];
    uint64_t begun = clock_thread_ns();
    size_t len = link_take_output(from->link, chunk, sizeof(chunk));
    from->cpu_ns += clock_thread_ns() - begun;
    from->sent += len;
    begun = clock_thread_ns();
    link_on_bytes(to->link, chunk, len);
    act(to);
    to->cpu_ns += clock_thread_ns() - begun;
    return len > 0;
}

static void shake_hands(void)
{
    static const struct target somewhere = {TARGET_TCP, {.family = 4, .port = 8443, .ip = {192, 0, 2, 1}}};
    for (unsigned i = 0; i < 2; i++)
        sides[i].cpu_ns = sides[i].sent = 0;
    must(link_new(sides[0].tls, 1, &somewhere, identity_id(sides[1].identity), 0, &sides[0].link), "link");
    must(link_new(sides[1].tls, 2, &somewhere, NULL, 0, &sides[1].link), "link");
    link_on_connected(sides[0].link);
    act(&sides[0]);
    for (unsigned at = 0, quiet = 0; quiet < 2; at = 1 - at)
        quiet = turn(&sides[at], &sides[1 - at]) ? 0 : quiet + 1;
    for (unsigned i = 0; i < 2; i++) {
        if (link_state(sides[i].link) != LINK_STATE_LIVE)
            must(ERR_CRYPTO, "no session");
        link_free(sides[i].link);
    }
}

/* ---- figures ---- */

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double median(double list[ROUNDS])
{
    qsort(list, ROUNDS, sizeof(*list), compare);
    return list[ROUNDS / 2];
}

static void measure(void)
{
    double cpu_ms[2][ROUNDS];
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (mode == FIRST || mode == OTHER_ISSUER || (mode == AGAIN && round == 0)) {
            leave();
            found();
            for (unsigned i = 0; i < 2; i++)
                sides[i].seen = (struct membership_seen){0};
            if (mode == AGAIN)
                shake_hands();
        }
        shake_hands();
        for (unsigned i = 0; i < 2; i++)
            cpu_ms[i][round] = (double)sides[i].cpu_ns / 1e6;
    }
    printf("%-30s  %7.2f ms  %7.2f ms  %6zu  %6zu\n", titles[mode], median(cpu_ms[0]), median(cpu_ms[1]),
           sides[0].sent, sides[1].sent);
}

int main(void)
{
    for (unsigned i = 0; i < 2; i++) {
        must(identity_generate(&sides[i].identity), "key");
        must(tls_context_new(sides[i].identity, &sides[i].tls), "TLS");
    }
    printf("%-30s  %10s  %10s  %6s  %6s\n", "", "opener", "acceptor", "out", "in");
    for (mode = RAW; mode < MODES; mode++)
        measure();
    leave();
    for (unsigned i = 0; i < 2; i++) {
        tls_context_free(sides[i].tls);
        identity_free(sides[i].identity);
    }
    return 0;
}
