/* SPDX-License-Identifier: Apache-2.0 */
/* The lies: each is what an admitted peer can say at will, since it holds the keys. */

#include "lies.h"

#include "crypto/ratchet.h"
#include "crypto/secret.h"
#include "proto/session/fragment.h"
#include "proto/path/path.h"
#include "puppet_channel.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BATCH         48
#define FULL_SIZE     1400 /* UDP payload of a full-size probe, within any lab's path */
#define FRAME_LEN     64
#define MESSAGES_ONCE 32
#define TRUNKS_OPEN   8

static uint64_t next_random(struct rogue *r)
{
    r->random = r->random * 6364136223846793005ull + 1442695040888963407ull;
    return r->random >> 16;
}

static void seal(struct rogue *r, enum wire_type type, const void *body, size_t len)
{
    puppet_seal(&r->puppet, type, &(struct wire_inner){0}, body, len);
}

/* ---- datagrams ---- */

static unsigned probes(struct rogue *r, enum path_probe_kind kind, uint16_t size)
{
    uint8_t body[FULL_SIZE] = {0};
    for (unsigned i = 0; i < BATCH; i++) {
        struct path_probe probe = {.kind = kind, .size = size, .token = next_random(r)};
        if (kind == PATH_PROBE_ANSWER)
            probe.observed = (struct addr){.family = 4, .port = 1, .ip = {127, 0, 0, 1}};
        path_probe_encode(&probe, body);
        seal(r, WIRE_PROBE, body, size ? size - WIRE_OVERHEAD : PATH_PROBE_LEN);
    }
    puppet_flush(&r->puppet);
    return BATCH;
}

static unsigned small_probes(struct rogue *r)
{
    return probes(r, PATH_PROBE_REQUEST, 0);
}

static unsigned full_probes(struct rogue *r)
{
    return probes(r, PATH_PROBE_REQUEST, FULL_SIZE);
}

static unsigned unasked_answers(struct rogue *r)
{
    return probes(r, PATH_PROBE_ANSWER, 0);
}

/* No message, no probe: authentic noise. */
static unsigned garbage(struct rogue *r)
{
    uint8_t body[200];
    secret_random(body, sizeof(body));
    for (unsigned i = 0; i < BATCH; i++) {
        body[0] = (uint8_t)next_random(r);
        seal(r, WIRE_CONTROL, body, sizeof(body));
    }
    puppet_flush(&r->puppet);
    return BATCH;
}

/* First parts of messages whose other parts never come. */
static unsigned fragments(struct rogue *r)
{
    uint8_t body[600] = {0};
    for (unsigned i = 0; i < BATCH; i++) {
        const struct wire_inner inner = {
            .flags = WIRE_FLAG_FRAGMENT, .group = r->puppet.group++, .frag_total = MESSAGE_MAX};
        puppet_seal(&r->puppet, WIRE_CONTROL, &inner, body, sizeof(body));
    }
    puppet_flush(&r->puppet);
    return BATCH;
}

/* ---- the ratchet ---- */

static unsigned ratchet_message(struct rogue *r, enum message_type type, uint32_t step)
{
    struct message m = {.type = type};
    m.ratchet.step = step;
    m.ratchet.receiver_index = (uint32_t)next_random(r) | 1;
    secret_random(m.ratchet.key, sizeof(m.ratchet.key));
    puppet_control(&r->puppet, &m);
    return 1;
}

static unsigned wrong_offers(struct rogue *r)
{
    return ratchet_message(r, MESSAGE_RATCHET_OFFER, r->puppet.step + 1);
}

static unsigned wrong_answers(struct rogue *r)
{
    return ratchet_message(r, MESSAGE_RATCHET_ANSWER, r->puppet.step + (unsigned)next_random(r) % 2);
}

/* Another offer of the same step each time, every one a valid key. */
static unsigned same_step(struct rogue *r)
{
    struct ratchet_offer *offer;
    struct message m = {.type = MESSAGE_RATCHET_OFFER};
    m.ratchet.step = r->puppet.step + 1;
    m.ratchet.receiver_index = (uint32_t)next_random(r) | 1;
    if (ratchet_offer_new(&offer, m.ratchet.key))
        return 0;
    for (unsigned i = 0; i < MESSAGES_ONCE; i++)
        puppet_control(&r->puppet, &m);
    ratchet_offer_free(offer);
    return MESSAGES_ONCE;
}

static unsigned steps(struct rogue *r)
{
    unsigned before = r->puppet.steps;
    puppet_offer(&r->puppet);
    puppet_serve(&r->puppet);
    return r->puppet.steps - before;
}

/* ---- streams over the session ---- */

static unsigned streams_from(struct rogue *r, uint64_t offset)
{
    struct message m = {.type = MESSAGE_STREAM};
    for (unsigned i = 0; i < MESSAGES_ONCE; i++) {
        m.segment = (struct segment){.stream = (uint32_t)next_random(r),
                                     .flags = SEGMENT_FIRST,
                                     .offset = offset,
                                     .len = 600,
                                     .data = {22, 3, 1, 3, 0, 1}}; /* a ClientHello begins so */
        puppet_control(&r->puppet, &m);
    }
    return MESSAGES_ONCE;
}

/* Handshakes that begin and never go on. */
static unsigned streams(struct rogue *r)
{
    return streams_from(r, 0);
}

/* What is held until its beginning comes; it never does. */
static unsigned late_streams(struct rogue *r)
{
    return streams_from(r, 1000);
}

/* Answers to what was never sent, and ends of what never began. */
static unsigned wrong_segments(struct rogue *r)
{
    static const enum message_type types[] = {MESSAGE_STREAM, MESSAGE_STREAM_ANSWER, MESSAGE_STREAM_RESET};
    struct message m = {0};
    for (unsigned i = 0; i < MESSAGES_ONCE; i++) {
        m.type = types[i % 3];
        if (m.type == MESSAGE_STREAM)
            m.segment = (struct segment){.stream = (uint32_t)next_random(r) % 64,
                                         .flags = (uint8_t)next_random(r),
                                         .offset = UINT64_MAX - next_random(r) % 2000,
                                         .len = 100};
        else
            m.answered = (struct segment_answer){(uint32_t)next_random(r) % 64, next_random(r), UINT64_MAX};
        puppet_control(&r->puppet, &m);
    }
    return MESSAGES_ONCE;
}

/* Asks for channels to whomever, and gives some that nobody asked for. */
static unsigned relay_words(struct rogue *r)
{
    for (unsigned i = 0; i < MESSAGES_ONCE; i++) {
        struct message m = {.type = (enum message_type)(MESSAGE_RELAY_SEEK + i % 4)};
        for (unsigned j = 0; j < ID_LEN; j++)
            m.relay.id.bytes[j] = (uint8_t)next_random(r);
        if (m.type == MESSAGE_RELAY_FOUND)
            m.relay.rtt_us = 1;
        if (m.type == MESSAGE_RELAY_CHANNEL)
            m.relay.channel = (uint32_t)next_random(r) | 1;
        puppet_control(&r->puppet, &m);
    }
    return MESSAGES_ONCE;
}

/* ---- the control channel ---- */

static unsigned candidates(struct rogue *r)
{
    struct message m = {.type = MESSAGE_CANDIDATES};
    m.candidates.count = CANDIDATES_MAX;
    for (unsigned i = 0; i < MESSAGES_ONCE; i++) {
        for (unsigned j = 0; j < CANDIDATES_MAX; j++)
            m.candidates.list[j] = (struct candidate){
                .kind = CANDIDATE_HOST,
                .addr = {.family = 4, .port = 9, .ip = {198, 51, 200, (uint8_t)next_random(r)}},
                .control_port = 9};
        if (!puppet_say(&r->puppet, &m))
            return i;
    }
    return MESSAGES_ONCE;
}

static unsigned say_often(struct rogue *r, const uint8_t *body, size_t len)
{
    for (unsigned i = 0; i < MESSAGES_ONCE; i++)
        if (!puppet_say_bytes(&r->puppet, body, len))
            return i;
    return MESSAGES_ONCE;
}

static unsigned wakes(struct rogue *r)
{
    static const uint8_t wake[] = {0xa1, 0x00, MESSAGE_WAKE};
    return say_often(r, wake, sizeof(wake));
}

/* Messages of a version that does not exist. */
static unsigned unknown_messages(struct rogue *r)
{
    static const uint8_t unknown[MESSAGE_MAX] = {0xa2, 0x00, 0x18, 0xc8, 0x01, 0x59, 0x1f, 0xf8};
    return say_often(r, unknown, sizeof(unknown));
}

static unsigned links(struct rogue *r)
{
    r->hello.receiver_index = 0;
    return rogue_dial(r);
}

/* Rounds without end, at an address that is not its own, and at ports there. */
static unsigned punches(struct rogue *r)
{
    static uint32_t round;
    struct message m = {.type = MESSAGE_PUNCH,
                        .punch = {.round = ++round, .ports = 2, .first = 6000, .count = 255}};
    for (unsigned i = 0; i < CANDIDATES_MAX; i++) {
        m.punch.candidates.list[i] = (struct candidate){CANDIDATE_REFLEXIVE, r->bystander, 0};
        m.punch.candidates.list[i].addr.port = (uint16_t)(r->bystander.port + i);
    }
    m.punch.candidates.count = CANDIDATES_MAX;
    puppet_control(&r->puppet, &m);
    const struct message go = {.type = MESSAGE_PUNCH_GO, .punch_go = {round}};
    puppet_control(&r->puppet, &go);
    return 1;
}

/* HELLOs that contradict themselves, earlier ones, or the order of things. */
static unsigned hellos(struct rogue *r)
{
    struct hello honest = r->hello;
    struct hello *h = &r->hello;
    struct message again = {.type = MESSAGE_HELLO};
    static unsigned turn;
    switch (turn++ % 8) {
    case 0:
        h->lanes = 0;
        break;
    case 1:
        h->version_min = 9;
        h->version_max = 9;
        break;
    case 2:
        h->version_min = 2;
        h->version_max = 1;
        break;
    case 3:
        h->aeads[0] = 200;
        break;
    case 4:
        h->generation = UINT32_MAX;
        break;
    case 5:
        h->receiver_index = r->puppet.mine.receiver_index; /* of the link before */
        break;
    case 6:
        secret_random(h->boot, sizeof(h->boot));
        break;
    case 7:
        h->mac_count = 1;
        h->macs[0][0] = 0x33; /* a group address */
        break;
    }
    if (rogue_dial(r)) {
        again.hello = r->hello;
        again.hello.generation++;
        (void)puppet_say(&r->puppet, &again);
        (void)puppet_say(&r->puppet, &again);
    }
    r->hello = honest;
    return 1;
}

/* ---- frames ---- */

static unsigned frames(struct rogue *r)
{
    uint8_t frame[FRAME_LEN] = {0};
    memcpy(frame, r->destination, 6);
    memcpy(frame + 6, r->source, 6);
    memcpy(frame + 12, (uint8_t[]){0x88, 0xb5}, 2);
    for (unsigned i = 0; i < BATCH; i++)
        seal(r, WIRE_DATA, frame, sizeof(frame));
    puppet_flush(&r->puppet);
    r->puppet.lane = (r->puppet.lane + 1) % r->hello.lanes; /* which another worker opens */
    return BATCH;
}

/* ---- over TCP ---- */

/* The newest ones stay, of which nobody reads. */
static unsigned trunks(struct rogue *r)
{
    static int open[TRUNKS_OPEN];
    static unsigned at;
    if (at >= TRUNKS_OPEN)
        close(open[at % TRUNKS_OPEN]);
    return puppet_open_trunk(&r->puppet, &open[at++ % TRUNKS_OPEN]);
}

/* Nor is anything read of one that brings frames. */
static unsigned trunk_frames(struct rogue *r)
{
    static int trunk = -1;
    uint8_t frame[FRAME_LEN] = {0};
    if (trunk < 0 && !puppet_open_trunk(&r->puppet, &trunk))
        return 0;
    memcpy(frame, r->destination, 6);
    memcpy(frame + 6, r->source, 6);
    memcpy(frame + 12, (uint8_t[]){0x88, 0xb5}, 2);
    for (unsigned i = 0; i < BATCH; i++)
        seal(r, WIRE_DATA, frame, sizeof(frame));
    if (puppet_flush_by_trunk(&r->puppet, trunk))
        return BATCH;
    close(trunk);
    trunk = -1;
    return 0;
}

/* Only keeps the connection, and answers probes. */
static unsigned nothing(struct rogue *r)
{
    (void)r;
    return 0;
}

static const struct lie lies[] = {
    {"nothing", "stays connected", false, false, nothing},
    {"probes", "asks for answers to small probes", false, false, small_probes},
    {"full-probes", "asks for answers to full-size probes", false, false, full_probes},
    {"unasked-answers", "answers probes that nobody sent", false, false, unasked_answers},
    {"garbage", "seals noise as CONTROL", false, false, garbage},
    {"fragments", "begins messages and never ends them", false, false, fragments},
    {"wrong-offers", "offers ratchet steps with impossible keys", false, false, wrong_offers},
    {"wrong-answers", "answers ratchet steps that nobody offered", false, false, wrong_answers},
    {"same-step", "offers one ratchet step again and again", false, false, same_step},
    {"steps", "takes ratchet steps as fast as it is let", false, false, steps},
    {"streams", "opens streams over its session for ever", false, false, streams},
    {"relay-words", "asks for channels of a relay, and gives some out", false, false, relay_words},
    {"late-streams", "opens streams of which the beginning never comes", false, false, late_streams},
    {"wrong-segments", "forges offsets, answers and resets of streams", false, false, wrong_segments},
    {"candidates", "announces other addresses all the time", true, false, candidates},
    {"wakes", "asks for probes all the time", true, false, wakes},
    {"unknown-messages", "says what no version knows", true, false, unknown_messages},
    {"punches", "names -bystander as the place where it is to be punched", false, true, punches},
    {"links", "connects again and again", false, false, links},
    {"hellos", "connects with contradictory HELLOs", false, false, hellos},
    {"trunks", "opens trunks again and again", false, false, trunks},
    {"trunk-frames", "sends frames over TCP, and reads nothing", false, false, trunk_frames},
    {"frames", "sends frames of 64 bytes in -lanes, from -source to -destination", false, false, frames},
};

const struct lie *lie_find(const char *name)
{
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++)
        if (strcmp(lies[i].name, name) == 0)
            return &lies[i];
    return NULL;
}

void lies_list(void)
{
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++)
        printf("  %-18s%s\n", lies[i].name, lies[i].help);
}

bool rogue_dial(struct rogue *r)
{
    struct hello h, fresh;
    puppet_hello(&r->puppet, &fresh);
    h = r->hello;
    if (!h.receiver_index)
        h.receiver_index = fresh.receiver_index;
    if (!h.generation)
        h.generation = fresh.generation;
    r->dials++;
    if (puppet_dial(&r->puppet, &h, r->refusal) == 0)
        return true;
    r->refused++;
    return false;
}
