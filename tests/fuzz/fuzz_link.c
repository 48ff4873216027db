/* SPDX-License-Identifier: Apache-2.0 */
/* Two links over one stream, two bytes a step: whose turn it is and what happens. The stream is cut in pieces of any
 * size, altered, closed; messages come out of turn; and what a side writes is altered before TLS seals it, as a peer
 * that lies would. What a side has to compute is done at once, or later, or never. The first byte is how far an honest
 * handshake goes before, and whether the two are members of a network. Two links that are LIVE, whatever happened to the
 * stream, have the same keys; nobody has keys with a peer whose certificate has not been seen; every session is given back. */

#include "crypto/identity.h"
#include "proto/link/link.h"
#include "proto/link/link_impl.h"
#include "proto/link/link_work.h"
#include "proto/network/entry.h"
#include <stdlib.h>
#include <string.h>
#include "../unit/cert_lab.h"

#define STREAM_MAX 65536
#define STEPS_MAX  32
#define MEMBERS    8  /* of the first byte: both are in the network … */
#define ASKING     4  /* … which takes so many steps more: both ask for the other's issuer … */
#define LISTED     16 /* … and the acceptor has the opener on its lists */

struct side {
    struct link *link;
    uint8_t stream[STREAM_MAX]; /* on its way to the other side */
    size_t len;
    struct session *session;
    unsigned added, dropped;
    unsigned alter; /* of the next message: 0, or the place of the byte to alter, plus one */
    bool holds;     /* what it has to compute */
    struct link_work *held;
    bool entered; /* the other's certificate held */
};

static struct side sides[2]; /* the opener, the acceptor */
static struct identity *identities[2];
static struct tls_context *contexts[2];
static struct side *turn;
static struct cert_bytes chains[2][MEMBERSHIP_MEMBER + 1];
static struct membership *networks[2];
static unsigned how_they_meet; /* MEMBERS, LISTED */
static bool lied;
static uint64_t now;

static void check(bool ok)
{
    if (!ok)
        abort();
}

int __real_tls_write(struct tls *tls, const uint8_t *data, size_t len);
int __wrap_tls_write(struct tls *tls, const uint8_t *data, size_t len);

/* The prefix and the message as TLS takes them. */
int __wrap_tls_write(struct tls *tls, const uint8_t *data, size_t len)
{
    if (!turn->alter)
        return __real_tls_write(tls, data, len);
    uint8_t *copy = malloc(len);
    check(copy != NULL);
    memcpy(copy, data, len);
    copy[(turn->alter - 1) % len] ^= (uint8_t)(1 + turn->alter % 255);
    turn->alter = 0;
    lied = true;
    int err = __real_tls_write(tls, copy, len);
    free(copy);
    return err;
}

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
    struct side *side = context;
    side->session = s;
    side->added++;
    return 0;
}

static void session_dropped(void *context, struct session *s)
{
    struct side *side = context;
    side->dropped++;
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

static struct hello hello_of(const struct side *side)
{
    return (struct hello){.version_min = MESSAGE_VERSION,
                          .version_max = MESSAGE_VERSION,
                          .features = HELLO_FEATURE_FRESH_ROOT |
                                      (how_they_meet & MEMBERS ? HELLO_FEATURE_NETWORK : 0),
                          .aead_count = 1,
                          .aeads = {AEAD_AES_256_GCM},
                          .lanes = 1,
                          .mtu = 1500,
                          .receiver_index = 1 + (uint32_t)(side - sides)};
}

static void greet(struct side *side)
{
    const struct hello h = hello_of(side);
    struct message member = {.type = MESSAGE_MEMBER};
    if (how_they_meet & MEMBERS) {
        member.certificate = membership_bytes(networks[side - sides], MEMBERSHIP_MEMBER);
        link_send(side->link, &member);
    }
    (void)!link_greet(side->link, &h);
}

static bool needs_no_certificate(const struct side *side)
{
    return !(how_they_meet & MEMBERS) || (side != sides && how_they_meet & LISTED);
}

/* An opener greets at once; an acceptor once it knows who that is. */
static void on_identified(struct side *side)
{
    static const struct membership_seen nothing;
    uint8_t spki[IDENTITY_SPKI_LEN];
    struct entry *e;
    if (how_they_meet & MEMBERS) {
        check(link_peer_spki(side->link, spki) == 0);
        check(entry_new(networks[side - sides], spki, &nothing, needs_no_certificate(side), &e) == 0);
        link_enter(side->link, e);
    }
    if (side == sides || needs_no_certificate(side))
        greet(side);
}

static void on_entered(struct side *side)
{
    check(!side->entered && !needs_no_certificate(side) && entry_cert(link_entry(side->link)));
    side->entered = true;
    if (side != sides)
        greet(side);
}

static void key(struct side *side)
{
    static const struct keychain_config config = {.ratchet_us = 120000000};
    const struct keychain_ops ops = {reserve_index, release_index, session_added, session_dropped,
                                     cool,          send_changed,  send_control,  side};
    check(!link_keychain(side->link));
    if (link_key(side->link, &config, &ops, now) != 0)
        link_on_closed(side->link, "the keys cannot be made");
}

/* What the mesh does with a link's events, and in which state each may come. */
static void act_once(struct side *side, enum link_event event)
{
    const struct link *l = side->link;
    if (event == LINK_EVENT_IDENTIFIED) {
        check(id_compare(link_peer_id(l), identity_id(identities[side == sides])) == 0);
        on_identified(side);
    } else if (event == LINK_EVENT_ENTERED) {
        on_entered(side);
    } else if (event == LINK_EVENT_UNFIT) {
        check(lied && entry_reason(link_entry(l))[0]);
        link_refuse(side->link, entry_code(link_entry(l)), entry_refusal(entry_code(link_entry(l))));
    } else if (event == LINK_EVENT_KEYABLE) {
        check(side->entered || needs_no_certificate(side));
        check(link_state(l) == LINK_STATE_GREETING && link_theirs(l)->version_max);
        key(side);
    } else if (event == LINK_EVENT_LIVE) {
        check(link_state(l) == LINK_STATE_LIVE && keychain_send_session(link_keychain(l)));
    } else if (event == LINK_EVENT_FAILED || event == LINK_EVENT_BYE) {
        check(event == LINK_EVENT_BYE || (link_error(l) && link_reason(l)[0]));
        link_detach(side->link);
    } else {
        check(event == LINK_EVENT_REFUSED || link_keychain(l));
    }
}

/* True when something was computed. */
static bool work(struct side *side)
{
    if (!link_has_work(side->link))
        return false;
    check(!side->held || !link_work_is_wanted(side->held));
    struct link_work *w = link_begin_work(side->link);
    check(w && link_work_is_wanted(w) && !link_has_work(side->link));
    if (side->held)
        check(!link_worked(side->held));
    side->held = side->holds ? w : NULL;
    if (side->holds)
        return false;
    link_work_run(w);
    check(link_worked(w) == side->link);
    return true;
}

static void act(struct side *side)
{
    enum link_event event;
    turn = side;
    do
        while ((event = link_next(side->link, now)) != LINK_EVENT_NONE)
            act_once(side, event);
    while (work(side));
}

/* What is held comes back, done or not, whether it is still waited for or not. */
static void release(struct side *side, bool done)
{
    struct link_work *w = side->held;
    if (!w)
        return;
    bool wanted = link_work_is_wanted(w);
    side->held = NULL;
    turn = side;
    if (done)
        link_work_run(w);
    check(link_worked(w) == (wanted ? side->link : NULL));
}

static void pull(struct side *side)
{
    size_t n;
    turn = side;
    while (side->len < STREAM_MAX &&
           (n = link_take_output(side->link, side->stream + side->len, STREAM_MAX - side->len)) > 0)
        side->len += n;
}

static void carry(struct side *from, size_t n)
{
    struct side *to = &sides[from == sides];
    pull(from);
    n = n < from->len ? n : from->len;
    turn = to;
    link_on_bytes(to->link, from->stream, n);
    from->len -= n;
    memmove(from->stream, from->stream + n, from->len);
}

/* Messages that may come in turn or out of it. */
static void send_any(struct side *side, uint8_t how)
{
    static const enum message_type types[] = {MESSAGE_READY, MESSAGE_CANDIDATES, MESSAGE_WAKE,
                                              MESSAGE_RENEW, MESSAGE_BYE,        MESSAGE_RATCHET_DONE};
    struct message m = {.type = types[how % 6]};
    if (m.type == MESSAGE_READY)
        m.answer.present = how & 0x40;
    else if (m.type == MESSAGE_BYE)
        m.bye.code = BYE_SHUTDOWN;
    else if (m.type == MESSAGE_RATCHET_DONE)
        m.ratchet.step = 1;
    lied |= m.type == MESSAGE_READY || (how & 0x80);
    turn = side;
    if (how & 0x80)
        m = (struct message){.type = MESSAGE_HELLO, .hello = hello_of(side)};
    link_send(side->link, &m);
}

static void step(uint8_t what, uint8_t how)
{
    struct side *side = &sides[what >> 7], *other = &sides[1 - (what >> 7)];
    switch (what & 7) {
    case 0:
        other->holds = what & 8;
        carry(side, STREAM_MAX);
        act(other);
        break;
    case 1:
        other->holds = what & 8;
        carry(side, 1u + how);
        act(other);
        break;
    case 2:
        pull(side);
        if (side->len)
            side->stream[how * 61u % side->len] ^= (uint8_t)(what >> 3 & 15) + 1u;
        break;
    case 3:
        side->holds = what & 8;
        release(side, !(what & 16));
        act(side);
        break;
    case 4:
        if (side->link->channel)
            send_any(side, how);
        break;
    case 5:
        side->alter = 1u + how * (1u + (what >> 3 & 15));
        break;
    case 6:
        turn = side;
        if (how & 1)
            link_drain(side->link, BYE_REPLACED, "", now);
        else
            link_refuse(side->link, REFUSE_STRANGER, "stranger");
        break;
    case 7:
        if (side->link->channel)
            link_on_closed(side->link, "closed");
        break;
    }
}

/* Each of an issuer that the other does not know. */
static void found(void)
{
    struct cert ca = lab_ca(&lab), issuer = lab_issuer(&lab), member = lab_member(&lab);
    const struct identity *issuers[2] = {lab.issuer, lab.other};
    for (int i = 0; i < 2; i++) {
        memcpy(issuer.spki, identity_spki(issuers[i]), sizeof(issuer.spki));
        memcpy(member.spki, identity_spki(identities[i]), sizeof(member.spki));
        member.issuer = *identity_id(issuers[i]);
        chains[i][MEMBERSHIP_CA] = lab_sign(&ca, lab.ca);
        chains[i][MEMBERSHIP_ISSUER] = lab_sign(&issuer, lab.ca);
        chains[i][MEMBERSHIP_MEMBER] = lab_sign(&member, issuers[i]);
    }
}

static void join(int i)
{
    const struct membership_chain own = {lab_slice(&chains[i][MEMBERSHIP_CA]),
                                         lab_slice(&chains[i][MEMBERSHIP_ISSUER]),
                                         lab_slice(&chains[i][MEMBERSHIP_MEMBER])};
    enum membership_part part;
    enum cert_verdict why;
    membership_free(networks[i]);
    check(membership_new(&own, identity_spki(identities[i]), &part, &why, &networks[i]) == 0);
}

static void start(void)
{
    static const struct target somewhere = {TARGET_TCP, {.family = 4, .port = 8443, .ip = {192, 0, 2, 1}}};
    for (int i = 0; i < 2 && !contexts[i]; i++)
        check(identity_generate(&identities[i]) == 0 && tls_context_new(identities[i], &contexts[i]) == 0);
    if (!lab.ca) {
        cert_lab_open(&lab);
        found();
    }
    for (int i = 0; i < 2 && how_they_meet & MEMBERS; i++)
        join(i);
    memset(sides, 0, sizeof(sides));
    lied = false;
    now = 1000;
    check(link_new(contexts[0], 1, &somewhere, identity_id(identities[1]), now, &sides[0].link) == 0);
    check(link_new(contexts[1], 2, &somewhere, NULL, now, &sides[1].link) == 0);
    link_on_connected(sides[0].link);
    act(&sides[0]);
}

/* What one seals under its first key, the other opens. */
static void check_same_keys(struct side *from, struct side *to)
{
    static const uint8_t text[WIRE_INNER_LEN] = {1};
    uint8_t datagram[WIRE_OVERHEAD], *plain;
    const struct slice piece = {text, sizeof(text)};
    struct wire_header h;
    size_t len;
    int n = session_seal(from->session, WIRE_DATA, 0, &piece, 1, datagram);
    check(n > 0 && wire_header_decode(datagram, (size_t)n, &h) == DROP_NONE);
    check(session_open(to->session, &h, datagram, (size_t)n, &plain, &len) == DROP_NONE);
    check(len == sizeof(text) && memcmp(plain, text, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    how_they_meet = data[0] & (MEMBERS | LISTED);
    start();
    unsigned honest = data[0] % 8u + (how_they_meet & MEMBERS ? ASKING : 0);
    for (unsigned i = 0; i < honest; i++)
        step(i % 2 ? 0x80 : 0, 0);
    for (size_t i = 1; i + 1 < size && i < STEPS_MAX * 2; i += 2)
        step(data[i], data[i + 1]);
    bool live = link_state(sides[0].link) == LINK_STATE_LIVE && link_state(sides[1].link) == LINK_STATE_LIVE;
    if (size == 1 && data[0] % 8 == 7)
        check(live);
    if (live && !lied) {
        check_same_keys(&sides[0], &sides[1]);
        check_same_keys(&sides[1], &sides[0]);
    }
    for (int i = 0; i < 2; i++) {
        link_free(sides[i].link);
        release(&sides[i], i);
        check(sides[i].added == sides[i].dropped);
    }
    return 0;
}
