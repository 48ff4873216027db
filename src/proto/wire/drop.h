/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Why a datagram or frame was not passed on. A drop is no error: it has a reason, a counter and a metric. The
 * names appear in `status --json` and in metrics, so the list only grows. */

enum drop {
    DROP_NONE = 0,
    /* from the network */
    DROP_SHORT,            /* shorter than a header and a tag */
    DROP_TYPE,             /* a type we do not know */
    DROP_RESERVED,         /* a bit or field that must be zero is not */
    DROP_LANE,             /* a lane that the session does not have */
    DROP_RECEIVER,         /* an unknown receiver index */
    DROP_AUTH,             /* the tag does not verify */
    DROP_REPLAY,           /* seen already */
    DROP_OLD,              /* below the replay window */
    DROP_INNER,            /* a malformed inner header */
    DROP_FRAGMENT,         /* a fragment that contradicts the others of its frame */
    DROP_FRAGMENT_TIMEOUT, /* a frame whose other fragments never came */
    DROP_FRAGMENT_SPACE,   /* more frames in reassembly than there is room for */
    DROP_RUNT,             /* a frame without a whole Ethernet header */
    DROP_OVERSIZE,         /* a frame larger than any device takes */
    DROP_SOURCE,           /* a source address that is multicast, or one of our own */
    DROP_FDB_FULL, /* the peer, or all together, announced too many addresses; the frame itself is passed */
    DROP_STORM,    /* over the peer's budget of broadcast and unknown unicast */
    DROP_CONTROL_QUEUE, /* control datagrams faster than the control thread takes them */
    DROP_DEVICE,        /* the TAP took no frame */
    /* from the device */
    DROP_NO_PEER,   /* no peer has a session */
    DROP_KEY_SPENT, /* the key is past its hard limit */
    DROP_SPLIT,     /* a super-frame that cannot be cut */
    DROP_SEND,      /* the kernel refused the datagram */
    DROP_BACKLOG,   /* more waits for the underlay than it takes in 20 ms */
    DROP_TOO_BIG,   /* larger than the path's present size; the path is measured anew */
    /* from the network, later additions */
    DROP_ECN,      /* marked CE on the way, but the packet inside is not ECN-capable (RFC 6040) */
    DROP_STRANGER, /* a connection to the control port, turned away, or reset before it had proved an id */
    DROP_BPDU, /* of bridges among themselves (spanning tree, pause, LACP), from either side: -bpdu pass lets it by */
    DROP_PINNED, /* the source address is another peer's, who announced it in HELLO */
    DROP_FLAPPING, /* the source moves from peer to peer too often: it stays where it is; the frame itself is passed */
    DROP_CONTROL_RATE, /* over the peer's rate of probes and control datagrams */
    DROP_CIRCLE,       /* a sealed datagram of our own, which a route led back into our device */
    DROP_OVERLOAD,     /* of a peer over its share, unopened; or from a trunk, and a worker did not take it */
    DROP_CARRIER, /* a probe by a carrier that is not used, under another peer's id, or by no trunk of its peer's */
    DROP_RELAY, /* in an envelope that is not from a relay and channel that we bound, or in a second one */
    DROP_RELAY_RATE, /* of a pair that we relay for: over its share, its source's rate or that of all */
    DROP_RECORD,     /* a record, or a part of a list, that was not asked for or does not verify */
    DROP_BEACON,     /* of the local network, and none of a peer of ours, or an old one (PROTOCOL §20) */
    DROP_ASLEEP,     /* from the device, to everybody: a peer whose paths sleep is to be woken for it first */
    DROP_NOT_IP, /* for a device without a link layer, or of one: no IP, a VLAN's, or for another machine */
    DROP_NO_NEIGHBOUR, /* of such a device: its next hop does not answer, or as many frames wait for it as may */
    DROP_COUNT
};

/* "replay", "unknown_receiver" …: a lower-case name of the reason, as in status and metrics. */
const char *drop_name(enum drop drop);
