/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the shared store does at once, in Lua, without KEYS: it is one server, no Redis Cluster. Numbers that are compared as text
 * have 19 digits, since Lua's own are exact up to 2^53 only. What has expired has so by two clocks. */

enum redis_script {
    REDIS_SCRIPT_PUT, /* id, seq, expiry, public, name, network, record, signature, seconds to keep, most entries:
                            {0, ''}, {1, stored seq}: it is not older, {2, ''}: no room */
    REDIS_SCRIPT_GET,  /* id, now: an entry, and the URL where it has its uplink or ''; nil */
    REDIS_SCRIPT_LIST, /* key, after or '', most entries, now, 1: whole, most bytes: entries, and {id} where there may be more behind id */
    REDIS_SCRIPT_PRUNE, /* expired before, most entries, for so many seconds by the server's clock: how many are gone */
    REDIS_SCRIPT_BEAT, /* name, URL or '' to leave, seconds, generation, hour, three keys, their seconds, most URLs:
                            generation, three keys, URLs of those that live */
    REDIS_SCRIPT_UNLINK, /* id, name: whether it was linked there */
    REDIS_SCRIPTS
};

extern const char *const redis_scripts[REDIS_SCRIPTS];
