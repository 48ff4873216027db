/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One candidate of a path set: its probes, its round trip, whether it answers, its size. Internal to
 * proto/path/path; control thread. docs/PROTOCOL.md §9.
 *
 * Timers:
 *   try_us        UNTRIED, PROBING, FAILED: the next probe, or the end of the wait for the last one
 *   round_us      PROVEN, SUSPECT: when the last round was; the next one comes an interval later
 *   full_us       a second probe of the round, at full size
 *   challenge_us  an extra probe of the base size, soon
 *   size          the search for a larger size (proto/path/path_size.h)
 *   fail_us       SUSPECT: when it is given up
 *   roam_us       when the peer's move to this address is decided (proto/path/path.c)
 *   sent[]        when each probe on its way counts as lost
 */

#include "proto/path/path.h"
#include "proto/path/path_doubt.h"
#include "proto/path/path_size.h"

#define PATH_TRIES_MAX    3
#define PATH_TRY_US       200000ull /* doubles with every try */
#define PATH_TIMEOUT_US   200000ull /* no answer is late before that */
#define PATH_TIMEOUT_MAX  3000000ull
#define PATH_UNANSWERED   3
#define PATH_FULL_LOST    2
#define PATH_SUSPECT_US   5000000ull
#define PATH_WARM_SAMPLES 3 /* round trips measured before a path settles to its interval */
#define PATH_WARM_US      100000ull
#define PATH_SENT_MAX     8

struct path_sent {
    uint64_t token, sent_us, expiry_us;
    uint16_t size;
    bool open;    /* an answer still counts */
    bool counted; /* its loss is */
    bool round;   /* its loss tells that the path does not answer */
    bool full;    /* its loss tells that the path may have shrunk */
};

struct path_entry {
    struct path_entry *next; /* of the set (proto/path/path_set.h), behind which it comes … */
    uint8_t place;           /* … by its place */
    struct path path;
    bool announced; /* in the peer's last list */
    bool learned;   /* known only because a datagram came from there */
    bool named;     /* by the peer or by a person: may be preferred for its round trip */
    bool once_proven;
    bool charged; /* the next try is already charged to the budget of challenges */
    bool roaming; /* challenged; not yet decided */
    bool waking;  /* it was quiet, and has not answered since */
    uint8_t tries;
    uint8_t failures; /* in a row */
    uint8_t samples;  /* of the round trip, at most 255 */
    uint8_t unanswered;
    uint8_t full_lost;
    uint32_t rttvar_us;
    uint64_t try_us, round_us, full_us, challenge_us, fail_us, roam_us;
    uint64_t added_us;
    uint64_t sent_us;       /* the newest probe */
    uint64_t answer_us;     /* when the newest answer came */
    uint64_t late_us;       /* when one came too late, the first since one came in time */
    uint64_t since_us;      /* since when it answers, if it does */
    uint64_t proof_us;      /* when the newest answered probe was sent */
    uint64_t base_proof_us; /* when the newest answered probe of the base size was sent */
    uint64_t full_lost_us;  /* when the first of the lost full-size probes was sent */
    uint64_t challenged_us; /* when its source last made us ask */
    uint64_t data_us;       /* when data last came from there, that was told of */
    uint64_t distrust_us;   /* until then it is not preferred for its round trip; 0: it never failed */
    struct path_doubt doubt;
    struct path_size size;
    struct path_sent sent[PATH_SENT_MAX];
    unsigned next_sent;
};

/* A new, untried candidate, due at once: of a set, in its place there. */
void path_entry_init(struct path_entry *e, uint8_t place, const struct endpoint *to, uint64_t now_us);

/* A probe that is due. */
struct path_due {
    uint16_t size;
    bool round, full;
};

/* True when the path carries or could: PROVEN or SUSPECT. */
bool path_entry_live(const struct path_entry *e);

/* Something was missed: the next round comes soon. */
bool path_entry_troubled(const struct path_entry *e);

/* How long an answer may take. */
uint64_t path_entry_timeout(const struct path_entry *e);

/* UNTRIED or FAILED: the three tries begin now. */
void path_entry_try(struct path_entry *e, uint64_t now_us);

/* Lets time pass: counts lost probes, suspects. fails is left to the set. */
void path_entry_expire(struct path_entry *e, uint16_t limit, uint64_t now_us);

/* True when a try, or the wait for the last one, has ended; resp. the next try is due. */
bool path_entry_exhausted(const struct path_entry *e, uint64_t now_us);

/* What a live path has to send now. interval_us is the time between its rounds; check_full asks for rounds at
 * full size. */
bool path_entry_due(struct path_entry *e, uint64_t interval_us, bool check_full, uint64_t now_us,
                    struct path_due *due);
/* Likewise, to find its size. */
bool path_entry_due_size(struct path_entry *e, uint64_t now_us, struct path_due *due);

/* Notes a probe as sent and gives it its token. */
void path_entry_on_sent(struct path_entry *e, const struct path_due *due, uint64_t token, uint64_t now_us);

/* The probe on its way that has this token, or NULL. */
struct path_sent *path_entry_find(struct path_entry *e, uint64_t token);

/* Takes the answer to it. */
void path_entry_on_answer(struct path_entry *e, struct path_sent *sent, uint16_t limit, uint64_t now_us);

/* The size at which a live path is asked whether it answers at all: WIRE_BASE_SIZE, or WIRE_LEAST_SIZE where that does
 * not pass. */
uint16_t path_entry_base(const struct path_entry *e);

/* Back to the next smaller of these two; the old size is tried first. */
void path_entry_shrink(struct path_entry *e, uint16_t limit, uint64_t now_us);

/* The earliest timer. with_size: that of the search for its size counts. */
uint64_t path_entry_next(const struct path_entry *e, uint64_t interval_us, bool with_size);
