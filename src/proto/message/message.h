/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Control messages: CBOR maps with small integer keys, in the deterministic form of base/cbor.h
 * (docs/PROTOCOL.md §7). On the control channel each is preceded by its length in 2 bytes; in CONTROL
 * datagrams it is the payload behind the inner header. Unknown keys and candidate kinds are skipped, so that
 * messages can grow; wrong types, values out of range, excess items, missing required keys and bytes left
 * over are ERR_FORMAT. Pure; a decoded message owns no memory; a RECORD, a JOIN, a certificate and a LIST_PART borrow what
 * they were decoded from.
 *
 * Key 0 of every message is its type. "[key]" behind a field is its key; those with a "?" are optional,
 * absent when empty or zero, and empty or zero when absent. An address is a byte string of 4 or 16 bytes; a
 * candidate is [kind, address, UDP port, control port], an overlay address [address, prefix bits]. */

#include "base/addr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/id.h"
#include "crypto/cert.h"
#include "crypto/ratchet.h"
#include "proto/message/record.h"
#include "proto/wire/candidate.h"
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define MESSAGE_MAX         8192 /* encoded */
#define MESSAGE_NAME_MAX    63
#define MESSAGE_TEXT_MAX    200
#define MESSAGE_ADDRS_MAX   8
#define MESSAGE_MACS_MAX    4
#define MESSAGE_AEADS_MAX   4
#define MESSAGE_BOOT_LEN    8
#define MESSAGE_VERSION     1
#define MESSAGE_TOKEN_LEN   32
#define MESSAGE_PROGRAM_MAX 31 /* characters of a version */

/* HELLO's feature bits. */
enum hello_feature {
    HELLO_FEATURE_FRESH_ROOT = 1u << 0, /* the opener's HELLO has an offer, the acceptor's READY its answer */
    HELLO_FEATURE_SESSION = 1u << 1,    /* sessions carry control, and connections may end (§16) */
    HELLO_FEATURE_RELAY = 1u << 2,      /* I take a channel of a backbone's relay (§17) */
    HELLO_FEATURE_GOSSIP = 1u << 7,     /* I pass records on (§20) */
    HELLO_FEATURE_TRUNK = 1u << 3, /* datagrams may come, and go, on TCP connections of their own (§18) */
    HELLO_FEATURE_RELAY_NODES = 1u << 4, /* I take a channel of a node that relays (§17) */
    HELLO_FEATURE_PUNCH = 1u << 6,       /* holes are punched together (§19) */
    HELLO_FEATURE_BIRTHDAY = 1u << 5,    /* … also by many sockets against many ports (§19) */
    HELLO_FEATURE_RELAYS = 1u << 8,      /* I relay for my peers (§17) */
    HELLO_FEATURE_SPARSE = 1u << 10,     /* the last of several data lanes is the sparse one (§4) */
    HELLO_FEATURE_NETWORK = 1u << 11,    /* I am a member of a network, and share its lists (§25, §27) */
    HELLO_FEATURE_ABOUT = 1u << 12,      /* I say what runs here, and what time it is (§25) */
    HELLO_FEATURE_LEAVE = 1u << 13,      /* I know LEAVE (§27) */
};

enum message_type {
    /* control channel */
    MESSAGE_HELLO = 1,      /* the first message of both sides */
    MESSAGE_READY = 2,      /* my receive keys are in place: you may send */
    MESSAGE_REFUSE = 3,     /* I will not talk to you: code, text; then the channel closes */
    MESSAGE_CANDIDATES = 4, /* my addresses have changed */
    MESSAGE_WAKE = 5,       /* your datagrams do not reach me or mine not you: probe all paths now */
    MESSAGE_BYE = 6,        /* this session ends: code */
    MESSAGE_RENEW = 7,      /* you opened this link too long ago: prove your key anew, by a new handshake */
    MESSAGE_MEMBER = 8,     /* before HELLO: my certificate, for the key that I proved in TLS (§25) */
    MESSAGE_ISSUER_ASK = 9, /* I do not know your issuer's certificate */
    MESSAGE_ISSUER = 10,    /* here it is */
    MESSAGE_JOIN_ASK = 11,  /* I have a token of this network: show me that you are its issuer (§26) */
    MESSAGE_NETWORK = 12,   /* the CA's certificate; my own as an issuer follows */
    MESSAGE_JOIN = 13,      /* the proof that I have the token */
    MESSAGE_JOINED = 14,    /* your certificate */
    MESSAGE_CERT_ASK = 15,  /* I am a member: give me a new certificate */
    /* CONTROL datagrams */
    MESSAGE_RATCHET_OFFER = 16,
    MESSAGE_RATCHET_ANSWER = 17,
    MESSAGE_RATCHET_DONE = 18,  /* sealed under the new key: the old one may go */
    MESSAGE_STREAM = 19,        /* a segment of a control stream over the session */
    MESSAGE_STREAM_ANSWER = 20, /* a segment has arrived */
    MESSAGE_STREAM_RESET = 21,  /* there is no such stream */
    MESSAGE_RELAY_SEEK = 22,    /* would you relay between me and that node? */
    MESSAGE_RELAY_FOUND = 23,   /* so I would, or not */
    MESSAGE_RELAY_ASK = 24,     /* then do, or no longer */
    MESSAGE_RELAY_CHANNEL = 25, /* here is your end of a channel */
    MESSAGE_BIRTHDAY = 26,      /* many sockets of mine against many probes of yours */
    MESSAGE_PUNCH = 27,         /* let us punch: here is where I am seen */
    MESSAGE_PUNCH_GO = 28,      /* begin */
    MESSAGE_STANDBY = 32,       /* where my standbys are reached: probe them now */
    MESSAGE_SEEK = 29,          /* tell me these nodes' records, if you have newer ones */
    MESSAGE_RECORD = 30,        /* one of them */
    MESSAGE_LISTS = 33,         /* the lists of our network that I hold */
    MESSAGE_LIST_ASK = 34,      /* give me a part of one */
    MESSAGE_LIST_PART = 35,     /* here it is */
    MESSAGE_ABOUT = 36,         /* what runs here, and what time it is */
    MESSAGE_LEAVE = 37,         /* I leave our network: shut my key out */
};

enum refuse_code {
    REFUSE_STRANGER = 1,      /* not public, and you are not on my list */
    REFUSE_VERSION = 2,       /* no common protocol version */
    REFUSE_AEAD = 3,          /* no common AEAD */
    REFUSE_SELF = 4,          /* you are me */
    REFUSE_FULL = 5,          /* too many peers */
    REFUSE_MEMBERS_ONLY = 6,  /* a certificate of my network admits, and you showed none */
    REFUSE_OTHER_NETWORK = 7, /* yours is of another network, or of an issuer that is none here */
    REFUSE_CERTIFICATE =
        8,              /* it does not hold: malformed, forged, for another key, beyond its issuer's rights */
    REFUSE_NOT_YET = 9, /* it is not valid yet: a clock is wrong */
    REFUSE_EXPIRED = 10,
    REFUSE_REVOKED = 11,
    REFUSE_DOUBT = 12, /* what I know of revoked keys is old, and I ask an issuer first: try again */
    /* joining and renewing (§26) */
    REFUSE_NO_ISSUER = 16,     /* I am not an issuer of that network, or no longer */
    REFUSE_TOKEN_UNKNOWN = 17, /* I made no such token, or have forgotten it */
    REFUSE_TOKEN_USED = 18,    /* as often as it may be */
    REFUSE_TOKEN_EXPIRED = 19,
    REFUSE_TOKEN_REVOKED = 20,
    REFUSE_TOKEN_FORGED = 21, /* the proof is not of the token's secret, or of another channel */
    REFUSE_NAME = 22,         /* what you would be called is no name */
    REFUSE_NAME_TAKEN = 23,   /* by another member */
    REFUSE_ADDRESSES = 24,    /* none of mine is free */
    REFUSE_WAITS = 25,        /* for a person's approval: ask again */
    REFUSE_LATER = 26,        /* too much at once, or the disk failed: ask again */
};

enum bye_code {
    BYE_SHUTDOWN = 1,
    BYE_REPLACED = 2,     /* by another link, which carries on */
    BYE_DISALLOWED = 3,   /* I admit you no longer */
    BYE_DISCONNECTED = 4, /* who runs me asked for it */
};

struct message_candidates {
    unsigned count;
    struct candidate list[CANDIDATES_MAX];
};

struct hello {
    uint8_t version_min, version_max; /* [1] [2] min <= max */
    uint64_t features;                /* [3?] bits; unknown ones are kept */
    unsigned aead_count;
    uint8_t aeads[MESSAGE_AEADS_MAX]; /* [4?] enum aead_suite, best first; may hold unknown numbers */
    uint8_t lanes;                    /* [5] data lanes, 1..WIRE_DATA_LANES */
    uint16_t mtu;                     /* [6] of the device */
    char name[MESSAGE_NAME_MAX + 1];  /* [7?] text_ok */
    unsigned address_count;
    struct addr_prefix addresses[MESSAGE_ADDRS_MAX]; /* [8?] overlay addresses */
    unsigned mac_count;
    uint8_t macs[MESSAGE_MACS_MAX][6];    /* [9?] never group addresses */
    struct message_candidates candidates; /* [10?] */
    uint32_t receiver_index;              /* [11] */
    uint8_t boot[MESSAGE_BOOT_LEN]; /* [12] random per process: a new one means that the node restarted */
    uint32_t generation; /* [13] of handshakes between these two processes, chosen by the side that dials */
};

/* One side's part of the ratchet step that makes the first root. */
struct message_share {
    bool present;
    uint8_t key[RATCHET_OFFER_LEN];
};

static_assert(RATCHET_OFFER_LEN == RATCHET_ANSWER_LEN, "one kind of share");

struct message_ratchet {
    uint32_t step;                  /* [1] counts the ratchet steps of a session, from 1 */
    uint32_t receiver_index;        /* [2] for the new keys */
    uint8_t key[RATCHET_OFFER_LEN]; /* [3] */
};

#define MESSAGE_SEGMENT_MAX 1104 /* bytes: with seal and message around them they fit WIRE_BASE_SIZE */

enum segment_flags {
    SEGMENT_FIRST = 1, /* its sender opens the stream, and knows of no answer yet */
    SEGMENT_LAST = 2,  /* nothing follows: its end counts as one byte */
};

struct segment {
    uint32_t stream; /* [1] */
    uint8_t flags;   /* [2?] enum segment_flags */
    uint64_t offset; /* [3?] of the first byte */
    uint16_t len;
    uint8_t data[MESSAGE_SEGMENT_MAX]; /* [4?] len of them */
};

struct segment_answer {
    uint32_t stream;   /* [1] */
    uint64_t offset;   /* [2?] of the segment that arrived */
    uint64_t received; /* [3?] all bytes before it have */
};

/* What one side of a round of punching says of itself. */
struct punch_offer {
    uint32_t round;                       /* [1] of the side that asks */
    uint8_t answer;                       /* [2?] 1: to the other side's */
    struct message_candidates candidates; /* [3?] where it is seen */
    uint8_t ports;                        /* [4?] enum nat_ports (proto/nat/nat.h), or a later one */
    uint16_t first;                       /* [5?] of the ports that its next mappings will have … */
    uint8_t count; /* [6?] … and how many those may be; at the first candidate's host */
};

enum birthday_word {
    BIRTHDAY_WORD_ASK = 1,   /* my NAT draws ports: would you probe them? */
    BIRTHDAY_WORD_COME = 2,  /* I would */
    BIRTHDAY_WORD_BEGIN = 3, /* my sockets are open */
};

#define MESSAGE_SOUGHT_MAX 16 /* ids in a SEEK */
#define MESSAGE_RECORD_MAX                                                                                   \
    3520 /* bytes of a record that is passed on: with its signature it fits MESSAGE_MAX */

#define MESSAGE_LISTS_MAX 64   /* lists in a LISTS */
#define MESSAGE_PART_MAX  4096 /* bytes in a LIST_PART */

/* What a signer of a network signs. */
enum list_kind {
    LIST_REVOCATIONS = 1,
    LIST_ROSTER = 2,
    LIST_ISSUER = 3, /* its own certificate, which the CA signed */
};

/* One that somebody holds. */
struct message_list {
    uint8_t kind; /* enum list_kind, or a later one */
    struct node_id signer;
    uint64_t number;
    uint64_t time; /* seconds since 1970, of the signature */
};

/* A part of one. */
struct list_part {
    uint8_t kind;          /* [1] */
    struct node_id signer; /* [2] */
    uint64_t number;       /* [3] ASK: [3?] 0: of the newest */
    uint32_t total;        /* PART: [4] bytes of the whole */
    uint32_t offset;       /* PART: [5?] ASK: [4?] */
    struct slice bytes;    /* PART: [6] in the message; at most MESSAGE_PART_MAX */
};

/* One that is sought. */
struct message_sought {
    struct node_id id;
    uint64_t seq; /* of the record that the asker has; 0: none */
};

/* What a joiner shows. */
struct message_join {
    struct slice key;                /* [1] DER SubjectPublicKeyInfo of the token's seed; in the message */
    struct slice signature;          /* [2] in the message */
    char name[MESSAGE_NAME_MAX + 1]; /* [3?] that it would have; text_ok */
};

struct message {
    enum message_type type;
    union {
        struct {
            struct hello hello;
            struct message_share offer; /* [14?] of the opener */
        };
        struct message_share answer; /* READY: [1?] of the acceptor */
        struct {
            uint8_t code;                    /* [1] enum refuse_code, or a later one */
            char text[MESSAGE_TEXT_MAX + 1]; /* [2?] text_ok */
        } refuse;
        struct {
            uint8_t code;                    /* [1] enum bye_code, or a later one */
            char text[MESSAGE_TEXT_MAX + 1]; /* [2?] text_ok: of REPLACED, where another process was let in */
        } bye;
        struct message_candidates candidates; /* CANDIDATES, STANDBY: [1?] */
        struct message_ratchet ratchet;       /* offer and answer; DONE has only step */
        struct segment segment;               /* STREAM */
        struct segment_answer answered;       /* STREAM_ANSWER */
        struct {
            uint32_t stream; /* [1] */
        } reset;             /* STREAM_RESET */
        struct {
            struct node_id id;                /* [1] the other end */
            uint32_t rtt_us;                  /* FOUND: [2?] to both ends together; 0: I would not */
            uint8_t end;                      /* ASK: [2?] 1: no channel is wanted any more */
            uint32_t channel;                 /* CHANNEL: [2] */
            uint8_t token[MESSAGE_TOKEN_LEN]; /* CHANNEL: [3] what its end shares with the relay */
        } relay;                              /* RELAY_SEEK, FOUND, ASK and CHANNEL */
        struct punch_offer punch;             /* PUNCH */
        struct {
            uint32_t round; /* [1] */
        } punch_go;         /* PUNCH_GO */
        struct {
            uint32_t number; /* [1] of the side that asks */
            uint8_t word;    /* [2] enum birthday_word, or a later one */
        } birthday;          /* BIRTHDAY */
        struct {
            unsigned count;
            struct message_sought list[MESSAGE_SOUGHT_MAX];
        } seek;                     /* [1] of [id, seq] */
        struct record_bytes record; /* [1] at most MESSAGE_RECORD_MAX, [2] its signature; in the message */
        struct slice certificate; /* MEMBER, ISSUER, NETWORK, JOINED: [1] at most CERT_MAX; in the message */
        struct {
            struct node_id id; /* [1] of its key */
        } issuer;              /* ISSUER_ASK */
        struct {
            struct node_id network; /* [1] */
        } join_ask;                 /* JOIN_ASK */
        struct message_join join;   /* JOIN */
        struct {
            unsigned count;
            struct message_list list[MESSAGE_LISTS_MAX];
        } lists;               /* [1] of [kind, signer, number, time] */
        struct list_part part; /* LIST_ASK, LIST_PART */
        struct {
            char version[MESSAGE_PROGRAM_MAX + 1]; /* [1] text_ok */
            uint64_t time;                         /* [2] seconds since 1970, by the sender's clock */
        } about;                                   /* ABOUT */
    };
};

/* Writes the message through w; w goes bad when there is no room, or when a name or text is not text_ok.
 * Equal messages give equal bytes. */
void message_encode(const struct message *m, struct writer *w);

/* 0, ERR_FORMAT, or ERR_UNSUPPORTED for a well-formed head with a type that is not known
 * here: to be ignored. */
int message_decode(const uint8_t *data, size_t len, struct message *out) must_check;
