/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One direction of a wire that takes its time: what goes in comes out later and in order, unless it is lost.
 *
 *     frame ──▶ loss or mark ──▶ buffer, at a rate ──▶ delay ──▶ frame
 *
 * Frames come with the virtio header of a TAP, so that super-frames pass whole. What is lost, marked or finds
 * the buffer full is a packet, as on a real wire: a super-frame is cut around it, and with a rate every packet
 * passes alone. Time comes in, in nanoseconds; one thread at a time. */

#include "base/err.h"
#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line_config {
    uint64_t delay_ns;
    double loss;        /* of each packet, 0 to 1 */
    uint64_t seed;      /* of the losses: the same packets, the same losses */
    double rate;        /* bits a second, of Ethernet frames; 0: no limit */
    uint64_t buffer_ns; /* with a rate: who would wait longer for its turn is lost */
    bool mark;          /* a packet that knows ECN is marked where chance would lose it, or when the buffer is
                           half full */
    size_t room;        /* bytes on the way at most; what comes beyond is lost */
};

/* Of packets, not of super-frames. */
struct line_counters {
    uint64_t passed, lost, marked, overflowed, no_room;
};

struct line;
int line_new(const struct line_config *config, struct line **out) must_check;
void line_free(struct line *l);

/* Takes a frame, which is copied and may be altered. What contradicts its own virtio header counts as one packet. */
void line_push(struct line *l, struct virtio_net_hdr *vnet, uint8_t *frame, size_t len, uint64_t now_ns);

/* The first frame, its virtio header in front, if it has arrived by now; else NULL. Borrowed until line_pop. */
uint8_t *line_front(const struct line *l, uint64_t now_ns, size_t *len);
void line_pop(struct line *l);

/* When the first one arrives; UINT64_MAX: nothing is on the way. */
uint64_t line_next(const struct line *l);

struct line_counters line_counters(const struct line *l);
