/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a node and its helper processes say to each other, one message per packet of a SOCK_SEQPACKET pair. Neither side
 * trusts the other's bytes. Pure functions.
 *
 *      kind u8 | token u32 | the fields of its kind, in the order of struct helper_message
 *
 * Lengths stand before what they count: u16 for text, data and signature, u8 for addresses. Both ends are of one
 * build, so there is no version. */

#include "base/addr.h"
#include "base/bytes.h"
#include "base/err.h"
#include <stdint.h>

#define HELPER_MESSAGE_MAX   14336 /* bytes; a record with its signature is the longest */
#define HELPER_TEXT_MAX      256   /* with its NUL */
#define HELPER_ADDRESSES_MAX 8

enum helper_kind {
    /* helper to node, token 0 */
    HELPER_READY = 1, /* it is caged and serves */
    HELPER_UNABLE,    /* text: why it cannot */
    HELPER_ENDED,     /* text: how it did; another one takes its place, what was asked is lost */
    /* node to helper, whose answer has the same token */
    HELPER_ASK_NAME, /* text: a host's name */
    /* number: which backbone; text: the URL of another instance that is asked in its place, or empty; addresses: of whom is
     * asked, none when its URL has one */
    HELPER_ASK_INFO,
    HELPER_ASK_CHALLENGE, /* likewise */
    HELPER_ASK_REGISTER,  /* likewise, data and signature: our record */
    HELPER_ASK_RECORD,    /* likewise, data: an id */
    /* helper to node */
    HELPER_NAME,     /* addresses; none: text says why */
    HELPER_BACKBONE, /* of what was asked of the backbone: see struct helper_message */
    /* on the uplink's own channel (uplink_channel.h), token 0; helper to node */
    HELPER_UPLINK_READY, /* it may be asked to connect; nothing is left of a connection before */
    HELPER_UPLINK_OPEN,  /* it is connected: the backbone speaks first */
    HELPER_UPLINK_CLOSED, /* text: why; number: the backbone's close code, or one of enum helper_end. Until it is asked again,
                           * nothing passes */
    HELPER_UPLINK_DROPPED, /* number: so many more messages with datagrams were lost */
    /* node to helper */
    HELPER_UPLINK_CONNECT, /* text and addresses as ASK_INFO's; number: of workers that take datagrams */
    HELPER_UPLINK_CHECK,   /* the network has changed: is the backbone still there? */
    HELPER_UPLINK_LEAVE,   /* number: with which code. CLOSED follows, unless it has just been said */
    /* on the channel of the helper for port mappings (portmap_helper.h); node to helper */
    HELPER_PORTMAP_ASK, /* addresses: ours and the router's, in pairs, of one family each; of other families none is asked */
    /* helper to node, and to that one from the process that speaks UPnP */
    HELPER_PORTMAP, /* addresses: the router's, then outer ones of our UDP port, and of our TCP port if it has one;
                     * number: for how many seconds; text: by which protocol, or without outer addresses why, as the
                     * end of "the router …". data: what the helper alone has to know */
    /* on the channel of the helper for this machine's resolver (resolver_helper.h); node to helper */
    HELPER_NAMES_SOME, /* data: names and addresses, more of them */
    HELPER_NAMES_SET, /* those are all. text: our device, addresses: where it is asked, data: for which domains, a line each */
    /* helper to node */
    HELPER_NAMES_HELD, /* number: enum resolver_mode, how names are told; text: why not, or empty */
    /* on the channel of the doors' process (node/doors/doors_process.h); node to helper */
    HELPER_DOORS_OPEN, /* interface: of the mesh; data: its prefixes (node/doors/mesh_side.h). Doors are open from here on */
    HELPER_DOORS_LISTEN, /* number: of the door that the socket which comes with it is for */
    /* helper to node, which it asks by ASK_NAME for members' names, too */
    HELPER_DOORS_COUNTS, /* data: what they count (node/doors/doors_counts.h) */
};

/* How an uplink ended that the backbone has not closed; its own codes are larger. */
enum helper_end {
    HELPER_END_BROKEN, /* somebody said so: it is refused, reset, or no backbone */
    HELPER_END_SILENT, /* nobody says anything: by another way out it may be different */
};

enum backbone_verdict {
    BACKBONE_OK,
    BACKBONE_UNREACHABLE, /* no answer, or none of a backbone's */
    BACKBONE_REFUSED,     /* it answers, and will not */
    BACKBONE_ABSENT,      /* no such node */
    BACKBONE_FORGED,      /* a record that does not verify, or is another node's */
};

/* Fields that are not of the kind are zero. data and signature are borrowed. */
struct helper_message {
    enum helper_kind kind;
    uint32_t token;
    enum backbone_verdict verdict;
    uint64_t date_s; /* the backbone's clock, seconds since 1970; 0 when it told none */
    uint64_t
        number; /* ASK_…: the backbone's; HELPER_BACKBONE: the seq that it has stored of us, when it refuses a lower one; else 0 */
    uint32_t interface; /* ASK_…, UPLINK_CONNECT: by which it leaves, a standby; 0: as the kernel chooses */
    /* text_ok; of BACKBONE_OK: the running process of the backbone, or the URL at which the node is linked, or empty; else
     * why */
    char text[HELPER_TEXT_MAX];
    unsigned address_count;
    struct addr addresses[HELPER_ADDRESSES_MAX]; /* ASK_INFO's answer: where STUN is served, if known */
    /* ASK_INFO's: the instances that share its store, a URL and \n each; ASK_CHALLENGE's: the challenge; ASK_RECORD's: a
     * record */
    struct slice data;
    struct slice signature; /* ASK_RECORD's: the record's */
};

/* Returns the length in out. ERR_ARGUMENT when the text is not text_ok, ERR_SPACE. */
int helper_message_encode(const struct helper_message *m, uint8_t out[HELPER_MESSAGE_MAX],
                          size_t *len) must_check;

/* data and signature of out lie in bytes. ERR_FORMAT for all that helper_message_encode does not make. */
int helper_message_decode(const uint8_t *bytes, size_t len, struct helper_message *out) must_check;

/* Copies what is not ours into m's text: cut, and clean. */
void helper_message_set_text(struct helper_message *m, const char *text);
