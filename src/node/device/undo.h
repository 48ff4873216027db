/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a node that is killed leaves behind on a device that it attached to, as text: device_undo.c writes it
 * beside the API socket before anything is changed, and the next start reads it. Pure functions, no thread's.
 *
 *     shadowmesh-undo 1
 *     place 6f3c…/4026532455        boot and network namespace
 *     device tap7 12                name and index
 *     down                          it was, and we brought it up
 *     rp_filter 0                   what each setting was; a line per setting that we changed
 *     arp_ignore 0
 *     arp_announce 0
 *     end
 */

#include "base/err.h"
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#define UNDO_SETTINGS  3
#define UNDO_VALUE_MAX 16
#define UNDO_PLACE_MAX 80
#define UNDO_TEXT_MAX  512 /* the longest record has half of that */

/* Settings of a device (net.ipv4.conf) and what they become beside an overlapping interface. */
struct undo_setting {
    const char *key, *value;
};
extern const struct undo_setting undo_settings[UNDO_SETTINGS];

struct undo {
    char place[UNDO_PLACE_MAX]; /* an index means something there alone */
    char device[IFNAMSIZ];
    unsigned index;
    bool down;                                  /* it was, before us */
    char before[UNDO_SETTINGS][UNDO_VALUE_MAX]; /* empty: not changed */
};

/* Writes u as text, with a terminating zero; returns the length without it. */
size_t undo_encode(const struct undo *u, char out[UNDO_TEXT_MAX]);

/* Takes exactly what undo_encode writes: ERR_FORMAT for anything else, *out is then all zero. */
int undo_decode(const char *text, size_t len, struct undo *out) must_check;
