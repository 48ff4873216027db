/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Asks one router to lead its outer ports to ours, by PCP, or where it has none by NAT-PMP, and keeps what it gives.
 * The caller carries datagrams to and from that router alone. Time comes in; pure.
 *
 *      PCP ── no answer, refused, an error ──▶ NAT-PMP ── likewise ──▶ nothing ── a pause, restart ──▶ PCP
 *       │                                         │
 *       └──── UDP, then TCP ────▶ held ◀──────────┘
 *                                 │  ▲ half of its life, 10 min at most; restart; the router forgot (its epoch)
 *                                 └──┘ … and when it has run out: PCP
 */

#include "proto/portmap/natpmp.h"
#include "proto/portmap/pcp.h"
#include <stdbool.h>

#define MAPPER_LIFETIME_S     1200u        /* that is asked for */
#define MAPPER_LIFETIME_MIN_S 60u          /* a mapping for less is none */
#define MAPPER_AGAIN_US       600000000ull /* until the next round, at most */
#define MAPPER_DOUBLINGS      4u           /* of that, while a router never says a word */
#define MAPPER_TRIES          3u           /* of a question: 0.25, 0.5 and 1 s apart */
#define MAPPER_FIRST_US       250000ull
#define MAPPER_RELEASE_US     150000ull  /* between them at the end */
#define MAPPER_PAUSE_US       1000000ull /* between rounds, whoever asks for them */
#define MAPPER_RETRY_MIN_US                                                                                  \
    4000000ull /* to renew what was not renewed, half of its rest later: RFC 6887 §11.2.1 */

enum mapper_protocol { MAPPER_PCP, MAPPER_NATPMP };

enum mapper_port { MAPPER_UDP, MAPPER_TCP, MAPPER_PORTS };

enum mapper_step { MAPPER_REST, MAPPER_ASKS_ADDRESS, MAPPER_ASKS_UDP, MAPPER_ASKS_TCP };

struct mapper_config {
    struct addr client;           /* ours, from which datagrams to the router come; port 0 */
    uint16_t ports[MAPPER_PORTS]; /* ours: data and control */
    uint8_t nonce[PCP_NONCE_LEN]; /* the same one for as long as the mapping is to be ours */
};

struct mapper {
    struct mapper_config config;
    enum mapper_protocol protocol;
    enum mapper_step step;
    bool releasing;
    unsigned tries;    /* of the present question */
    unsigned failures; /* rounds that ended with nothing */
    unsigned silent;   /* of those the last ones, before which no datagram came */
    uint64_t next_us;  /* when the next question is due, or the next round */
    uint64_t asked_us;
    struct addr outer; /* the router's, by NAT-PMP */
    struct {
        struct addr external; /* family 0: none */
        bool asked;           /* the router may have it, though it has not answered */
        uint16_t wished;      /* port */
        uint32_t lifetime_s;
        uint64_t until_us;
    } held[MAPPER_PORTS];
    bool has_epoch;
    uint32_t epoch_s;   /* the router's, … */
    uint64_t epoch_us;  /* … as it was then */
    bool garbled;       /* of this round's answers one was none */
    uint64_t malformed; /* datagrams */
    const char *why; /* the last round ended with nothing, as the end of "the router …"; NULL: it did not */
};

/* The first question is due at once. */
void mapper_init(struct mapper *m, const struct mapper_config *config, uint64_t now_us);

/* The network may be another one: what is held is asked for again, else all. */
void mapper_restart(struct mapper *m, uint64_t now_us);

/* From here on it only ends what is held; mapper_released tells when that is done. */
void mapper_release(struct mapper *m, uint64_t now_us);
bool mapper_released(const struct mapper *m);

/* When it wants to be polled. */
uint64_t mapper_next_us(const struct mapper *m);

/* The next datagram to the router that is due, or 0. */
size_t mapper_poll(struct mapper *m, uint64_t now_us, uint8_t out[PCP_MAP_LEN]);

/* A datagram from the router's port to ours, also an announcement. ERR_UNSUPPORTED when it was not asked for, ERR_FORMAT
 * when it is none of either protocol's. */
int mapper_input(struct mapper *m, const uint8_t *data, size_t len, uint64_t now_us) must_check;

/* A datagram from the router's port to everybody: an announcement, and never an answer, since it may be forged blindly.
 * Errors as above. */
int mapper_heard(struct mapper *m, const uint8_t *data, size_t len, uint64_t now_us) must_check;

/* Nobody listens at the router's port. */
void mapper_refused(struct mapper *m, uint64_t now_us);

/* The data port has an outer address, held[MAPPER_UDP].external. */
bool mapper_holds(const struct mapper *m);

const char *mapper_protocol_name(enum mapper_protocol protocol);
