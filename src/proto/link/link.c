/* SPDX-License-Identifier: Apache-2.0 */
/* From a stream to keys: one handshake. docs/PROTOCOL.md §6. Control thread. */

#include "proto/link/link.h"

#include "base/clock.h"
#include "crypto/ratchet.h"
#include "proto/link/link_entry.h"
#include "proto/link/link_impl.h"
#include "proto/link/link_input.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* As the diagram of link.h: one step after the other up to LIVE, out to DRAINING or CLOSED from any, and never back. */
static void enter(struct link *l, enum link_state state)
{
    assert(state > l->state && (state == l->state + 1 || state >= LINK_STATE_DRAINING));
    l->state = state;
}

int link_new(struct tls_context *tls, uint64_t conn, const struct target *remote, const struct node_id *id,
             uint64_t now_us, struct link **out)
{
    struct link *l = calloc(1, sizeof(*l));
    if (!l)
        return ERR_NOMEM;
    l->conn = conn;
    l->remote = *remote;
    l->opener = id != NULL;
    l->has_stream = true;
    l->state = l->opener ? LINK_STATE_DIALING : LINK_STATE_SECURING;
    l->deadline_us = now_us + LINK_HANDSHAKE_US;
    l->message = calloc(1, sizeof(*l->message));
    int err = l->message ? channel_new(tls, !l->opener, id, &l->channel) : ERR_NOMEM;
    if (err) {
        link_free(l);
        return err;
    }
    *out = l;
    return 0;
}

void link_free(struct link *l)
{
    if (!l)
        return;
    link_drop_work(l);
    keychain_free(l->keychain);
    ratchet_offer_free(l->offer);
    channel_free(l->channel);
    link_leave(l);
    free(l->message);
    free(l);
}

void link_on_connected(struct link *l)
{
    if (l->state != LINK_STATE_DIALING)
        return;
    enter(l, LINK_STATE_SECURING);
    l->work_due = true;
}

void link_detach(struct link *l)
{
    link_drop_work(l);
    link_leave(l);
    channel_free(l->channel);
    free(l->message);
    l->channel = NULL;
    l->message = NULL;
    l->has_stream = false;
}

const struct node_id *link_peer_id(const struct link *l)
{
    return l->channel ? channel_peer_id(l->channel) : NULL;
}

int link_peer_spki(const struct link *l, uint8_t spki[IDENTITY_SPKI_LEN])
{
    return l->channel ? channel_peer_spki(l->channel, spki) : ERR_CRYPTO;
}

int link_greet(struct link *l, const struct hello *mine)
{
    if (l->mine.version_max)
        return ERR_EXISTS;
    l->mine = *mine;
    struct message m = {.type = MESSAGE_HELLO, .hello = *mine};
    if (l->opener && mine->features & HELLO_FEATURE_FRESH_ROOT) {
        if (!l->offer)
            return ERR_NOMEM;
        memcpy(m.offer.key, l->work->ours, sizeof(m.offer.key));
        m.offer.present = true;
    } else {
        ratchet_offer_free(l->offer);
        l->offer = NULL;
    }
    link_use_up_work(l);
    return channel_send(l->channel, &m);
}

void link_refuse(struct link *l, enum refuse_code code, const char *text)
{
    if (l->state == LINK_STATE_CLOSED)
        return;
    struct message m = {.type = MESSAGE_REFUSE};
    m.refuse.code = (uint8_t)code;
    snprintf(m.refuse.text, sizeof(m.refuse.text), "%s", text);
    link_send(l, &m);
    if (l->channel)
        channel_shutdown(l->channel);
    link_drop_work(l);
    enter(l, LINK_STATE_CLOSED);
}

static void name_suite(struct link *l, enum aead_suite aead)
{
    snprintf(l->suite, sizeof(l->suite), "%s %s%s", channel_suite(l->channel), aead_suite_name(aead),
             l->fresh_root ? "" : ", first keys without a fresh share: its version is older");
}

static bool has_common_version(const struct link *l)
{
    return l->theirs.version_min <= MESSAGE_VERSION && l->theirs.version_max >= MESSAGE_VERSION;
}

static enum aead_suite common_suite(const struct link *l)
{
    return aead_common(l->mine.aeads, l->mine.aead_count, l->theirs.aeads, l->theirs.aead_count);
}

const char *link_difference(const struct link *l)
{
    if (!has_common_version(l))
        return "no common protocol version: one of the two programs is too old";
    if (!common_suite(l))
        return "no common AEAD: one side takes AES-256-GCM alone, the other ChaCha20-Poly1305 alone (-aead)";
    return NULL;
}

int link_key(struct link *l, const struct keychain_config *config, const struct keychain_ops *ops,
             uint64_t now_us)
{
    const char *differs = link_difference(l);
    if (differs) {
        link_refuse(l, has_common_version(l) ? REFUSE_AEAD : REFUSE_VERSION, differs);
        return ERR_UNSUPPORTED;
    }
    struct keychain_config chosen = *config;
    chosen.suite = common_suite(l);
    chosen.opener = l->opener;
    chosen.tx_lanes = l->mine.lanes;
    chosen.rx_lanes = l->theirs.lanes;
    chosen.sparse = link_both_can(l, HELLO_FEATURE_SPARSE);
    struct message ready = {.type = MESSAGE_READY};
    ready.answer.present = l->fresh_root && !l->opener;
    memcpy(ready.answer.key, l->work->ours, sizeof(ready.answer.key));
    int err = l->work->err;
    if (!err)
        err = keychain_new(&chosen, ops, l->work->root, l->mine.receiver_index, l->theirs.receiver_index,
                           now_us, &l->keychain);
    link_use_up_work(l);
    if (err)
        return err;
    l->generation = l->opener ? l->mine.generation : l->theirs.generation;
    name_suite(l, chosen.suite);
    enter(l, LINK_STATE_KEYED);
    return channel_send(l->channel, &ready);
}

void link_send(struct link *l, const struct message *m)
{
    if (!l->channel || !l->has_stream || !channel_established(l->channel))
        return;
    int err = channel_send(l->channel, m);
    if (err)
        link_fail(l, err, "cannot send on the control channel");
    if (m->type == MESSAGE_MEMBER && l->entry)
        entry_shown(l->entry);
}

void link_on_asked(struct link *l, uint64_t now_us)
{
    l->asked_us = now_us;
}

void link_end_stream(struct link *l)
{
    if (l->channel)
        channel_shutdown(l->channel);
}

void link_on_replaced(struct link *l, uint64_t now_us)
{
    if (l->state >= LINK_STATE_DRAINING)
        return;
    enter(l, LINK_STATE_DRAINING);
    l->deadline_us = now_us + LINK_DRAIN_US;
}

void link_drain(struct link *l, enum bye_code code, const char *text, uint64_t now_us)
{
    if (l->state >= LINK_STATE_DRAINING)
        return;
    struct message m = {.type = MESSAGE_BYE};
    m.bye.code = (uint8_t)code;
    snprintf(m.bye.text, sizeof(m.bye.text), "%s", text);
    link_send(l, &m);
    if (l->channel)
        channel_shutdown(l->channel);
    link_drop_work(l);
    link_on_replaced(l, now_us);
}

uint32_t link_drop_keys(struct link *l)
{
    uint32_t steps = l->keychain ? keychain_steps(l->keychain) : 0;
    keychain_free(l->keychain);
    l->keychain = NULL;
    return steps;
}

uint64_t link_next_deadline(const struct link *l)
{
    uint64_t late_us = l->state == LINK_STATE_LIVE ? TIME_NEVER : l->deadline_us;
    uint64_t keys_us = l->keychain ? keychain_next_deadline(l->keychain) : TIME_NEVER;
    return late_us < keys_us ? late_us : keys_us;
}

bool link_is_late(const struct link *l, uint64_t now_us)
{
    return l->state != LINK_STATE_LIVE && now_us >= l->deadline_us;
}

size_t link_take_output(struct link *l, uint8_t *out, size_t cap)
{
    return l->channel && l->has_stream ? channel_take_output(l->channel, out, cap) : 0;
}

static enum link_event become_live(struct link *l, uint64_t now_us)
{
    if (l->state != LINK_STATE_KEYED || !l->ready_received)
        return LINK_EVENT_NONE;
    enter(l, LINK_STATE_LIVE);
    link_leave(l);
    l->live_us = l->used_us = now_us;
    keychain_peer_ready(l->keychain, now_us);
    return LINK_EVENT_LIVE;
}

static enum link_event out_of_turn(struct link *l)
{
    link_fail(l, ERR_FORMAT, "a control message out of turn");
    return LINK_EVENT_FAILED;
}

/* What the first root is made of is in. */
static enum link_event begin_root(struct link *l)
{
    l->work_due = true;
    return LINK_EVENT_NONE;
}

/* An acceptor that has the offer can make the keys; an opener that made one waits for the answer. */
static enum link_event on_hello(struct link *l)
{
    if (l->state != LINK_STATE_GREETING || l->theirs.version_max)
        return out_of_turn(l);
    l->theirs = l->message->hello;
    bool waits = l->offer && l->theirs.features & HELLO_FEATURE_FRESH_ROOT;
    bool answers = !l->opener && l->message->offer.present && l->mine.features & HELLO_FEATURE_FRESH_ROOT;
    l->fresh_root = waits || answers;
    return waits ? LINK_EVENT_NONE : begin_root(l);
}

static enum link_event on_ready(struct link *l, uint64_t now_us)
{
    bool waits = l->state == LINK_STATE_GREETING && l->opener && l->fresh_root;
    if (l->ready_received || l->message->answer.present != waits || (!waits && l->state != LINK_STATE_KEYED))
        return out_of_turn(l);
    l->ready_received = true;
    return waits ? begin_root(l) : become_live(l, now_us);
}

static enum link_event on_message(struct link *l, uint64_t now_us)
{
    if (l->asking)
        return link_on_asking(l);
    if (link_holds(l, l->message->type))
        return link_keep(l) ? link_on_entry(l, now_us) : out_of_turn(l);
    bool running = l->keychain && (l->state == LINK_STATE_LIVE || l->state == LINK_STATE_DRAINING);
    switch (l->message->type) {
    case MESSAGE_HELLO:
        return on_hello(l);
    case MESSAGE_READY:
        return on_ready(l, now_us);
    case MESSAGE_REFUSE:
        enter(l, LINK_STATE_CLOSED);
        return LINK_EVENT_REFUSED;
    case MESSAGE_CANDIDATES:
        return running ? LINK_EVENT_CANDIDATES : out_of_turn(l);
    case MESSAGE_WAKE:
        return running ? LINK_EVENT_WAKE : out_of_turn(l);
    case MESSAGE_RENEW:
        return running && l->opener ? LINK_EVENT_RENEW : out_of_turn(l);
    case MESSAGE_ABOUT:
        return running ? LINK_EVENT_ABOUT : out_of_turn(l);
    case MESSAGE_BYE:
        return LINK_EVENT_BYE;
    case MESSAGE_MEMBER:
    case MESSAGE_ISSUER_ASK:
    case MESSAGE_ISSUER:
    case MESSAGE_JOIN_ASK:
    case MESSAGE_NETWORK:
    case MESSAGE_JOIN:
    case MESSAGE_JOINED:
    case MESSAGE_CERT_ASK:
        return link_on_entry(l, now_us);
    case MESSAGE_RATCHET_OFFER:
    case MESSAGE_RATCHET_ANSWER:
    case MESSAGE_RATCHET_DONE:
    case MESSAGE_STREAM:
    case MESSAGE_STREAM_ANSWER:
    case MESSAGE_STREAM_RESET:
    case MESSAGE_RELAY_SEEK:
    case MESSAGE_RELAY_FOUND:
    case MESSAGE_RELAY_ASK:
    case MESSAGE_RELAY_CHANNEL:
    case MESSAGE_BIRTHDAY:
    case MESSAGE_PUNCH:
    case MESSAGE_PUNCH_GO:
    case MESSAGE_STANDBY:
    case MESSAGE_SEEK:
    case MESSAGE_RECORD:
    case MESSAGE_LISTS:
    case MESSAGE_LIST_ASK:
    case MESSAGE_LIST_PART:
    case MESSAGE_LEAVE:
        return out_of_turn(l);
    }
    return out_of_turn(l);
}

/* The next event of the messages that are in, as far as they can be taken now. */
static enum link_event take_messages(struct link *l, uint64_t now_us)
{
    int err = 0;
    while (l->state >= LINK_STATE_GREETING && !l->work_due && (err = link_next_message(l)) > 0) {
        l->used_us = now_us;
        enum link_event event = on_message(l, now_us);
        if (event != LINK_EVENT_NONE)
            return event;
    }
    if (err < 0)
        link_fail_channel(l, err);
    return LINK_EVENT_NONE;
}

static enum link_event tell_keyable(struct link *l)
{
    l->keyable = false;
    return LINK_EVENT_KEYABLE;
}

enum link_event link_next(struct link *l, uint64_t now_us)
{
    if (l->state == LINK_STATE_CLOSED || (!l->channel && !l->busy))
        return LINK_EVENT_NONE;
    if (l->busy)
        return l->error ? LINK_EVENT_FAILED : LINK_EVENT_NONE;
    if (l->state == LINK_STATE_SECURING && channel_established(l->channel)) {
        enter(l, LINK_STATE_GREETING);
        return LINK_EVENT_IDENTIFIED;
    }
    if (l->keyable && !l->error)
        return tell_keyable(l);
    if (l->state == LINK_STATE_KEYED && l->ready_received)
        return become_live(l, now_us);
    enum link_event event = take_messages(l, now_us);
    if (event != LINK_EVENT_NONE)
        return event;
    if (!l->has_stream && !l->work_due && !l->error)
        l->error = ERR_CLOSED; /* its reason is there */
    return l->error ? LINK_EVENT_FAILED : LINK_EVENT_NONE;
}

/* ---- what others read ---- */

void link_set_owner(struct link *l, void *owner)
{
    l->owner = owner;
}

void *link_owner(const struct link *l)
{
    return l->owner;
}

enum link_state link_state(const struct link *l)
{
    return l->state;
}

uint64_t link_conn(const struct link *l)
{
    return l->conn;
}

const struct target *link_remote(const struct link *l)
{
    return &l->remote;
}

bool link_is_opener(const struct link *l)
{
    return l->opener;
}

bool link_both_can(const struct link *l, uint64_t feature)
{
    return l->mine.features & l->theirs.features & feature;
}

bool link_was_ended(const struct link *l)
{
    return l->has_stream && l->error == ERR_CLOSED;
}

bool link_has_stream(const struct link *l)
{
    return l->has_stream;
}

struct keychain *link_keychain(const struct link *l)
{
    return l->keychain;
}

const struct hello *link_theirs(const struct link *l)
{
    return &l->theirs;
}

const struct hello *link_ours(const struct link *l)
{
    return &l->mine;
}

const struct message *link_message(const struct link *l)
{
    return l->message;
}

uint32_t link_promised_index(const struct link *l)
{
    return l->keychain ? 0 : l->mine.receiver_index;
}

bool link_has_fresh_root(const struct link *l)
{
    return l->fresh_root;
}

uint32_t link_generation(const struct link *l)
{
    return l->generation;
}

uint64_t link_live_us(const struct link *l)
{
    return l->live_us;
}

uint64_t link_used_us(const struct link *l)
{
    return l->used_us;
}

uint64_t link_asked_us(const struct link *l)
{
    return l->asked_us;
}

int link_error(const struct link *l)
{
    return l->error;
}

const char *link_reason(const struct link *l)
{
    return l->reason;
}

const char *link_suite(const struct link *l)
{
    return l->suite;
}
