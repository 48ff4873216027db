/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A short inquiry into the NATs on the way, of one family, from two fresh sockets: Binding requests to STUN servers, and the tests of
 * RFC 5780 at the first that can do them. Sans-I/O: time, random bytes and what arrives come in, datagrams go out.
 *
 *     main ─── plain ──────────▶ each server          who answers, how we are seen
 *     main ─── plain ──────────▶ its other port, host the same from elsewhere: the mapping
 *     main ─── padded ─────────▶ the first server     how large a datagram may be
 *     second ─ change both ────▶ the first with another address, which answers from there, or from its other port:
 *     second ─ change port ────▶                      the filtering
 *     main ◀── each other's mapped address ──▶ second the hairpin
 *
 * A server is believed what it says of us, and it may name one other host of its, which gets NAT_CHECK_TRIES requests of 28 bytes.
 * docs/PROTOCOL.md §10. */

#include "base/random.h"
#include "proto/message/stun.h"
#include "proto/nat/nat.h"

#define NAT_CHECK_SERVERS_MAX   12
#define NAT_CHECK_QUESTIONS_MAX (NAT_CHECK_SERVERS_MAX + 16)
#define NAT_CHECK_TRIES         4

enum nat_check_socket { NAT_CHECK_MAIN, NAT_CHECK_SECOND };

enum nat_question_kind {
    NAT_QUESTION_SERVER,
    NAT_QUESTION_OTHER_PORT,
    NAT_QUESTION_OTHER_HOST,
    NAT_QUESTION_SIZE,
    NAT_QUESTION_SECOND, /* plain, from the second socket */
    NAT_QUESTION_CHANGE_BOTH,
    NAT_QUESTION_CHANGE_PORT,
    NAT_QUESTION_HAIRPIN,
    NAT_QUESTION_LOOK, /* of nat_check_look */
};

struct nat_question {
    enum nat_question_kind kind;
    enum nat_check_socket socket;
    struct addr to;
    size_t size; /* of the datagram, where it is padded */
    uint8_t transaction[STUN_TRANSACTION_LEN];
    unsigned tries;
    uint64_t asked_us, next_us;
    bool answered;
    bool ignored; /* answered from where it was asked, not from elsewhere */
    uint64_t rtt_us;
    struct addr mapped, other;
};

struct nat_check {
    unsigned family;
    struct random_source random;
    uint64_t first_us; /* when the first server answered; 0: none has */
    unsigned count;
    struct nat_question questions[NAT_CHECK_QUESTIONS_MAX];
};

struct nat_check_datagram {
    enum nat_check_socket socket;
    struct addr to;
    size_t len;
    uint8_t data[STUN_REQUEST_MAX];
};

/* family: 4 or 6. */
void nat_check_init(struct nat_check *c, unsigned family, const struct random_source *random);

/* One more server of that family, asked from now on; one that is known already is not asked twice, nor those beyond
 * NAT_CHECK_SERVERS_MAX. */
void nat_check_add(struct nat_check *c, const struct addr *server, uint64_t now_us);

/* Asks only how one server sees a socket; the answer raises no other question. False: that socket was asked before. */
bool nat_check_look(struct nat_check *c, enum nat_check_socket socket, const struct addr *server,
                    uint64_t now_us);

/* False when nothing is to be sent now. */
bool nat_check_next(struct nat_check *c, uint64_t now_us, struct nat_check_datagram *out);

/* What came to a socket; what is no answer to us changes nothing. */
void nat_check_take(struct nat_check *c, enum nat_check_socket socket, const struct addr *from,
                    const uint8_t *data, size_t len, uint64_t now_us);

/* When nat_check_next has something, or nothing more can come; TIME_NEVER once nothing is open. */
uint64_t nat_check_deadline(const struct nat_check *c, uint64_t now_us);

/* Mapping and ports, filtering and hairpin as far as they are known by now; ours and port as nat_judge has them, of
 * the main socket. */
void nat_check_judge(const struct nat_check *c, bool ours(const void *context, const struct addr *a),
                     const void *context, uint16_t port, struct nat *out);

/* The largest UDP payload that a server has answered; 0: none of those that were tried. */
size_t nat_check_size(const struct nat_check *c);

/* The first answer of a server, or of that one alone; NULL: none. */
const struct nat_question *nat_check_answer(const struct nat_check *c, const struct addr *server);

/* How the socket of a nat_check_look was seen; NULL: there is no answer. */
const struct addr *nat_check_seen(const struct nat_check *c, enum nat_check_socket socket);
