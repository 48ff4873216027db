/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A link: one control connection to a peer and the data keys that came from it. The keys outlive the
 * connection. docs/PROTOCOL.md §6. Sans-I/O, control thread.
 *
 *   DIALING ── connected ──▶ SECURING ── TLS done ──▶ GREETING ── both shares: keys ──▶ KEYED
 *      │                        │                        │                                │ │
 *      └────────────────────────┴────────────────────────┴────────────────────────────────┘ │ READY both ways
 *                               │ error, REFUSE, time-out                                   ▼
 *                               ▼                                                         LIVE
 *                            CLOSED ◀───────── 5 s ───────── DRAINING ◀─────────────────────┘
 */

#include "base/addr.h"
#include "proto/link/channel.h"
#include "proto/link/keychain.h"
#include "proto/wire/target.h"
#include <stdbool.h>
#include <stdint.h>

#define LINK_HANDSHAKE_US 5000000ull /* from connecting to LIVE */
#define LINK_DRAIN_US     5000000ull /* how long a replaced link still receives */
#define LINK_HELD_MAX     32768 /* bytes of who is not admitted yet: two certificates and a HELLO take 20 KB */
#define LINK_INBOX_MAX    32768 /* bytes that wait for its work: a whole handshake takes 10 KB, a message 8 */

enum link_state {
    LINK_STATE_DIALING,
    LINK_STATE_SECURING,
    LINK_STATE_GREETING,
    LINK_STATE_KEYED,
    LINK_STATE_LIVE,
    LINK_STATE_DRAINING,
    LINK_STATE_CLOSED,
};

/* What the owner has to act upon. */
enum link_event {
    LINK_EVENT_NONE,
    LINK_EVENT_IDENTIFIED, /* TLS is complete, link_peer_id proven; link_greet, link_enter or link_refuse is called for */
    LINK_EVENT_ENTERED, /* link_entry has admitted the peer: it is greeted, if it was not */
    LINK_EVENT_UNFIT,   /* link_entry has refused it; link_refuse is called for */
    LINK_EVENT_ASKED,   /* the state of what link_ask was given is another one */
    LINK_EVENT_KEYABLE, /* the first root is made; link_key is called for */
    LINK_EVENT_LIVE,
    LINK_EVENT_REFUSED,    /* the peer will not talk to us: link_refusal */
    LINK_EVENT_CANDIDATES, /* link_message holds the peer's new candidates */
    LINK_EVENT_WAKE,
    LINK_EVENT_RENEW, /* the peer wants a new handshake */
    LINK_EVENT_ABOUT, /* link_message says what runs there */
    LINK_EVENT_BYE,
    LINK_EVENT_FAILED, /* err in link_error, words in link_reason; the stream is of no more use */
};

struct asking;
struct entry;
struct link;
struct link_work;

/* A link that dials id at remote, or one that was accepted (id NULL). The caller frees *out. */
int link_new(struct tls_context *tls, uint64_t conn, const struct target *remote, const struct node_id *id,
             uint64_t now_us, struct link **out) must_check;

/* Drops its keys and everything else. NULL is allowed. */
void link_free(struct link *l);

/* The stream that we dialled is open: TLS is to be started. */
void link_on_connected(struct link *l);

/* Bytes from the stream; then call link_next until it says LINK_EVENT_NONE, and look for work. */
void link_on_bytes(struct link *l, const uint8_t *data, size_t len);
enum link_event link_next(struct link *l, uint64_t now_us);

/* What takes long: link_begin_work gives it out (proto/link/link_work.h), with what TLS holds; NULL when out of memory,
 * which link_next tells. Until link_worked takes it back the link only keeps what comes, and can be freed. That returns
 * the link, for link_next and more work, or NULL when it is gone. A work that was not done fails its link. */
bool link_has_work(const struct link *l);
struct link_work *link_begin_work(struct link *l);
struct link *link_worked(struct link_work *w);

/* The stream is gone: link_next will say FAILED, once what came before is done with. */
void link_on_closed(struct link *l, const char *reason);

/* It has not become LIVE in time: link_next will say FAILED. */
void link_on_late(struct link *l);

/* After FAILED or BYE: gives the stream and its TLS state up; keys live on. Work that is out comes back to nobody. */
void link_detach(struct link *l);

const struct node_id *link_peer_id(const struct link *l);
/* The key itself, as DER; between IDENTIFIED and the end of its stream. ERR_CRYPTO. */
int link_peer_spki(const struct link *l, uint8_t spki[IDENTITY_SPKI_LEN]) must_check;

/* After IDENTIFIED: sends our HELLO (copied; an opener with HELLO_FEATURE_FRESH_ROOT adds its offer), or refuses
 * and ends the stream. A second greeting is ERR_EXISTS; ERR_NOMEM: no offer could be made. */
int link_greet(struct link *l, const struct hello *mine) must_check;
void link_refuse(struct link *l, enum refuse_code code, const char *text);

/* After KEYABLE: why the two HELLOs agree on no version or no AEAD, in words for both sides' persons; NULL: they agree. */
const char *link_difference(const struct link *l);

/* After IDENTIFIED, in a network: takes e, which is told what the peer says before its HELLO. Unless e admits it already, its
 * HELLO and READY wait until ENTERED; nothing else of it does. More than LINK_HELD_MAX until then fails the link. */
void link_enter(struct link *l, struct entry *e);
struct entry *link_entry(const struct link *l); /* NULL out of a network, and from LIVE on */

/* After IDENTIFIED, instead of link_greet: this channel is there to ask for a certificate (§26), and for nothing else. Borrows
 * a, which link_detach and link_free end. ERR_CRYPTO. */
int link_ask(struct link *l, struct asking *a) must_check;
struct asking *link_asking(const struct link *l); /* NULL: it is not */

/* What entry_serve takes, once IDENTIFIED. ERR_CRYPTO. */
int link_exporter(const struct link *l, uint8_t out[KDF_LEN]) must_check;

/* After KEYABLE: derives the keys, tells the peer READY. config's suite and lanes are chosen here; opener, slot
 * and ratchet time are the caller's. Returns 0, or an error:
 * REFUSE_VERSION and REFUSE_AEAD were then sent. */
int link_key(struct link *l, const struct keychain_config *config, const struct keychain_ops *ops,
             uint64_t now_us) must_check;

/* Sends a message when there is a stream; a link without one stays silent. */
void link_send(struct link *l, const struct message *m);

/* The opener is being asked for a new handshake. */
void link_on_asked(struct link *l, uint64_t now_us);

/* Ends the stream in TLS, without BYE: it is of no use now, the keys live on. */
void link_end_stream(struct link *l);

/* Says BYE (text may be empty; nothing while its work is out) and ends the stream; receive keys stay until the drain is
 * over. */
void link_drain(struct link *l, enum bye_code code, const char *text, uint64_t now_us);

/* After BYE: the peer carries on with another link. Receive keys stay until the drain is over. */
void link_on_replaced(struct link *l, uint64_t now_us);

/* Drops its keys alone. Returns how many steps they took. */
uint32_t link_drop_keys(struct link *l);

/* When it is late, or its keys want keychain_tick. Late: its handshake or its drain takes too long. */
uint64_t link_next_deadline(const struct link *l);
bool link_is_late(const struct link *l, uint64_t now_us);

/* The stream's next bytes to send; 0 when there are none. */
size_t link_take_output(struct link *l, uint8_t *out, size_t cap);

/* The peer that it belongs to, once known; borrowed. */
void link_set_owner(struct link *l, void *owner);
void *link_owner(const struct link *l);

enum link_state link_state(const struct link *l);
uint64_t link_conn(const struct link *l);                   /* the owner's number for the stream */
const struct target *link_remote(const struct link *l);     /* where the stream leads */
bool link_is_opener(const struct link *l);                  /* we dialled */
bool link_both_can(const struct link *l, uint64_t feature); /* a bit of both HELLOs */
bool link_was_ended(
    const struct link *l); /* after FAILED: the peer ended the stream in TLS; it did not break */
bool link_has_stream(const struct link *l);
struct keychain *link_keychain(const struct link *l);     /* NULL before KEYED */
const struct hello *link_theirs(const struct link *l);    /* all zero before it is in */
const struct hello *link_ours(const struct link *l);      /* all zero before it is out */
const struct message *link_message(const struct link *l); /* the last one received; until link_detach */
uint32_t link_promised_index(const struct link *l); /* told in our HELLO, and no session has it; 0: none */
bool link_has_fresh_root(const struct link *l);     /* a fresh secret is mixed into the first root */
uint32_t
link_generation(const struct link *l); /* of handshakes between these two processes: the opener's word */
uint64_t link_live_us(const struct link *l); /* since when it is LIVE */
uint64_t
link_used_us(const struct link *l); /* when a message last came on its stream, or since when it is LIVE */
uint64_t link_asked_us(const struct link *l); /* when the opener was last asked to renew it; 0: never */
int link_error(const struct link *l);
const char *link_reason(const struct link *l);
const char *link_suite(const struct link *l);
