/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who may have how many addresses of a table. Internal to it. */

#include <stdbool.h>

struct fdb;

/* Counts n addresses more, or less, for port. With the lock held. */
void fdb_account(struct fdb *fdb, int port, int n);

enum fdb_room {
    FDB_ROOM,          /* there is room */
    FDB_ROOM_DISPLACE, /* once fdb_displace has taken a place from a peer that has more than its share */
    FDB_ROOM_NONE,
};

/* Whether port may have one address more, which it takes from another port or, when that is
 * SWITCH_PORT_FLOOD, which is new. Without the lock: an estimate. */
enum fdb_room fdb_room(const struct fdb *fdb, int port, int from);

/* Removes an address of a peer that has more than its share, so that port may have one; false when a bounded
 * search met none. It goes on from there the next time. With the lock held. */
bool fdb_displace(struct fdb *fdb, int port);
