/* SPDX-License-Identifier: Apache-2.0 */
/* The states of an uplink, and who acts on what it says. docs/PROTOCOL.md §15. */

#include "backbone/uplink.h"

#include "backbone/uplink_hub.h"
#include "backbone/uplink_pairs.h"
#include "backbone/uplink_proof.h"
#include "backbone/uplink_streams.h"
#include "base/log.h"
#include "base/table.h"
#include "crypto/secret.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOG_INTERVAL_US 100000 /* of lines about single uplinks, for -v */

static const uint16_t close_codes[UPLINK_ENDED_COUNT] = {
    [UPLINK_ENDED_LEFT] = UPLINK_CLOSE_NORMAL,       [UPLINK_ENDED_MALFORMED] = UPLINK_CLOSE_MALFORMED,
    [UPLINK_ENDED_UNPROVEN] = UPLINK_CLOSE_UNPROVEN, [UPLINK_ENDED_REPLACED] = UPLINK_CLOSE_REPLACED,
    [UPLINK_ENDED_FULL] = UPLINK_CLOSE_FULL,         [UPLINK_ENDED_SLOW] = UPLINK_CLOSE_SLOW,
    [UPLINK_ENDED_SILENT] = UPLINK_CLOSE_SLOW,       [UPLINK_ENDED_RESTARTING] = UPLINK_CLOSE_RESTARTING,
};

static void tell(struct uplink *u, const char *what)
{
    uint64_t withheld;
    char id[ID_TEXT_MAX] = "not proven", from[ADDR_TEXT_MAX];
    if (!log_enabled(LOG_LEVEL_DEBUG) ||
        !log_limit_pass(&u->hub->logged, u->hub->now_us, LOG_INTERVAL_US, &withheld))
        return;
    if (u->place.proven)
        id_format(&u->id, id);
    log_debug("uplink from %s (%s): %s%s", addr_format(&u->source, from), id, what,
              withheld ? " (others are not shown)" : "");
}

static uint64_t next_deadline(const struct uplink *u)
{
    uint64_t at = u->heard_us + UPLINK_SILENCE_US;
    if (u->state == UPLINK_PROVING)
        return u->since_us + UPLINK_PROVE_US;
    if (u->state == UPLINK_CLOSING)
        return u->since_us + UPLINK_LINGER_US;
    if (u->out.blocked && u->out.moved_us + UPLINK_STALL_US < at)
        at = u->out.moved_us + UPLINK_STALL_US;
    if (u->out.queue.data.count && u->hub->now_us + BATCH_QUEUE_AGE_US < at)
        at = u->hub->now_us + BATCH_QUEUE_AGE_US;
    return at;
}

/* A deadline that is too early costs a look; one that is too late is none. */
static void schedule(struct uplink *u)
{
    uint64_t at = next_deadline(u);
    if (u->state != UPLINK_GONE && (!u->deadline.place || at < u->deadline.at_us))
        heap_set(&u->hub->deadlines, &u->deadline, at);
}

static void set_state(struct uplink *u, enum uplink_state state)
{
    u->state = state;
    u->since_us = u->hub->now_us;
    schedule(u);
}

int uplink_new(struct uplink_hub *hub, int fd, const struct addr *source, bool visits, struct uplink **out)
{
    struct uplink *u = calloc(1, sizeof(*u)), *pushed;
    if (!u || websocket_reader_new(WEBSOCKET_SERVER, &u->reader) != 0 || heap_reserve(&hub->deadlines) != 0) {
        if (u)
            websocket_reader_free(u->reader);
        free(u);
        close(fd);
        return ERR_NOMEM;
    }
    u->hub = hub;
    u->fd = fd;
    u->serial = ++hub->serials;
    u->source = *source;
    u->visits = visits;
    u->heard_us = hub->now_us;
    uplink_hub_join(u);
    set_state(u, UPLINK_PROVING);
    if (uplink_places_enter(hub->places, u, false, hub->now_us, &pushed) == 0 && pushed)
        uplink_end(pushed, UPLINK_ENDED_FULL, "too many connections that have proven nothing");
    secret_random(u->challenge, sizeof(u->challenge));
    const struct uplink_message m = {.kind = UPLINK_CHALLENGE,
                                     .challenge = {u->challenge, sizeof(u->challenge)}};
    uplink_say(u, &m);
    *out = u;
    return 0;
}

void uplink_free(struct uplink *u)
{
    uplink_out_fini(&u->out);
    websocket_reader_free(u->reader);
    batch_free(u->prove);
    close(u->fd);
    free(u);
}

static void add_frame(struct uplink *u, enum websocket_frame frame, const uint8_t *bytes, size_t len)
{
    if (uplink_out_add(&u->out, frame, bytes, len) == 0)
        u->hub->waiting += len;
    else
        u->over = true;
    size_t most = u->hub->waiting < UPLINK_WAITING_EASY ? UPLINK_WAITING_MAX : UPLINK_WAITING_SPARSE;
    u->over |= u->out.bytes > most;
    uplink_hub_list(u);
}

void uplink_say(struct uplink *u, const struct uplink_message *m)
{
    uint8_t bytes[UPLINK_CONTROL_MAX];
    size_t len;
    if (u->state >= UPLINK_CLOSING || u->over)
        return;
    if (uplink_message_encode(m, bytes, sizeof(bytes), &len) == 0)
        add_frame(u, WEBSOCKET_BINARY, bytes, len);
}

void uplink_say_limited(struct uplink *u, enum uplink_limited what)
{
    struct bucket *b = what == UPLINK_LIMITED_STREAMS ? &u->buckets.told_streams : &u->buckets.told_datagrams;
    const struct uplink_message m = {.kind = UPLINK_LIMITED, .code = (uint8_t)what};
    if (uplink_rates_told(b, u->hub->now_us))
        uplink_say(u, &m);
}

/* Of what it is to others. */
static void leave(struct uplink *u)
{
    bool was_up = u->state == UPLINK_UP;
    uplink_places_leave(u->hub->places, u);
    if (!was_up)
        return;
    uplink_pairs_leave(u);
    uplink_streams_leave(u);
    (void)table_remove(u->hub->by_id, uplink_hub_key(u->hub, &u->id));
    uplink_hub_present(u, false);
    metrics_subtract(&u->hub->metrics->proven);
}

void uplink_end(struct uplink *u, enum uplink_ended why, const char *reason)
{
    uint8_t payload[WEBSOCKET_CONTROL_MAX];
    struct writer w = writer_init(payload, sizeof(payload));
    if (u->state >= UPLINK_CLOSING)
        return;
    tell(u, reason);
    metrics_add(&u->hub->metrics->ended[why]);
    leave(u);
    u->hub->waiting -= u->over ? u->out.bytes : 0;
    if (u->over)
        uplink_out_drop(&u->out);
    batch_queue_clear(&u->out.queue);
    writer_u16(&w, close_codes[why]);
    writer_put(&w, reason, strlen(reason));
    set_state(u, UPLINK_CLOSING);
    add_frame(u, WEBSOCKET_CLOSE, payload, writer_len(&w));
}

void uplink_lose(struct uplink *u)
{
    if (u->state == UPLINK_GONE)
        return;
    if (u->state < UPLINK_CLOSING) {
        tell(u, "the connection was lost");
        metrics_add(&u->hub->metrics->ended[UPLINK_ENDED_LEFT]);
        leave(u);
    }
    u->state = UPLINK_GONE;
    heap_remove(&u->hub->deadlines, &u->deadline);
    u->hub->waiting -= u->out.bytes;
    uplink_out_drop(&u->out);
    uplink_hub_leave(u);
}

static int fault(struct uplink *u, const char *what)
{
    u->fault = what;
    return ERR_FORMAT;
}

/* A PROVE, kept for its turn, or nothing else. */
static int on_early(struct uplink *u, struct batch *b)
{
    struct uplink_message m;
    if (u->state != UPLINK_PROVING || uplink_message_decode(b->bytes, b->len, UPLINK_NODE, &m) != 0 ||
        m.kind != UPLINK_PROVE) {
        batch_free(b);
        return fault(u, "something else was said before the proof");
    }
    u->prove = b;
    uplink_hub_list_proof(u);
    set_state(u, UPLINK_WAITING);
    return 0;
}

static int on_control(struct uplink *u, const struct uplink_message *m)
{
    switch (m->kind) {
    case UPLINK_OPEN:
        return uplink_streams_open(u, m) ? fault(u, "a stream's number that is not free") : 0;
    case UPLINK_DATA:
        uplink_streams_data(u, m);
        return 0;
    case UPLINK_CREDIT:
        uplink_streams_credit(u, m);
        return 0;
    case UPLINK_CLOSE:
        uplink_streams_close(u, m);
        return 0;
    case UPLINK_PAIR:
        uplink_pairs_set(u, &m->id, m->on);
        return 0;
    case UPLINK_RELAY:
        uplink_pairs_ask_relay(u, &m->id);
        return 0;
    case UPLINK_DATAGRAMS: /* on_message's */
    case UPLINK_PROVE:
    case UPLINK_CHALLENGE:
    case UPLINK_WELCOME:
    case UPLINK_PAIRED:
    case UPLINK_RESTARTING:
    case UPLINK_LIMITED:
    case UPLINK_RELAYED:
        return fault(u, "a message out of turn");
    }
    return fault(u, "a message of no kind");
}

/* Takes b. */
static int on_message(struct uplink *u, struct batch *b)
{
    struct uplink_message m;
    int err = uplink_message_decode(b->bytes, b->len, UPLINK_NODE, &m);
    if (!err && m.kind == UPLINK_DATAGRAMS) {
        uplink_pairs_relay(u, &m, b);
        return 0;
    }
    if (!uplink_rates_message(&u->buckets, u->hub->now_us))
        err = fault(u, "too many messages a second");
    else if (err == ERR_FORMAT)
        err = fault(u, "a malformed message");
    else
        err = err == ERR_UNSUPPORTED ? 0 : on_control(u, &m);
    batch_free(b);
    return err;
}

static int on_frame(void *context, enum websocket_frame frame, struct batch *b)
{
    struct uplink *u = context;
    if (frame == WEBSOCKET_BINARY)
        return u->state == UPLINK_UP ? on_message(u, b) : on_early(u, b);
    if (frame == WEBSOCKET_CLOSE) {
        batch_free(b);
        return ERR_CLOSED;
    }
    bool within = uplink_rates_message(&u->buckets, u->hub->now_us);
    if (within && frame == WEBSOCKET_PING && !u->over)
        add_frame(u, WEBSOCKET_PONG, b->bytes, b->len);
    batch_free(b);
    return within ? 0 : fault(u, "too many pings a second");
}

static void end_by(struct uplink *u, int err)
{
    enum uplink_ended broken = u->state == UPLINK_UP ? UPLINK_ENDED_MALFORMED : UPLINK_ENDED_UNPROVEN;
    if (err == ERR_CLOSED)
        uplink_end(u, UPLINK_ENDED_LEFT, "closed by the node");
    else if (err == ERR_SPACE)
        uplink_end(u, broken, "a message that is too long");
    else if (err == ERR_NOMEM)
        uplink_end(u, UPLINK_ENDED_FULL, "no memory");
    else
        uplink_end(u, broken, u->fault ? u->fault : "no WebSocket frame, or one of another kind");
}

void uplink_read(struct uplink *u, const uint8_t *bytes, size_t len)
{
    u->heard_us = u->hub->now_us;
    if (u->state >= UPLINK_CLOSING)
        return;
    u->early += u->state == UPLINK_UP ? 0 : len;
    if (u->early > UPLINK_EARLY_BYTES) {
        uplink_end(u, UPLINK_ENDED_UNPROVEN, "too much was said before the proof");
        return;
    }
    size_t limit = u->state == UPLINK_UP ? UPLINK_MESSAGE_MAX : UPLINK_EARLY_BYTES;
    int err = websocket_read(u->reader, bytes, len, limit, on_frame, u);
    if (err)
        end_by(u, err);
}

void uplink_flush(struct uplink *u)
{
    uint64_t sent, dropped = u->out.queue.dropped;
    size_t before = u->out.bytes;
    if (u->state == UPLINK_GONE)
        return;
    if (u->over && u->state < UPLINK_CLOSING) {
        uplink_end(u, UPLINK_ENDED_SLOW, "too much waits for this node to read");
        before = u->out.bytes;
    }
    int err = uplink_out_flush(&u->out, u->fd, u->hub->now_us, &sent);
    u->hub->waiting -= before - u->out.bytes;
    metrics_add_many(&u->hub->metrics->datagram_bytes, sent);
    metrics_add_many(&u->hub->metrics->datagrams[UPLINK_DATAGRAMS_QUEUE], u->out.queue.dropped - dropped);
    if (err == ERR_IO)
        uplink_lose(u);
    else if (!err && u->state == UPLINK_CLOSING)
        shutdown(u->fd, SHUT_WR);
    schedule(u);
}

static void welcome(struct uplink *u)
{
    const struct uplink_message m = {.kind = UPLINK_WELCOME,
                                     .observed = {.family = u->source.family, .port = u->source.port},
                                     .streams = UPLINK_STREAMS,
                                     .pairs = UPLINK_PAIRS,
                                     .credit = UPLINK_WINDOW};
    struct uplink_message with = m;
    memcpy(with.observed.ip, u->source.ip, sizeof(with.observed.ip));
    uplink_say(u, &with);
    metrics_add(&u->hub->metrics->proven);
    tell(u, "up");
}

/* NULL, or why there is no place for it. */
static const char *take_place(struct uplink *u)
{
    struct uplink_hub *hub = u->hub;
    struct uplink *older = uplink_hub_find(hub, &u->id), *pushed;
    if (older)
        uplink_end(older, UPLINK_ENDED_REPLACED, "replaced by another connection with your key");
    uplink_places_leave(hub->places, u);
    if (uplink_places_enter(hub->places, u, true, hub->now_us, &pushed) != 0)
        return "too many uplinks from your network";
    if (pushed)
        uplink_end(pushed, UPLINK_ENDED_FULL, "too many uplinks, and most from your network");
    uint64_t key = uplink_hub_key(hub, &u->id);
    return table_get(hub->by_id, key) || table_put(hub->by_id, key, u) != 0 ? "no room for this id" : NULL;
}

/* By another connection, which lives. */
static bool is_at_home(const struct uplink *u)
{
    const struct uplink *other = uplink_hub_find(u->hub, &u->id);
    return other && !other->visits && u->hub->now_us - other->heard_us < UPLINK_LIVELY_US;
}

void uplink_verify(struct uplink *u)
{
    const char *wrong = uplink_proof_judge(u);
    batch_free(u->prove);
    u->prove = NULL;
    if (wrong) {
        uplink_end(u, UPLINK_ENDED_UNPROVEN, wrong);
        return;
    }
    if (u->visits && is_at_home(u)) {
        uplink_end(u, UPLINK_ENDED_REPLACED, "your key is at home here by another connection");
        return;
    }
    wrong = take_place(u);
    if (wrong) {
        uplink_end(u, UPLINK_ENDED_FULL, wrong);
        return;
    }
    set_state(u, UPLINK_UP);
    uplink_hub_present(u, true);
    welcome(u);
}

void uplink_on_deadline(struct uplink *u)
{
    uint64_t now_us = u->hub->now_us, dropped = u->out.queue.dropped;
    heap_remove(&u->hub->deadlines, &u->deadline);
    batch_queue_expire(&u->out.queue, now_us);
    metrics_add_many(&u->hub->metrics->datagrams[UPLINK_DATAGRAMS_QUEUE], u->out.queue.dropped - dropped);
    if (u->state == UPLINK_PROVING && now_us >= u->since_us + UPLINK_PROVE_US)
        uplink_end(u, UPLINK_ENDED_UNPROVEN, "no proof within 5 seconds");
    else if (u->state == UPLINK_CLOSING && now_us >= u->since_us + UPLINK_LINGER_US)
        uplink_lose(u);
    else if (u->state < UPLINK_CLOSING && u->out.blocked && now_us >= u->out.moved_us + UPLINK_STALL_US)
        uplink_end(u, UPLINK_ENDED_SLOW, "nothing was read for 10 seconds");
    else if (u->state < UPLINK_CLOSING && now_us >= u->heard_us + UPLINK_SILENCE_US)
        uplink_end(u, UPLINK_ENDED_SILENT, "silent for a minute");
    schedule(u);
}
