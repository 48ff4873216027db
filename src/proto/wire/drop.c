/* SPDX-License-Identifier: Apache-2.0 */
/* The names of drop reasons, as `status --json`, metrics and docs/PROTOCOL.md §11 spell them. Any thread. */

#include "proto/wire/drop.h"
#include <stddef.h>

static const char *const names[DROP_COUNT] = {
    [DROP_NONE] = "none",
    [DROP_SHORT] = "short",
    [DROP_TYPE] = "type",
    [DROP_RESERVED] = "reserved",
    [DROP_LANE] = "lane",
    [DROP_RECEIVER] = "unknown_receiver",
    [DROP_AUTH] = "auth",
    [DROP_REPLAY] = "replay",
    [DROP_OLD] = "old",
    [DROP_INNER] = "inner",
    [DROP_FRAGMENT] = "fragment",
    [DROP_FRAGMENT_TIMEOUT] = "fragment_timeout",
    [DROP_FRAGMENT_SPACE] = "fragment_space",
    [DROP_RUNT] = "runt",
    [DROP_OVERSIZE] = "oversize",
    [DROP_SOURCE] = "source",
    [DROP_FDB_FULL] = "fdb_full",
    [DROP_STORM] = "storm",
    [DROP_CONTROL_QUEUE] = "control_queue",
    [DROP_DEVICE] = "device",
    [DROP_NO_PEER] = "no_peer",
    [DROP_KEY_SPENT] = "key_spent",
    [DROP_SPLIT] = "split",
    [DROP_SEND] = "send",
    [DROP_BACKLOG] = "backlog",
    [DROP_TOO_BIG] = "too_big",
    [DROP_ECN] = "ecn",
    [DROP_STRANGER] = "stranger",
    [DROP_BPDU] = "bpdu",
    [DROP_PINNED] = "pinned",
    [DROP_FLAPPING] = "flapping",
    [DROP_CONTROL_RATE] = "control_rate",
    [DROP_CIRCLE] = "circle",
    [DROP_OVERLOAD] = "overload",
    [DROP_CARRIER] = "carrier",
    [DROP_RELAY] = "relay",
    [DROP_RELAY_RATE] = "relay_rate",
    [DROP_RECORD] = "record",
    [DROP_BEACON] = "beacon",
    [DROP_ASLEEP] = "asleep",
    [DROP_NOT_IP] = "not_ip",
    [DROP_NO_NEIGHBOUR] = "no_neighbour",
};

const char *drop_name(enum drop drop)
{
    if ((unsigned)drop >= DROP_COUNT || !names[drop])
        return "unknown";
    return names[drop];
}
