/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whether a PROVE proves what it says: that its sender has the key now, and means this backbone. docs/PROTOCOL.md §15. */

struct uplink;

/* Of a WAITING one: NULL when it holds, and u->id is whose it is; else what is wrong, for a person. */
const char *uplink_proof_judge(struct uplink *u);
