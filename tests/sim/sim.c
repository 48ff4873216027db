/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include "sim_impl.h"

#include "base/clock.h"
#include "control_datagram.h"
#include "crypto/secret.h"
#include "crypto/tls.h"
#include "deadlines.h"
#include "sim_random.h"
#include "proto/link/link_work.h"
#include "proto/mesh/mesh_state.h"
#include "proto/relay/relay.h"
#include "proto/wire/wire.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_PATTERN 0x5a
#define FRAME_GROUP   0xff /* the first byte of one to everybody */

static uint32_t interface_of(const void *context, const struct addr *a)
{
    const struct sim_node *n = context;
    return addr_same_host(&n->standby, a) ? SIM_STANDBY : addr_same_host(&n->addr, a);
}

static void leave(struct sim_node *n, const struct endpoint *to, unsigned hops, const uint8_t *data,
                  size_t len)
{
    if (to->interface && n->standby.family)
        sim_send(n->sim, &n->standby, &to->remote, data, len);
    else if (!n->cut)
        sim_leave_by(n, sim_side_port(n, to->side), &to->remote, hops, data, len);
}

static void send_datagram(struct sim_node *n, const struct endpoint *to, unsigned hops, const uint8_t *data,
                          size_t len)
{
    struct sim *sim = n->sim;
    if (to->carrier == CARRIER_UPLINK) {
        sim_send_by_uplink(n, &to->peer, data, len);
        return;
    }
    if (to->carrier == CARRIER_TCP) {
        sim_send_by_trunk(n, to->conn, data, len);
        return;
    }
    if (sim->weather.no_udp)
        sim_keep_probe(n, data, len);
    n->mapped = true;
    n->datagrams++;
    if (to->local.family && !interface_of(n, &to->local))
        return;
    if (to->carrier != CARRIER_RELAY) {
        leave(n, to, hops, data, len);
        return;
    }
    uint8_t enveloped[ENVELOPE_LEN + WIRE_DATAGRAM_MAX];
    const struct envelope e = {ENVELOPE_DATAGRAM, to->channel};
    envelope_encode(&e, enveloped);
    memcpy(enveloped + ENVELOPE_LEN, data, len);
    leave(n, to, hops, enveloped, ENVELOPE_LEN + len);
}

static uint64_t extra_us(struct sim *sim, const struct addr *a)
{
    const struct sim_node *n = sim_node_at(sim, a);
    return n ? n->far_us : 0;
}

void sim_send(struct sim *sim, const struct addr *from, const struct addr *to, const uint8_t *data,
              size_t len)
{
    bool fits = !sim->weather.no_udp && (!sim->weather.size_max || len <= sim->weather.size_max);
    for (int copies = sim_chance(sim, sim->weather.duplicate) ? 2 : 1; fits && copies > 0; copies--) {
        if (sim_chance(sim, sim->weather.loss) ||
            (sim->weather.data_loss > 0 && data[0] == WIRE_DATA && sim_chance(sim, sim->weather.data_loss)))
            continue;
        sim_push(sim, (struct event){.at_us = sim->now_us + sim_travel(sim) + extra_us(sim, from) +
                                              extra_us(sim, to),
                                     .kind = EVENT_DATAGRAM,
                                     .from = *from,
                                     .to = *to,
                                     .data = sim_copy(data, len),
                                     .len = len});
    }
}

struct sim_node *sim_node_at(struct sim *sim, const struct addr *a)
{
    for (unsigned i = 0; i < sim->node_count; i++)
        if (sim->nodes[i].mesh &&
            (addr_same_host(&sim->nodes[i].addr, a) || addr_same_host(&sim->nodes[i].standby, a)))
            return &sim->nodes[i];
    return NULL;
}

/* ---- tables ---- */

static void drop_slot(struct sim_node *n, uint32_t slot)
{
    size_t out = 0, in = 0;
    for (size_t i = 0; i < n->out_count; i++)
        if (n->out[i].slot != slot)
            n->out[out++] = n->out[i];
    for (size_t i = 0; i < n->in_count; i++)
        if (session_peer_slot(n->in[i]) != slot)
            n->in[in++] = n->in[i];
    n->out_count = out;
    n->in_count = in;
}

static void add_slot(struct sim_node *n, uint32_t slot)
{
    struct mesh_forward now;
    mesh_forward(n->mesh, slot, &now);
    if (now.tx) {
        assert(n->out_count < SIM_NODES_MAX);
        n->out[n->out_count].slot = slot;
        n->out[n->out_count].tx = now.tx;
        n->out[n->out_count].has_path = now.path != NULL;
        n->out[n->out_count].size = now.path ? now.path->size : 0;
        n->out[n->out_count++].endpoint = now.path ? now.path->endpoint : (struct endpoint){0};
    }
    assert(n->in_count + now.rx_count <= SIM_IN_MAX);
    memcpy(n->in + n->in_count, now.rx, now.rx_count * sizeof(now.rx[0]));
    n->in_count += now.rx_count;
    /* By which workers share the peers: the same after every change of keys. */
    for (size_t i = 0; i < now.rx_count; i++)
        assert(session_peer_slot(now.rx[i]) == slot && (session_rx_index(now.rx[i]) & 0xff) == (slot & 0xff));
}

static bool receives(const struct sim_node *n, const struct session *s)
{
    for (size_t i = 0; i < n->in_count; i++)
        if (n->in[i] == s)
            return true;
    return false;
}

static bool sends(const struct sim_node *n, uint32_t slot, const struct mesh_forward *now)
{
    for (size_t i = 0; i < n->out_count; i++)
        if (n->out[i].slot == slot)
            return n->out[i].tx == now->tx && n->out[i].has_path == (now->path != NULL) &&
                   (!now->path || (n->out[i].size == now->path->size &&
                                   endpoint_same(&n->out[i].endpoint, &now->path->endpoint)));
    return !now->tx;
}

/* What was told peer by peer is what a walk over all of them finds. */
static void check_tables(const struct sim_node *n)
{
    size_t in = 0, out = 0;
    for (uint32_t slot = 0; slot < n->mesh->slot_end; slot++) {
        struct mesh_forward now;
        mesh_forward(n->mesh, slot, &now);
        assert(sends(n, slot, &now));
        for (size_t i = 0; i < now.rx_count; i++)
            assert(receives(n, now.rx[i]));
        in += now.rx_count;
        out += now.tx != NULL;
    }
    assert(in == n->in_count && out == n->out_count);
    (void)in, (void)out;
}

static void publish(struct sim_node *n)
{
    uint32_t slot;
    while (n->mesh && slot_set_take(&n->stale, &slot)) {
        drop_slot(n, slot);
        add_slot(n, slot);
    }
    for (size_t i = 0; i < n->retired_count; i++)
        session_free(n->retired[i]);
    n->retired_count = 0;
}

/* ---- outputs ---- */

static bool usable(const void *context, const struct addr *a)
{
    (void)context;
    return a->ip[0] != 10; /* as if 10/8 were the overlay */
}

static bool in_scope(const void *context, const struct addr *a, const struct candidate *list, unsigned count)
{
    (void)list, (void)count;
    return !addr_same_host(a, &((const struct sim_node *)context)->out_of_scope);
}

static struct sim_node *listener(struct sim *sim, const struct addr *to)
{
    struct sim_node *other = sim_node_at(sim, to);
    return other && to->port == other->addr.port - 1000 ? other : NULL;
}

static uint64_t pipe_travel(struct sim *sim, const struct pipe_ends *p)
{
    return p->by_uplink ? sim->weather.uplink_us : sim_travel(sim);
}

static void dial(struct sim_node *n, uint64_t conn, const struct target *target)
{
    struct sim *sim = n->sim;
    unsigned number = sim->pipe_count++;
    sim->pipes = reallocarray(sim->pipes, sim->pipe_count, sizeof(*sim->pipes));
    assert(sim->pipes);
    bool by_uplink = target->kind == TARGET_UPLINK;
    struct sim_node *other = by_uplink ? sim_uplinked(sim, &target->id) : listener(sim, &target->addr);
    n->opened += by_uplink;
    sim->pipes[number] = (struct pipe_ends){{n, conn, 0, false}, {other, 0, 0, false}, true, by_uplink};
    bool severed = other && sim->severed[n->number][other->number];
    if (other && (other->shut || other->deaf || severed) && !by_uplink)
        return; /* nobody answers */
    bool listens = other != NULL;
    sim_push(sim, (struct event){.at_us = sim->now_us + pipe_travel(sim, &sim->pipes[number]),
                                 .kind = listens ? EVENT_ACCEPT : EVENT_CLOSED,
                                 .pipe = number,
                                 .to_dialler = !listens});
    if (by_uplink) /* nobody waits for an answer there */
        sim_push(sim, (struct event){
                          .at_us = sim->now_us, .kind = EVENT_CONNECTED, .pipe = number, .to_dialler = true});
}

struct pipe_ends *sim_pipe_of(struct sim_node *n, uint64_t conn, bool *is_dialler, unsigned *number)
{
    struct sim *sim = n->sim;
    for (unsigned i = sim->pipe_count; i-- > 0;) {
        struct pipe_ends *p = &sim->pipes[i];
        *number = i;
        *is_dialler = p->dialler.node == n && p->dialler.conn == conn;
        if (p->open && (*is_dialler || (p->listener.node == n && p->listener.conn == conn)))
            return p;
    }
    return NULL;
}

void sim_on_pipe(struct sim_node *n, uint64_t conn, enum event_kind kind, const uint8_t *data, size_t len)
{
    bool is_dialler;
    unsigned number;
    struct pipe_ends *p = sim_pipe_of(n, conn, &is_dialler, &number);
    if (!p)
        return;
    struct pipe_end *far = is_dialler ? &p->listener : &p->dialler;
    uint64_t at = n->sim->now_us + pipe_travel(n->sim, p);
    if (at < far->ready_us)
        at = far->ready_us;
    far->ready_us = at;
    sim_push(n->sim, (struct event){.at_us = at,
                                    .kind = kind,
                                    .pipe = number,
                                    .to_dialler = !is_dialler,
                                    .data = sim_copy(data, len),
                                    .len = len});
}

static void stream_send(struct sim_node *n, uint64_t conn, const uint8_t *data, size_t len)
{
    publish(n);
    n->stream_bytes += len;
    n->chunks++;
    sim_on_pipe(n, conn, EVENT_BYTES, data, len);
}

static void retire(struct sim_node *n, struct session *session)
{
    assert(n->retired_count < 256);
    n->retired[n->retired_count++] = session;
}

/* At once, as if a node's pool were infinitely fast. */
static void work(struct sim_node *n, struct link_work *w)
{
    if (n->holds_work) {
        assert(n->held_count < SIM_WORK_MAX);
        n->held[n->held_count++] = w;
        return;
    }
    link_work_run(w);
    mesh_on_worked(n->mesh, w, n->sim->now_us);
}

static void notice(struct sim_node *n, enum mesh_notice what, const char *text)
{
    n->notes[what]++;
    sim_trace_bytes(n->sim, text, strlen(text));
    snprintf(n->last_note[what], sizeof(n->last_note[what]), "%s", text);
    if (getenv("SIM_TRACE"))
        fprintf(stderr, "%10.3f node %u: notice %d: %s\n", (double)n->sim->now_us / 1e6, n->number, (int)what,
                text);
}

/* Bytes of a record and its signature. */
static void sim_take_record(struct sim_node *n, const uint8_t *whole, size_t len)
{
    static struct record record;
    size_t data_len = len - IDENTITY_SIGNATURE_LEN;
    const uint8_t *signature = whole + data_len;
    const struct mesh_record verified = {&record, {{whole, data_len}, {signature, IDENTITY_SIGNATURE_LEN}}};
    if (record_verify(whole, data_len, signature, IDENTITY_SIGNATURE_LEN, &record) == 0)
        n->kept += mesh_on_record(n->mesh, &verified, n->sim->now_us);
    else
        n->drops[DROP_RECORD]++;
}

void sim_sign(struct sim_node *n, uint64_t seq)
{
    static struct record record;
    static uint8_t whole[RECORD_MAX + IDENTITY_SIGNATURE_LEN];
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
    size_t len;
    record = (struct record){.id = *identity_id(n->identity), .seq = seq, .candidate_count = 1};
    memcpy(record.spki, identity_spki(n->identity), sizeof(record.spki));
    record.candidates[0] = (struct candidate){CANDIDATE_HOST, n->addr, (uint16_t)(n->addr.port - 1000)};
    int err = record_sign(&record, n->identity, whole, RECORD_MAX, &len, signature);
    assert(!err);
    const struct mesh_record own = {&record, {{whole, len}, {signature, sizeof(signature)}}};
    err = mesh_set_own_record(n->mesh, &own);
    assert(!err);
}

static void do_one(struct sim_node *n, const struct mesh_output *o)
{
    switch (o->kind) {
    case MESH_OUTPUT_PUBLISH:
        slot_set_add(&n->stale, o->slot);
        break;
    case MESH_OUTPUT_DIAL:
        dial(n, o->conn, &o->target);
        break;
    case MESH_OUTPUT_STREAM_SEND:
        stream_send(n, o->conn, o->payload, o->len);
        break;
    case MESH_OUTPUT_STREAM_ABORT:
        n->aborted++;
        n->drops[DROP_STRANGER] += o->stranger;
        sim_on_pipe(n, o->conn, EVENT_CLOSED, (const uint8_t *)"", 0);
        break;
    case MESH_OUTPUT_STREAM_CLOSE:
        n->closed++;
        sim_on_pipe(n, o->conn, EVENT_CLOSED, (const uint8_t *)"", 0);
        break;
    case MESH_OUTPUT_TRUNK:
        sim_take_trunk(n, o->conn, o->payload, o->len);
        break;
    case MESH_OUTPUT_DATAGRAM:
        publish(n);
        if (!n->mute || o->payload[0] != WIRE_CONTROL)
            send_datagram(n, &o->endpoint, o->hops, o->payload, o->len);
        break;
    case MESH_OUTPUT_LOOK:
        sim_look(n, o->slot);
        break;
    case MESH_OUTPUT_DRAW:
        publish(n);
        sim_draw(n, o);
        break;
    case MESH_OUTPUT_SIDE_CLOSE:
        publish(n);
        sim_close_side(n, o->side);
        break;
    case MESH_OUTPUT_WORK:
        n->stranger_works += o->stranger;
        work(n, o->work);
        break;
    case MESH_OUTPUT_RETIRE:
        retire(n, o->session);
        break;
    case MESH_OUTPUT_WANT:
    case MESH_OUTPUT_FORGET:
        n->wants = o->kind == MESH_OUTPUT_WANT;
        break;
    case MESH_OUTPUT_OVERLAY:
    case MESH_OUTPUT_GONE:
        break;
    case MESH_OUTPUT_NOTICE:
        notice(n, o->notice, (const char *)o->payload + strlen((const char *)o->payload) + 1);
        break;
    case MESH_OUTPUT_PAIR:
        n->pairs++;
        sim_pair(n, &o->id, o->pair.on);
        break;
    case MESH_OUTPUT_RELAY:
        n->asks++;
        sim_ask_relay(n, &o->id);
        break;
    case MESH_OUTPUT_CHECK:
        n->checks++;
        break;
    case MESH_OUTPUT_VERIFY:
        n->verified++;
        sim_take_record(n, o->payload, o->len);
        break;
    case MESH_OUTPUT_PONG:
        n->pong_us = o->rtt_us;
        break;
    }
}

void sim_do_outputs(struct sim_node *n)
{
    const struct mesh_output *o;
    while (n->mesh && (o = mesh_take_output(n->mesh)))
        do_one(n, o);
    if (!n->mesh)
        return;
    check_deadlines(n->mesh, n->sim->now_us);
    if (!n->stale.count)
        check_tables(n);
}

static void return_work(struct sim_node *n, bool done)
{
    struct link_work *held[SIM_WORK_MAX];
    size_t count = n->held_count;
    memcpy(held, n->held, sizeof(held));
    n->held_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (done)
            link_work_run(held[i]);
        mesh_on_worked(n->mesh, held[i], n->sim->now_us);
    }
}

void sim_do_work(struct sim_node *n)
{
    return_work(n, true);
    sim_do_outputs(n);
}

void sim_give_work_back(struct sim_node *n)
{
    return_work(n, false);
    sim_do_outputs(n);
}

/* ---- nodes ---- */

/* The mesh's share of what sim_random_seed has made foreseeable. */
static void fill(void *context, void *out, size_t len)
{
    (void)context;
    secret_random(out, len);
}

static uint32_t count_floods(const void *context, uint32_t slot)
{
    const struct sim_node *n = context;
    return n->floods[slot % SIM_NODES_MAX];
}

static void start(struct sim_node *n, bool is_public, uint64_t ratchet_us, uint64_t rehandshake_us)
{
    char name[16];
    sim_start_relaying(n);
    snprintf(name, sizeof(name), "node-%u", n->number);
    const struct mesh_config config = {.me = n->identity,
                                       .name = name,
                                       .is_public = is_public,
                                       .full_mesh = n->full_mesh,
                                       .lanes = 1,
                                       .mtu = 1500,
                                       .ratchet_us = ratchet_us,
                                       .rehandshake_us = rehandshake_us,
                                       .local_max = 1472,
                                       .carriers = n->carriers,
                                       .sides = SIDES_MAX,
                                       .desk = n->desk,
                                       .features_off = n->features_off,
                                       .control_idle_us = n->control_idle_us,
                                       .quiet_us = n->quiet_us,
                                       .filter = {usable, in_scope, interface_of, n},
                                       .floods = {count_floods, n},
                                       .random = {.fill = fill}};
    int err = mesh_new(&config, &n->mesh);
    assert(err == 0);
    (void)err;
    const struct candidate here = {CANDIDATE_HOST, n->addr, (uint16_t)(n->addr.port - 1000)};
    mesh_set_candidates(n->mesh, &here, 1, n->sim->now_us);
}

static struct addr fresh_address(struct sim *sim)
{
    struct addr a = {.family = 4, .port = 9443};
    unsigned number = ++sim->addresses;
    a.ip[0] = 198;
    a.ip[1] = 18;
    a.ip[2] = (uint8_t)(number >> 8);
    a.ip[3] = (uint8_t)number;
    return a;
}

static struct {
    bool is_public;
    uint64_t ratchet_us, rehandshake_us;
} started[SIM_NODES_MAX];

struct sim_node *sim_add(struct sim *sim, bool is_public, uint64_t ratchet_us, uint64_t rehandshake_us)
{
    assert(sim->node_count < SIM_NODES_MAX);
    struct sim_node *n = &sim->nodes[sim->node_count];
    *n = (struct sim_node){.sim = sim, .number = sim->node_count++, .addr = fresh_address(sim)};
    int err = identity_generate(&n->identity);
    assert(err == 0);
    (void)err;
    started[n->number].is_public = is_public;
    started[n->number].ratchet_us = ratchet_us;
    started[n->number].rehandshake_us = rehandshake_us;
    start(n, is_public, ratchet_us, rehandshake_us);
    return n;
}

struct sim_node *sim_add_carried(struct sim *sim, enum carriers carriers)
{
    struct sim_node *n = sim_add(sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    n->carriers = carriers;
    sim_start_anew(n);
    return n;
}

void sim_start_anew(struct sim_node *n)
{
    mesh_free(n->mesh);
    sim_stop_relaying(n);
    sim_restart(n);
}

struct sim_node *sim_add_copy(struct sim_node *original)
{
    struct sim *sim = original->sim;
    assert(sim->node_count < SIM_NODES_MAX);
    struct sim_node *n = &sim->nodes[sim->node_count];
    *n = (struct sim_node){.sim = sim,
                           .number = sim->node_count++,
                           .identity = original->identity,
                           .is_copy = true,
                           .addr = fresh_address(sim)};
    started[n->number] = started[original->number];
    sim_restart(n);
    return n;
}

void sim_cut(struct sim *sim, unsigned number)
{
    struct pipe_ends *p = &sim->pipes[number];
    if (!p->open)
        return;
    /* after what is on its way already */
    for (int dialler = 0; dialler < 2; dialler++) {
        uint64_t ready_us = dialler ? p->dialler.ready_us : p->listener.ready_us;
        sim_push(sim, (struct event){.at_us = ready_us > sim->now_us ? ready_us : sim->now_us,
                                     .kind = EVENT_CLOSED,
                                     .pipe = number,
                                     .to_dialler = dialler});
    }
}

static void cut_streams_of(struct sim_node *n)
{
    for (unsigned i = 0; i < n->sim->pipe_count; i++)
        if (n->sim->pipes[i].dialler.node == n || n->sim->pipes[i].listener.node == n)
            sim_cut(n->sim, i);
}

void sim_cut_streams(struct sim *sim)
{
    for (unsigned i = 0; i < sim->pipe_count; i++)
        sim_cut(sim, i);
}

void sim_kill(struct sim_node *n)
{
    sim_uplink(n, false);
    cut_streams_of(n);
    n->out_count = n->in_count = 0;
    return_work(n, false);
    n->stale = (struct slot_set){0};
    memset(n->sides, 0, sizeof(n->sides));
    n->drawn.until_us = 0;
    mesh_free(n->mesh);
    n->mesh = NULL;
    sim_stop_relaying(n);
    publish(n);
}

void sim_restart(struct sim_node *n)
{
    start(n, started[n->number].is_public, started[n->number].ratchet_us, started[n->number].rehandshake_us);
}

void sim_move(struct sim_node *n)
{
    n->addr = fresh_address(n->sim);
    cut_streams_of(n);
    const struct candidate here = {CANDIDATE_HOST, n->addr, (uint16_t)(n->addr.port - 1000)};
    mesh_set_candidates(n->mesh, &here, 1, n->sim->now_us);
    mesh_network_changed(n->mesh, 1472, n->sim->now_us);
    sim_do_outputs(n);
}

void sim_want(struct sim_node *a, const struct sim_node *b)
{
    int err = mesh_connect(a->mesh, identity_id(b->identity));
    assert(err == 0);
    (void)err;
    mesh_tick(a->mesh, a->sim->now_us);
    sim_do_outputs(a);
}

void sim_connect(struct sim_node *a, struct sim_node *b, const struct node_id *expected_id)
{
    const struct node_id *id = expected_id ? expected_id : identity_id(b->identity);
    int err = mesh_connect(a->mesh, id);
    assert(err == 0);
    (void)err;
    struct addr control = b->addr;
    control.port = (uint16_t)(control.port - 1000);
    mesh_set_given_addresses(a->mesh, id, &control, 1, a->sim->now_us);
    sim_do_outputs(a);
}

/* ---- frames ---- */

/* As a worker does behind each run. */
static void tell_lanes(struct sim_node *n, struct session *s)
{
    if (session_asks(s))
        mesh_on_lanes(n->mesh, session_peer_slot(s), n->sim->now_us);
}

static void on_data(struct sim_node *n, uint8_t *data, size_t len)
{
    struct wire_header h;
    enum drop drop = wire_header_decode(data, len, &h);
    struct session *s = NULL;
    for (size_t i = 0; !drop && i < n->in_count; i++)
        if (session_rx_index(n->in[i]) == h.receiver)
            s = n->in[i];
    uint8_t *plain;
    size_t plain_len;
    if (!drop)
        drop = s ? session_open(s, &h, data, len, &plain, &plain_len) : DROP_RECEIVER;
    n->drops[drop]++;
    if (drop)
        return;
    assert(plain[plain_len - 1] == FRAME_PATTERN);
    n->frames_received++;
    n->floods[session_peer_slot(s) % SIM_NODES_MAX] += plain[WIRE_INNER_LEN] == FRAME_GROUP;
    n->last_frame_us = n->sim->now_us;
    tell_lanes(n, s);
}

static bool send_frame(struct sim_node *a, const struct sim_node *b, uint8_t first, size_t len)
{
    struct mesh_peer peer;
    if (!a->mesh || !sim_peer(a, b, &peer))
        return false;
    for (size_t i = 0; i < a->out_count; i++) {
        if (a->out[i].slot != peer.slot || !a->out[i].has_path)
            continue;
        uint8_t inner[WIRE_INNER_LEN], frame[2048], datagram[4096];
        memset(frame, FRAME_PATTERN, sizeof(frame));
        frame[0] = first;
        wire_inner_encode(&(struct wire_inner){0}, inner);
        const struct slice pieces[] = {{inner, sizeof(inner)}, {frame, len}};
        int n = session_seal(a->out[i].tx, WIRE_DATA, 0, pieces, 2, datagram);
        if (n < 0)
            return false;
        a->frames_sent++;
        a->floods[peer.slot % SIM_NODES_MAX] += first == FRAME_GROUP;
        tell_lanes(a, a->out[i].tx);
        send_datagram(a, &a->out[i].endpoint, 0, datagram, (size_t)n);
        return true;
    }
    return false;
}

bool sim_send_frame(struct sim_node *a, const struct sim_node *b, size_t len)
{
    return send_frame(a, b, FRAME_PATTERN, len);
}

bool sim_flood_frame(struct sim_node *a, const struct sim_node *b, size_t len)
{
    return send_frame(a, b, FRAME_GROUP, len);
}

void sim_say(struct sim_node *a, const struct sim_node *b, const struct message *message)
{
    struct mesh_peer peer;
    uint8_t inner[WIRE_INNER_LEN], encoded[MESSAGE_MAX], datagram[MESSAGE_MAX + WIRE_OVERHEAD];
    struct writer w = writer_init(encoded, sizeof(encoded));
    bool known = sim_peer(a, b, &peer);
    assert(known);
    message_encode(message, &w);
    wire_inner_encode(&(struct wire_inner){0}, inner);
    const struct slice pieces[] = {{inner, sizeof(inner)}, {encoded, writer_len(&w)}};
    for (size_t i = 0; i < a->out_count; i++) {
        if (a->out[i].slot != peer.slot)
            continue;
        int n = session_seal(a->out[i].tx, WIRE_CONTROL, WIRE_LANE_CONTROL, pieces, 2, datagram);
        assert(n > 0);
        send_datagram(a, &a->out[i].endpoint, 0, datagram, (size_t)n);
    }
}

/* ---- the loop ---- */

struct peer_search {
    struct node_id id;
    struct mesh_peer *out;
    bool found;
};

static void match(void *context, const struct mesh_peer *peer)
{
    struct peer_search *s = context;
    if (id_compare(&peer->id, &s->id) != 0)
        return;
    s->found = true;
    *s->out = *peer;
}

bool sim_peer(const struct sim_node *a, const struct sim_node *b, struct mesh_peer *out)
{
    struct peer_search s = {*identity_id(b->identity), out, false};
    mesh_peers(a->mesh, match, &s);
    return s.found;
}

bool sim_connected(const struct sim_node *a, const struct sim_node *b)
{
    struct mesh_peer peer;
    return a->mesh && sim_peer(a, b, &peer) && peer.state == MESH_PEER_CONNECTED &&
           peer.path.endpoint.carrier != CARRIER_NONE;
}

void sim_arrive(struct sim_node *n, const struct endpoint *from, uint8_t *data, size_t len)
{
    struct wire_header h;
    if (wire_header_decode(data, len, &h) == DROP_NONE && h.type == WIRE_DATA)
        on_data(n, data, len);
    else
        n->drops[control_datagram(n->mesh, from, data, len, n->sim->now_us)]++;
    sim_do_outputs(n);
}

static void arrive_relayed(struct sim_node *n, const struct event *e)
{
    struct envelope envelope;
    enum drop drop = envelope_decode(e->data, e->len, &envelope);
    const struct endpoint straight = endpoint_udp(&e->from);
    struct endpoint from = endpoint_relay(&e->from, envelope.channel);
    if (addr_equal(&e->to, &n->standby))
        from.local = n->standby;
    from.local.port = 0;
    if (drop)
        n->drops[drop]++;
    else if (envelope.kind == ENVELOPE_DATAGRAM && !sim_pass_on(n, e, envelope.channel))
        sim_arrive(n, &from, e->data + ENVELOPE_LEN, e->len - ENVELOPE_LEN);
    else if (envelope.kind == ENVELOPE_MESSAGE)
        n->drops[mesh_on_relay_message(n->mesh, &straight, e->data, e->len, n->sim->now_us)]++;
    sim_do_outputs(n);
}

static void deliver_datagram(struct sim *sim, struct event *e)
{
    if (sim_at_relay(sim, e))
        return;
    uint16_t port;
    struct sim_node *n = sim_enter(sim, &e->from, &e->to, &port);
    if (n && (n->asleep || (n->cut && addr_equal(&e->to, &n->addr))))
        return;
    bool relayed = wire_classify(e->data, e->len) == WIRE_CLASS_RELAY;
    const struct sim_node *sender = sim_node_at(sim, &e->from);
    if (!n || (sender && sim->severed[sender->number][n->number]) || (n->behind_nat && !n->mapped) ||
        (n->shut && !relayed))
        return;
    if (relayed) {
        arrive_relayed(n, e);
        return;
    }
    struct endpoint from = {.carrier = CARRIER_UDP, .local = n->addr, .remote = e->from};
    from.local.port = 0;
    from.side = (uint8_t)sim_side_at(n, port);
    if (!sim_meet(n, &from, port, e->data, e->len))
        sim_arrive(n, &from, e->data, e->len);
    sim_do_outputs(n);
}

uint64_t sim_accept(struct mesh *m, const struct addr *from, uint64_t now_us)
{
    const struct target target = target_tcp(from);
    return mesh_on_accept(m, &target, now_us);
}

static uint64_t arrive_on(struct sim_node *n, const struct pipe_ends *p)
{
    const struct target by_uplink = sim_opener(p->dialler.node);
    return p->by_uplink ? mesh_on_accept(n->mesh, &by_uplink, n->sim->now_us)
                        : sim_accept(n->mesh, &p->dialler.node->addr, n->sim->now_us);
}

size_t sim_client_hello(const struct sim_node *n, uint8_t *out, size_t cap)
{
    struct tls_context *context;
    struct tls *tls;
    int err = tls_context_new(n->identity, &context);
    if (!err)
        err = tls_new(context, false, NULL, &tls);
    if (!err)
        err = tls_feed(tls, NULL, 0);
    assert(!err);
    (void)err;
    size_t len = tls_take_output(tls, out, cap);
    tls_free(tls);
    tls_context_free(context);
    return len;
}

static void deliver_stream(struct sim *sim, struct event *e)
{
    struct pipe_ends *p = &sim->pipes[e->pipe];
    struct pipe_end *end = e->to_dialler ? &p->dialler : &p->listener;
    struct sim_node *n = end->node;
    if (n && n->asleep)
        return;
    if (e->kind == EVENT_ACCEPT && !p->dialler.node)
        return; /* it was cut before it arrived */
    if (!n || !n->mesh || !p->open) {
        /* the other side learns that nobody is there */
        if (p->open && e->kind == EVENT_ACCEPT && p->dialler.node->mesh)
            sim_push(sim,
                     (struct event){
                         .at_us = sim->now_us, .kind = EVENT_CLOSED, .pipe = e->pipe, .to_dialler = true});
        return;
    }
    switch (e->kind) {
    case EVENT_ACCEPT:
        end->conn = arrive_on(n, p);
        n->refused += !end->conn;
        if (p->by_uplink && end->conn)
            break;
        sim_push(sim, (struct event){.at_us = sim->now_us + pipe_travel(sim, p),
                                     .kind = end->conn ? EVENT_CONNECTED : EVENT_CLOSED,
                                     .pipe = e->pipe,
                                     .to_dialler = true});
        break;
    case EVENT_CONNECTED:
        mesh_on_connected(n->mesh, end->conn, sim->now_us);
        break;
    case EVENT_BYTES:
        if (end->trunk)
            sim_at_trunk(n, end->conn, e->data, e->len);
        else
            mesh_on_bytes(n->mesh, end->conn, e->data, e->len, sim->now_us);
        break;
    case EVENT_CLOSED:
        mesh_on_closed(n->mesh, end->conn, "the connection was closed", sim->now_us);
        if (e->to_dialler)
            sim->pipes[e->pipe].dialler.node = NULL;
        else
            sim->pipes[e->pipe].listener.node = NULL;
        break;
    case EVENT_DATAGRAM:
    case EVENT_UPLINKED:
    case EVENT_PAIR:
    case EVENT_PAIRED:
    case EVENT_RELAY:
    case EVENT_RELAYED:
    case EVENT_TOLD:
    case EVENT_SEEN:
        break;
    }
    sim_do_outputs(n);
}

static void tick_all(struct sim *sim)
{
    for (unsigned i = 0; i < sim->node_count; i++) {
        struct sim_node *n = &sim->nodes[i];
        sim_ask_address(n);
        while (n->mesh && !n->asleep && mesh_next_deadline(n->mesh, sim->now_us) <= sim->now_us) {
            mesh_tick(n->mesh, sim->now_us);
            n->ticks++;
        }
        sim_do_outputs(n);
        publish(n);
    }
}

void sim_run(struct sim *sim, uint64_t duration_us, void (*every_10ms)(void *context), void *context)
{
    uint64_t end = sim->now_us + duration_us;
    uint64_t next_tick = sim->now_us;
    while (sim->now_us < end) {
        while (sim->event_count && sim->events[0].at_us <= next_tick) {
            struct event e = sim_pop(sim);
            sim->now_us = e.at_us > sim->now_us ? e.at_us : sim->now_us;
            if (e.kind == EVENT_DATAGRAM)
                deliver_datagram(sim, &e);
            else if (e.kind >= EVENT_TOLD)
                sim_on_told(&sim->nodes[e.node], &e);
            else if (e.kind >= EVENT_UPLINKED)
                sim_at_backbone(sim, &e);
            else
                deliver_stream(sim, &e);
            free(e.data);
        }
        sim->now_us = next_tick;
        tick_all(sim);
        if (every_10ms)
            every_10ms(context);
        next_tick += 10000;
    }
}

struct sim *sim_new(uint64_t seed, const struct sim_weather *weather)
{
    struct sim *sim = calloc(1, sizeof(*sim));
    assert(sim);
    sim->weather = *weather;
    sim->random = seed * 0x9e3779b97f4a7c15ull + 1;
    sim->trace = 0xcbf29ce484222325ull;
    sim_random_seed(seed);
    sim->now_us = 1000 * USEC_PER_SEC;
    sim->events = calloc(EVENTS_MAX, sizeof(*sim->events));
    assert(sim->events);
    sim_restart_relay(sim);
    return sim;
}

void sim_free(struct sim *sim)
{
    for (unsigned i = 0; i < sim->node_count; i++) {
        return_work(&sim->nodes[i], false);
        mesh_free(sim->nodes[i].mesh);
        sim->nodes[i].mesh = NULL;
        sim_stop_relaying(&sim->nodes[i]);
        publish(&sim->nodes[i]);
        if (!sim->nodes[i].is_copy)
            identity_free(sim->nodes[i].identity);
    }
    while (sim->event_count)
        free(sim_pop(sim).data);
    relay_free(sim->relay);
    sim_free_nats(sim);
    free(sim->events);
    free(sim->pipes);
    free(sim);
}

struct sim_backbone *sim_backbone(struct sim *sim)
{
    return &sim->backbone;
}

struct sim_weather *sim_weather(struct sim *sim)
{
    return &sim->weather;
}

unsigned sim_dialled(const struct sim *sim)
{
    return sim->pipe_count;
}

uint64_t sim_trace(const struct sim *sim)
{
    return sim->trace;
}

uint64_t sim_now(const struct sim *sim)
{
    return sim->now_us;
}
