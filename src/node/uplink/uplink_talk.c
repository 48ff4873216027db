/* SPDX-License-Identifier: Apache-2.0 */
/* What is said on an uplink's channel: first the proof of our id, then what the two ask of each other. */

#include "node/uplink/uplink_talk.h"

#include "node/uplink/uplink_connect.h"
#include "node/uplink/uplink_retry.h"
#include "node/uplink/uplink_state.h"
#include "node/uplink/uplink_streams.h"

#include <string.h>

static void send_proof(struct uplink *u)
{
    struct uplink_message m = {
        .kind = UPLINK_PROVE,
        .host = {(const uint8_t *)u->url.authority, strlen(u->url.authority)},
        .spki = {identity_spki(u->config.me), IDENTITY_SPKI_LEN},
        .signature = {u->proof.signature, sizeof(u->proof.signature)},
    };
    if (uplink_line_send(u->line, &m))
        uplink_leave(u, "our proof cannot be sent", UPLINK_CLOSE_UNPROVEN);
}

static void on_signed(uv_work_t *work, int status)
{
    struct uplink_proof *proof = work->data;
    struct uplink *u = proof->owner;
    u->signing = false;
    bool wanted = !u->closing && u->state == STATE_PROVING && u->challenged;
    if (wanted && u->signing_for != u->connection)
        uplink_leave(u, "a signature took too long", UPLINK_CLOSE_UNPROVEN);
    else if (wanted && (status || proof->err))
        uplink_leave(u, "our proof cannot be signed", UPLINK_CLOSE_UNPROVEN);
    else if (wanted)
        send_proof(u);
    uplink_release(u);
}

/* While the signature for a connection before is made, this one waits for its end: see on_signed. */
static void on_challenge(struct uplink *u, struct slice challenge)
{
    const struct slice host = {(const uint8_t *)u->url.authority, strlen(u->url.authority)};
    u->challenged = true;
    if (u->signing)
        return;
    u->proof.len = uplink_proof(challenge.data, host, u->proof.text);
    if (uv_queue_work(u->config.loop, &u->proof.work, uplink_proof_sign, on_signed) != 0) {
        uplink_leave(u, "our proof cannot be signed", UPLINK_CLOSE_UNPROVEN);
        return;
    }
    u->signing = true;
    u->signing_for = u->connection;
    u->handles++;
}

static void on_welcome(struct uplink *u, const struct uplink_message *m)
{
    u->failures = 0;
    u->was_up = true;
    u->cause[0] = u->told[0] = '\0';
    uplink_enter(u, STATE_UP);
    uplink_ways_arrived(&u->way);
    log_info("backbone %s: uplink up%s", uplink_place(u),
             u->way.interface ? " by another way out, a standby" : "");
    uplink_streams_begin(u->streams, m->credit, m->streams);
    u->config.state(u->config.context, true, u->way.interface);
}

static void break_off(struct uplink *u)
{
    uplink_leave(u, "the backbone broke the rules of an uplink", UPLINK_CLOSE_MALFORMED);
}

static void prove(struct uplink *u, const struct uplink_message *m)
{
    if (m->kind == UPLINK_CHALLENGE && !u->challenged)
        on_challenge(u, m->challenge);
    else if (m->kind == UPLINK_WELCOME && u->challenged)
        on_welcome(u, m);
    else
        break_off(u);
}

static void talk(struct uplink *u, const struct uplink_message *m)
{
    int err = 0;
    switch (m->kind) {
    case UPLINK_OPEN:
    case UPLINK_DATA:
    case UPLINK_CREDIT:
    case UPLINK_CLOSE:
        err = uplink_streams_on_message(u->streams, m);
        break;
    case UPLINK_PAIRED:
        u->config.paired(u->config.context, &m->id, m->on);
        break;
    case UPLINK_RELAYED:
        u->config.relayed(u->config.context, &m->id, m->port, m->channel, m->token.data);
        break;
    case UPLINK_RESTARTING:
        u->asked_us = uplink_retry_asked_us(m->wait_ms, uplink_random());
        break;
    case UPLINK_LIMITED:
        log_debug("backbone %s: over its rate of %s", uplink_place(u),
                  m->code == UPLINK_LIMITED_STREAMS ? "streams" : "datagrams");
        break;
    case UPLINK_DATAGRAMS: /* not on this channel */
    case UPLINK_CHALLENGE:
    case UPLINK_PROVE:
    case UPLINK_WELCOME:
    case UPLINK_PAIR:
    case UPLINK_RELAY:
        err = ERR_FORMAT;
        break;
    }
    if (err)
        break_off(u);
}

void uplink_on_message(void *context, const struct uplink_message *m)
{
    struct uplink *u = context;
    if (u->state == STATE_PROVING)
        prove(u, m);
    else if (u->state == STATE_UP)
        talk(u, m);
}

void uplink_on_malformed(void *context)
{
    struct uplink *u = context;
    if (u->state == STATE_PROVING || u->state == STATE_UP)
        break_off(u);
}
