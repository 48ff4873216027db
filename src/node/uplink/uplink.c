/* SPDX-License-Identifier: Apache-2.0 */
/* The states of an uplink. What ends it is told by the helper, also when it is us who leave: so nothing of the connection
 * before reaches the next one.
 *
 *   DOWN ──→ CONNECTING ──→ PROVING ──→ UP
 *    ↑ wait      │ failed      │ lost    │ lost
 *    ├───────────┴─────────────┼─────────┤
 *    └──────── LEAVING ←───────┴─────────┘ it broke the rules, or another one is to take its place
 */
#include "node/uplink/uplink.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/secret.h"
#include "node/helper/http_url.h"
#include "node/uplink/uplink_line.h"
#include "node/uplink/uplink_proof.h"
#include "node/uplink/uplink_retry.h"
#include "node/uplink/uplink_streams.h"
#include "node/uplink/uplink_ways.h"
#include "proto/wire/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHANGE_US                                                                                            \
    (10 * USEC_PER_SEC) /* so long after a change of the network a lost uplink is made anew at once */
#define CAUSE_LOG_US (30 * USEC_PER_SEC)

enum state { STATE_DOWN, STATE_CONNECTING, STATE_PROVING, STATE_UP, STATE_LEAVING };

struct uplink {
    struct uplink_config config;
    const char *instance; /* the URL of another one that it goes to; empty: none */
    struct http_url url;  /* where it goes */
    bool is_named;        /* what is connected to has to be looked up */
    bool moves;           /* it has another place to go to once it has left this one, or another way */
    struct uplink_ways way;
    bool impatient; /* it leaves an attempt that takes too long */
    bool has_been;  /* up, since the owner was told that it failed */
    struct uplink_line *line;
    struct uplink_streams *streams;
    enum state state;
    bool ready; /* the helper may be asked */
    bool lost;  /* it is gone for good */
    bool closing;
    bool was_up;          /* since the log was told of a failure */
    bool signing;         /* the job is the pool's */
    bool challenged;      /* by this connection */
    uint32_t connection;  /* counted, … */
    uint32_t signing_for; /* … so that no signature goes to another one than it was made for */
    unsigned failures;
    uint64_t since_us, changed_us;
    uint64_t asked_us;                                  /* the wait that the backbone asked for; 0: none */
    char cause[HELPER_TEXT_MAX], told[HELPER_TEXT_MAX]; /* why it is down; and what of that the log has */
    struct log_limit cause_limit;
    uv_timer_t retry;
    struct uplink_proof proof;
    unsigned handles; /* a timer not closed and a job not done; the last one frees us */
};

static uint32_t random_bits(void)
{
    uint32_t bits;
    secret_random(&bits, sizeof(bits));
    return bits;
}

static void release(struct uplink *u)
{
    if (--u->handles == 0)
        free(u);
}

static bool is_down(enum state state)
{
    return state != STATE_PROVING && state != STATE_UP;
}

/* Since when it is down, whatever is tried meanwhile. */
static void enter(struct uplink *u, enum state state)
{
    if (!is_down(u->state) || !is_down(state))
        u->since_us = clock_monotonic_us();
    u->state = state;
}

static const char *place_of(const struct uplink *u)
{
    return u->instance[0] ? u->instance : u->config.url;
}

/* It is for visits, and makes none. */
static bool is_idle(const struct uplink *u)
{
    return place_of(u)[0] == '\0';
}

/* ---- connecting ---- */

static void on_retry(uv_timer_t *timer);

static void try_in(struct uplink *u, uint64_t wait_us)
{
    if (u->ready && !u->lost && !u->closing && !is_idle(u))
        uv_timer_start(&u->retry, on_retry, (wait_us + USEC_PER_MSEC - 1) / USEC_PER_MSEC, 0);
}

/* Another word on it only after a while, but for other causes; and none where the backbone is not there at all, or who moved us
 * has told it. */
static void tell_down(struct uplink *u)
{
    uint64_t suppressed, now_us = clock_monotonic_us();
    if (u->was_up)
        u->cause_limit.bucket = (struct bucket){0};
    if (is_idle(u) || u->moves) {
        u->was_up = false;
        return;
    }
    bool news = u->was_up || (strcmp(u->cause, u->told) != 0 && u->config.reachable(u->config.context));
    if (!news || !log_limit_pass(&u->cause_limit, now_us, CAUSE_LOG_US, &suppressed))
        return;
    snprintf(u->told, sizeof(u->told), "%s", u->cause);
    log_warn(u->was_up
                 ? "backbone %s: the uplink is lost (%s); retrying"
                 : "backbone %s: no uplink (%s): peers that cannot be dialled are not reached; retrying",
             place_of(u), u->cause);
    u->was_up = false;
}

static uint64_t wait_of(struct uplink *u, unsigned code)
{
    uint64_t asked_us = u->asked_us;
    u->asked_us = 0;
    if (u->moves)
        return 0;
    if (code == UPLINK_CLOSE_REPLACED)
        return uplink_retry_replaced_us(random_bits());
    if (asked_us)
        return asked_us;
    if (u->changed_us && clock_monotonic_us() - u->changed_us < CHANGE_US && u->failures == 0)
        return 0;
    return uplink_retry_us(u->failures, random_bits());
}

/* Nothing has come of it, and another way may lead there. */
static bool goes_another_way(struct uplink *u, unsigned code)
{
    bool in_vain = u->way.returning && u->state != STATE_LEAVING && code == HELPER_END_BROKEN;
    return (u->impatient || in_vain || code == HELPER_END_SILENT) &&
           uplink_ways_next(&u->way, u->config.ways);
}

static void end_connection(struct uplink *u, enum state state)
{
    bool was_up = u->state == STATE_UP;
    u->has_been |= was_up;
    enter(u, state);
    uplink_line_clear(u->line);
    uplink_streams_end(u->streams, "our uplink was lost");
    if (was_up)
        u->config.state(u->config.context, false, 0);
}

static void tell_failed(struct uplink *u, bool ours, unsigned code)
{
    bool was_up = u->has_been;
    u->has_been = false;
    if (!ours && !u->lost)
        u->config.failed(u->config.context, was_up, code);
}

/* The connection, or the attempt at one, is over. */
static void go_down(struct uplink *u, const char *cause, unsigned code)
{
    bool ours = u->state == STATE_LEAVING && !u->impatient, goes_on = goes_another_way(u, code);
    if (cause)
        snprintf(u->cause, sizeof(u->cause), "%s", cause);
    uint64_t wait_us = goes_on ? 0 : wait_of(u, code);
    u->failures += !goes_on;
    u->impatient = false;
    end_connection(u, STATE_DOWN);
    if (u->was_up ? !u->way.returning : !goes_on)
        tell_down(u);
    try_in(u, wait_us);
    if (!goes_on)
        tell_failed(u, ours, code);
}

static void leave(struct uplink *u, const char *cause, unsigned code)
{
    const struct helper_message m = {.kind = HELPER_UPLINK_LEAVE, .number = code};
    snprintf(u->cause, sizeof(u->cause), "%s", cause);
    end_connection(u, STATE_LEAVING);
    (void)!uplink_line_tell(u->line, &m); /* what fails here is told as a loss of the channel */
}

static void connect_now(struct uplink *u)
{
    const struct addr *addresses = NULL;
    struct helper_message m = {
        .kind = HELPER_UPLINK_CONNECT, .number = u->config.workers, .interface = u->way.interface};
    unsigned count = u->config.addresses(u->config.context, &addresses);
    if (is_idle(u) || (count == 0 && u->is_named))
        return; /* whoever finds it hurries us */
    m.address_count = count < HELPER_ADDRESSES_MAX ? count : HELPER_ADDRESSES_MAX;
    if (m.address_count)
        memcpy(m.addresses, addresses, m.address_count * sizeof(*addresses));
    helper_message_set_text(&m, u->instance);
    u->connection++;
    u->challenged = u->moves = false;
    uint64_t patience_us = uplink_ways_patience_us(&u->way, u->config.ways, u->failures);
    uv_timer_stop(&u->retry);
    if (uplink_line_tell(u->line, &m))
        return;
    enter(u, STATE_CONNECTING);
    if (patience_us)
        try_in(u, patience_us);
}

static void on_retry(uv_timer_t *timer)
{
    struct uplink *u = timer->data;
    if (u->state == STATE_DOWN) {
        connect_now(u);
    } else if (u->state == STATE_CONNECTING) {
        u->impatient = true;
        leave(u, "it does not answer in time", UPLINK_CLOSE_NORMAL);
    }
}

/* ---- the proof ---- */

static void send_proof(struct uplink *u)
{
    struct uplink_message m = {
        .kind = UPLINK_PROVE,
        .host = {(const uint8_t *)u->url.authority, strlen(u->url.authority)},
        .spki = {identity_spki(u->config.me), IDENTITY_SPKI_LEN},
        .signature = {u->proof.signature, sizeof(u->proof.signature)},
    };
    if (uplink_line_send(u->line, &m))
        leave(u, "our proof cannot be sent", UPLINK_CLOSE_UNPROVEN);
}

static void on_signed(uv_work_t *work, int status)
{
    struct uplink_proof *proof = work->data;
    struct uplink *u = proof->owner;
    u->signing = false;
    bool wanted = !u->closing && u->state == STATE_PROVING && u->challenged;
    if (wanted && u->signing_for != u->connection)
        leave(u, "a signature took too long", UPLINK_CLOSE_UNPROVEN);
    else if (wanted && (status || proof->err))
        leave(u, "our proof cannot be signed", UPLINK_CLOSE_UNPROVEN);
    else if (wanted)
        send_proof(u);
    release(u);
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
        leave(u, "our proof cannot be signed", UPLINK_CLOSE_UNPROVEN);
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
    enter(u, STATE_UP);
    uplink_ways_arrived(&u->way);
    log_info("backbone %s: uplink up%s", place_of(u),
             u->way.interface ? " by another way out, a standby" : "");
    uplink_streams_begin(u->streams, m->credit, m->streams);
    u->config.state(u->config.context, true, u->way.interface);
}

/* ---- what comes ---- */

static void break_off(struct uplink *u)
{
    leave(u, "the backbone broke the rules of an uplink", UPLINK_CLOSE_MALFORMED);
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
        u->asked_us = uplink_retry_asked_us(m->wait_ms, random_bits());
        break;
    case UPLINK_LIMITED:
        log_debug("backbone %s: over its rate of %s", place_of(u),
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

static void on_message(void *context, const struct uplink_message *m)
{
    struct uplink *u = context;
    if (u->state == STATE_PROVING)
        prove(u, m);
    else if (u->state == STATE_UP)
        talk(u, m);
}

static void on_malformed(void *context)
{
    struct uplink *u = context;
    if (u->state == STATE_PROVING || u->state == STATE_UP)
        break_off(u);
}

/* A helper that was started anew knows of no connection. */
static void on_ready(struct uplink *u)
{
    u->ready = true;
    if (u->state == STATE_DOWN)
        connect_now(u);
    else
        go_down(u, u->state == STATE_LEAVING ? NULL : "its process ended", 0);
}

static void on_open(struct uplink *u)
{
    uv_timer_stop(&u->retry);
    enter(u, STATE_PROVING);
}

static void on_closed(struct uplink *u, const struct helper_message *m)
{
    if (u->state == STATE_LEAVING)
        go_down(u, NULL, 0);
    else if (u->state != STATE_DOWN)
        go_down(u, m->text, (unsigned)m->number);
}

static void on_told(void *context, const struct helper_message *m)
{
    struct uplink *u = context;
    if (m->kind == HELPER_UPLINK_READY)
        on_ready(u);
    else if (m->kind == HELPER_UPLINK_OPEN && u->state == STATE_CONNECTING)
        on_open(u);
    else if (m->kind == HELPER_UPLINK_CLOSED)
        on_closed(u, m);
    else if (m->kind == HELPER_UPLINK_DROPPED)
        u->config.dropped(u->config.context, m->number);
}

/* The helper's keeper is gone with it, which another channel has told. */
static void on_lost(void *context)
{
    struct uplink *u = context;
    u->lost = true;
    if (u->state != STATE_DOWN)
        go_down(u, "its process ended", 0);
}

/* ---- what is asked of it ---- */

static int read_urls(struct uplink *u)
{
    struct http_url at;
    if (is_idle(u))
        return 0;
    if (!http_url_parse(place_of(u), &u->url) ||
        !http_url_parse(u->config.proxy ? u->config.proxy : place_of(u), &at))
        return ERR_SPACE;
    u->is_named = !at.is_address;
    return 0;
}

/* A URL whose host is too long leads nowhere: the one before stays. */
void uplink_move(struct uplink *u, const char *url)
{
    u->instance = url;
    (void)!read_urls(u);
    u->failures = 0;
    u->moves = true;
    if (u->state == STATE_DOWN)
        try_in(u, 0);
    else if (u->state != STATE_LEAVING)
        leave(u, "another instance takes its place", UPLINK_CLOSE_NORMAL);
}

void uplink_hurry(struct uplink *u)
{
    if (u->state != STATE_DOWN)
        return;
    u->failures = 0;
    try_in(u, 0);
}

void uplink_check(struct uplink *u)
{
    static const struct helper_message check = {.kind = HELPER_UPLINK_CHECK};
    if (u->state == STATE_UP)
        (void)!uplink_line_tell(u->line, &check);
}

void uplink_network_changed(struct uplink *u)
{
    u->changed_us = clock_monotonic_us();
    uplink_check(u);
    uplink_hurry(u);
}

void uplink_heard(struct uplink *u, uint32_t interface, bool answered, uint64_t now_us)
{
    bool due = uplink_ways_heard(&u->way, interface, answered, now_us);
    if (!due || u->state != STATE_UP)
        return;
    log_info("backbone %s: uplink: the way out that the system prefers answers again: back to it",
             place_of(u));
    uplink_ways_return(&u->way);
    u->moves = true;
    leave(u, "it goes back to the way out that the system prefers", UPLINK_CLOSE_NORMAL);
}

void uplink_dial(struct uplink *u, uint64_t conn, const struct target *to)
{
    uplink_streams_dial(u->streams, conn, &to->id);
}

static void say(struct uplink *u, const struct uplink_message *m)
{
    if (u->state == STATE_UP && uplink_line_send(u->line, m))
        leave(u, "it takes too little", UPLINK_CLOSE_SLOW);
}

void uplink_pair(struct uplink *u, const struct node_id *id, bool on)
{
    const struct uplink_message m = {.kind = UPLINK_PAIR, .id = *id, .on = on};
    say(u, &m);
}

void uplink_relay(struct uplink *u, const struct node_id *id)
{
    const struct uplink_message m = {.kind = UPLINK_RELAY, .id = *id};
    say(u, &m);
}

struct uplink_status uplink_status(const struct uplink *u)
{
    const char *state = is_down(u->state) ? "down" : u->state == STATE_UP ? "up" : "proving";
    return (struct uplink_status){state, u->since_us, u->cause, u->state == STATE_UP ? u->way.interface : 0};
}

/* ---- life ---- */

static int open_parts(struct uplink *u)
{
    const struct uplink_line_events events = {on_told, on_message, on_malformed, on_lost, u};
    int err = uplink_line_new(u->config.loop, u->config.fd, &events, &u->line);
    const struct uplink_streams_config streams = {u->config.loop, u->config.backbone, u->line,
                                                  u->config.streams};
    return err ? err : uplink_streams_new(&streams, &u->streams);
}

int uplink_new(const struct uplink_config *config, struct uplink **out)
{
    struct uplink *u = calloc(1, sizeof(*u));
    if (!u) {
        close(config->fd);
        return ERR_NOMEM;
    }
    u->config = *config;
    u->instance = "";
    u->since_us = clock_monotonic_us();
    u->proof.me = config->me;
    u->proof.owner = u;
    u->proof.work.data = &u->proof;
    uv_timer_init(config->loop, &u->retry);
    u->retry.data = u;
    u->handles = 1;
    int err = open_parts(u);
    if (!err)
        err = read_urls(u);
    if (err)
        uplink_close(u);
    else
        *out = u;
    return err;
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void uplink_close(struct uplink *u)
{
    if (!u)
        return;
    u->closing = true;
    uplink_streams_close(u->streams);
    uplink_line_close(u->line);
    uv_close((uv_handle_t *)&u->retry, on_timer_closed);
}
