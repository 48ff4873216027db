/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The paths to one peer: candidate addresses, a trunk, uplinks and relays, their probing, their size (RFC 8899) and the choice
 * among them.
 * docs/PROTOCOL.md §9. Sans-I/O, control thread.
 *
 * What goes to addresses that have not answered is bounded per peer whatever the peer or a forger does: three
 * tries of at most WIRE_BASE_SIZE per address, 48 at once and 10 a second later, and 4 challenges of new sources a
 * second. Answers are shorter than what they answer.
 *
 *   UNTRIED ──probe──▶ PROBING ──answer──▶ PROVEN ──3 unanswered──▶ SUSPECT ──answer──▶ PROVEN
 *                         │                                            │
 *                         └─── no answer ───▶ FAILED ◀──5 s unanswered─┘
 *                              (tried again rarely, or at once by path_wake)
 *
 * PROVEN and SUSPECT ones become QUIET while nothing flows and another can wake both ends (proto/path/path_quiet.h).
 */

#include "base/addr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/random.h"
#include "proto/path/endpoint.h"
#include "proto/path/path_receipt.h"
#include "proto/path/ways.h"
#include "proto/wire/candidate.h"
#include "proto/wire/wire.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATH_STANDBYS_MAX                                                                                    \
    (2 * STANDBYS_MAX) /* while the peer moves, by each standby where it was and where it is */
#define PATHS_MAX (CANDIDATES_MAX + PATH_STANDBYS_MAX + 1 + UPLINKS_MAX + RELAYS_MAX) /* of them one trunk */
#define PATH_STREAM_SIZE_MAX                                                                                 \
    (WIRE_FRAME_MAX +                                                                                        \
     WIRE_OVERHEAD) /* over TCP: what the largest frame of a device needs, as no packet's size bounds it */

enum path_state {
    PATH_STATE_UNTRIED,
    PATH_STATE_PROBING,
    PATH_STATE_PROVEN,
    PATH_STATE_SUSPECT,
    PATH_STATE_FAILED,
    PATH_STATE_QUIET, /* it answered, and is not asked while nothing flows */
};

/* A PROBE datagram's payload, behind the inner header; a request is padded with zeros to the size under test,
 * an answer is not padded. Decoding ignores the padding: the tag vouches for it. docs/PROTOCOL.md §9.
 *
 *    0  kind (1 request, 2 answer, 3 request by a trunk)
 *    1  zero
 *    2  size of the request's UDP payload
 *    4  token (8)
 *   12  observed address: family, port, ip (1 + 2 + 16; IPv4 in the first 4)
 *   31  zero
 *   32  in answers: a receipt (proto/path/path_receipt.h)
 */
#define PATH_PROBE_LEN 32
enum path_probe_kind {
    PATH_PROBE_REQUEST = 1,
    PATH_PROBE_ANSWER = 2,
    PATH_PROBE_TRUNK = 3, /* a request by a trunk, which the first one opens (docs/PROTOCOL.md §18) */
};
struct path_probe {
    enum path_probe_kind kind;
    uint16_t size;        /* UDP payload of the request, bytes */
    uint64_t token;       /* chosen by the asker, repeated by the answer */
    struct addr observed; /* answer: the address that the request came from; none over TCP, nor in requests */
    struct path_receipt receipt; /* answer: what arrived from the asker; path_receipt_encode writes it */
};
void path_probe_encode(const struct path_probe *p, uint8_t out[PATH_PROBE_LEN]);
/* 0 or ERR_FORMAT: short, unknown kind, reserved bytes, an observed address in a request. */
int path_probe_decode(const uint8_t *data, size_t len, struct path_probe *out) must_check;

/* Why a path carries, or why not. */
enum path_why {
    PATH_WHY_UNKNOWN,    /* no answer yet */
    PATH_WHY_SILENT,     /* no answer any more */
    PATH_WHY_ONLY,       /* it carries: no other answers */
    PATH_WHY_TIER,       /* it carries: the others are of a higher tier … */
    PATH_WHY_RELAY,      /* … likewise, and it goes by a relay … */
    PATH_WHY_BEST,       /* … or not faster by enough */
    PATH_WHY_BEHIND,     /* a straight one carries */
    PATH_WHY_RELAYED,    /* one by a relay carries, and this one goes over TCP */
    PATH_WHY_SETTLING,   /* its size is being measured */
    PATH_WHY_RECENT,     /* it has failed, and answers again for too short a time */
    PATH_WHY_SLOWER,     /* another carries, and this one is not faster by enough */
    PATH_WHY_UNNAMED,    /* nobody named its address */
    PATH_WHY_SWALLOWS,   /* it answers, and of late data did not arrive … */
    PATH_WHY_LOSES,      /* … or too much of it was lost … */
    PATH_WHY_FAR_SLOWER, /* … or one of a higher tier was far faster */
    PATH_WHY_TRUNK,      /* it carries: it leads to the peer's own port, which is no slower … */
    PATH_WHY_UPLINK,     /* … than this one, by a backbone */
    PATH_WHY_QUIET,      /* nothing flows … */
    PATH_WHY_WAKES,      /* … and this one carries what comes first */
    PATH_WHY_STANDBY,    /* it leaves by a standby, and something answers by the kernel's choice … */
    PATH_WHY_TAKEN_OVER, /* … and it carries, as nothing did */
};

struct path {
    struct endpoint endpoint;
    enum path_state state;
    uint16_t size;     /* UDP payload that is proven to pass, >= WIRE_LEAST_SIZE once proven */
    uint32_t rtt_us;   /* smoothed (RFC 6298); 0 while unproven */
    enum path_why why; /* as path_list has it */
};

struct path_set;

/* random is used for tokens and jitter. local_max is the largest UDP payload
 * that any local interface can carry. */
struct path_set_config {
    struct random_source random;
    uint16_t local_max;
    enum carriers carriers; /* paths of others are not taken in */
    uint64_t quiet_us;      /* without data until paths that can be woken are left alone; 0: never */
    const struct ways *
        ways; /* out of this machine, as they are now; borrowed while the set lives. NULL: the kernel's choice */
};
int path_set_new(const struct path_set_config *config, struct path_set **out) must_check;
void path_set_free(struct path_set *set);

/* Adds or keeps a candidate (at most CANDIDATES_MAX; a full set gives up failed ones first). Unspecified,
 * multicast and port-0 addresses are ignored, and what nothing carries to; so is any path, here and below, for which there is
 * no memory. It is probed at once; so is one that
 * had failed. */
void path_add(struct path_set *set, const struct addr *remote, enum candidate_kind kind, uint64_t now_us);

/* As path_add, for an address that nobody named: a connection came from there. It carries when nothing else
 * does, and is never preferred for its round trip. */
void path_add_observed(struct path_set *set, const struct addr *remote, uint64_t now_us);

/* A backbone passes datagrams between our uplink and the peer's, or no longer. Such a path is proven like any other, is
 * kept warm, and carries while none of a lower tier answers. interface: by which our uplink leaves, a standby; 0: as the kernel
 * chooses. */
void path_add_uplink(struct path_set *set, unsigned backbone, const struct node_id *peer, uint32_t interface,
                     uint64_t now_us);
void path_remove_uplink(struct path_set *set, unsigned backbone);

/* The path by that uplink has missed an answer, and none has come since. */
bool path_uplink_misses(const struct path_set *set, unsigned backbone);

/* There is a trunk to the peer (docs/PROTOCOL.md §18), or no longer: a path to be proven, anew if there was another. It
 * carries before uplinks, unless they are faster by enough. */
void path_add_trunk(struct path_set *set, const struct endpoint *trunk, uint64_t now_us);
void path_remove_trunk(struct path_set *set);

/* Whether a trunk is worth having: nothing of a lower tier answers, or seems to cease to. */
bool path_wants_trunk(const struct path_set *set);

/* The trunk's path does not answer any more. */
bool path_trunk_failed(const struct path_set *set);
/* It answers, and has missed nothing. */
bool path_trunk_sound(const struct path_set *set);

/* A relay, by its number below RELAYS_MAX, passes datagrams between us and the peer: in the place of its earlier channel, if it had
 * one. As path_add_uplink; of several that answer the fastest carries. */
void path_add_relay(struct path_set *set, unsigned relay, const struct addr *at, uint32_t channel,
                    uint64_t now_us);
void path_remove_relay(struct path_set *set, unsigned relay);

/* It knows us at another way out of ours: datagrams leave by that standby, or by the kernel's choice (0), from now on. */
void path_move_relay(struct path_set *set, unsigned relay, uint32_t interface, uint64_t now_us);

/* The relays' ends of all of them; returns how many. */
size_t path_relays(const struct path_set *set, struct endpoint out[RELAYS_MAX]);

/* There is one by that relay; it answers, or is left alone, and has missed nothing besides; it does not any more, or never did; it
 * is the one that carries. */
bool path_has_relay(const struct path_set *set, unsigned relay);
bool path_relay_answers(const struct path_set *set, unsigned relay);
bool path_relay_sound(const struct path_set *set, unsigned relay);
bool path_relay_failed(const struct path_set *set, unsigned relay);
bool path_relay_carries(const struct path_set *set, unsigned relay);

/* A path that leaves by a side socket of ours: taken for as long as it answers. Whether there is one; and the end of all of them. */
void path_add_side(struct path_set *set, const struct addr *remote, unsigned side, uint64_t now_us);
bool path_has_side(const struct path_set *set, unsigned side);
void path_drop_side(struct path_set *set, unsigned side);

/* As path_add_observed, for where the peer says that it is reached by a standby of its own: it may have to be sent to, lest
 * its probes do not come in. */
void path_add_standby(struct path_set *set, const struct addr *remote, uint64_t now_us);

/* True when the peer is to be asked to probe where our standbys are reached: they are about to be tried. Once for each
 * time. */
bool path_take_standby_call(struct path_set *set);

/* It is known anew where our standbys are reached: those that did not answer are tried again. True when there are any. */
bool path_retry_standbys(struct path_set *set, uint64_t now_us);

/* Forgets candidates of the other side's last announcement that are not in this one and not proven. */
void path_announced(struct path_set *set, const struct candidate *list, unsigned count, uint64_t now_us);

/* Forgets what does not answer, unless the peer's last announcement has it. side: that it leaves by; 0: none. */
void path_drop(struct path_set *set, const struct addr *remote, unsigned side);

/* Forgets straight ones that went quiet, unless the peer's last announcement has them: a NAT on the way forgets them, too, and
 * what is then asked of it comes unasked. */
void path_drop_quiet(struct path_set *set);

/* One that goes straight by the kernel's choice answers, or did before it went quiet and has not failed since. named: one whose
 * address is not known by a datagram or a STANDBY alone, as where the peer is by its standby. */
bool path_straight_answers(const struct path_set *set, bool named);

/* Our own addresses changed: paths forget those that are no longer ours, and leave from where the kernel likes. */
void path_forget_locals(struct path_set *set,
                        uint32_t (*interface_of)(const void *context, const struct addr *a),
                        const void *context);

/* A datagram of this peer that authenticated came from there: when that is not the best path, both are asked
 * at once. The old path serves until the new one has answered and the old one's answer is overdue (one round
 * trip and four deviations, 10 ms at least; at once when it had missed a round before): then the peer has
 * moved. While the old one answers, it stays, however fast the new one is. A path that does not answer is asked anew
 * from the local address at which the datagram arrived, and belongs to it from then on, until it fails. May be called for every such datagram; cheap when there is
 * nothing to do, as for what came by an uplink. */
void path_on_source(struct path_set *set, const struct endpoint *from, uint64_t now_us);

/* As path_on_source, for data that arrives elsewhere than by the best path; told at least every PATH_DATA_GAP_US while it does.
 * Where it begins, the peer may have left the best path: both are asked whatever was asked of late. */
#define PATH_DATA_GAP_US 1000000ull
void path_on_data(struct path_set *set, const struct endpoint *from, uint64_t now_us);

/* An authenticated answer from there. Returns true when the best path, its size or its state changed. One
 * from another address than was asked proves nothing and counts as path_on_source. */
bool path_on_answer(struct path_set *set, const struct path_probe *answer, const struct endpoint *from,
                    uint64_t now_us);

/* Whether data flows in either direction now: while it does, the best path is probed every 500 ms (at its
 * full size, with the base size beside it after a miss) and the other proven ones every 5 s, otherwise every 7 s
 * and 25 s; after a miss the best one every 250 ms. Where one of a higher tier would take over, these are 250 and
 * 100 ms; an uplink that does not carry is probed every 7 s. Cheap to call again with the same value. */
void path_set_active(struct path_set *set, bool active, uint64_t now_us);

/* So many datagrams of data were sent to the peer so far, by whatever path: what receipts are compared with. Told before
 * path_poll. */
void path_set_sent(struct path_set *set, uint64_t datagrams);

/* Data flows, as was last told. */
bool path_is_active(const struct path_set *set);

/* Nothing flows, and paths are left alone that otherwise might carry. */
bool path_is_quiet(const struct path_set *set);

/* As path_is_quiet, and those are not being asked yet, either. A change of it is one of the best path to path_poll. */
bool path_sleeps(const struct path_set *set);

/* None is left alone before config.quiet_us have passed: something else than data needs them. */
void path_stay_awake(struct path_set *set, uint64_t now_us);

/* Another path would take over if the best one failed. */
bool path_is_backed(const struct path_set *set);

/* Data came, and of late next to none does: the best path is asked at once, and often until it answers, where another would take
 * over. The peer may just have nothing to say: an answer is the end of it. */
void path_on_silence(struct path_set *set, uint64_t now_us);

/* The kernel refused size on the best path (EMSGSIZE): back to WIRE_BASE_SIZE or below, search anew. */
void path_on_too_big(struct path_set *set, uint64_t now_us);

/* Our own addresses changed, the peer asks, or data gets no answer: probe everything now; local_max as in
 * path_set_config. */
void path_wake(struct path_set *set, uint16_t local_max, uint64_t now_us);

/* Called at or after path_next_deadline. Returns true and fills *probe (a request, to be sent to *to
 * padded so that the UDP payload has probe->size bytes), false when none is due. Call until false. *changed
 * is written at every call: true when the best path, its size or state changed other than by path_on_answer;
 * it stays true until the call that returns false, included. A probe that the kernel refuses (EMSGSIZE) is
 * simply lost. */
bool path_poll(struct path_set *set, uint64_t now_us, struct path_probe *probe, struct endpoint *to,
               bool *changed);

/* Monotonic microseconds at which path_poll wants to be called; TIME_NEVER when never. */
uint64_t path_next_deadline(const struct path_set *set);

/* The path that carries data: proven or suspect, of the lowest tier, best measured RTT with hysteresis (a change within
 * the tier needs to be better by 25 % and 2 ms and its address named by the peer or a person, or the old one to fail).
 * NULL while nothing is proven. Valid until the next call of any other function. */
const struct path *path_best(const struct path_set *set);

/* All paths, for status, each with the reason why it carries or does not. */
size_t path_list(const struct path_set *set, struct path *out, size_t cap);

/* The end of "it carries, because …" or "it does not, because …". */
const char *path_why_text(enum path_why why);
