/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Streams between two uplinks: bytes within the receiver's credit, which passes through, so that nothing is held here but
 * what the receiver has granted. A stream has two legs, one on each uplink, and each is closed by a CLOSE from both of
 * its sides. Uplink thread. docs/PROTOCOL.md §15. */

#include "base/err.h"

struct uplink;
struct uplink_message;

#define UPLINK_GRANT_MAX   (1u << 20) /* credit that may be granted and unused */
#define UPLINK_LEGS_SPARSE 16         /* of each kind on an uplink, once there are … */
#define UPLINK_LEGS_EASY   131072     /* … so many in all */

/* What a node said. ERR_FORMAT when the number is not its to open. */
int uplink_streams_open(struct uplink *u, const struct uplink_message *m) must_check;
void uplink_streams_data(struct uplink *u, const struct uplink_message *m);
void uplink_streams_credit(struct uplink *u, const struct uplink_message *m);
void uplink_streams_close(struct uplink *u, const struct uplink_message *m);

/* u is not UP any longer: the other ends hear CLOSE, code 5. */
void uplink_streams_leave(struct uplink *u);
