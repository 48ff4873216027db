/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* When an uplink is tried, by which way, and what ends it. Control thread. */

#include <stdint.h>

struct uplink;

/* Connecting: now, or after a while; leaving what is there; and what is done once it is over. cause: borrowed; NULL: the one told
 * before. code: as HELPER_UPLINK_CLOSED's. */
void uplink_connect(struct uplink *u);
void uplink_try_in(struct uplink *u, uint64_t wait_us);
void uplink_leave(struct uplink *u, const char *cause, unsigned code);
void uplink_go_down(struct uplink *u, const char *cause, unsigned code);
