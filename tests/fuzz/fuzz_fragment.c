/* SPDX-License-Identifier: Apache-2.0 */
/* Reassembly: the input is a script of parts (6 bytes each: who, group, offset, length, total, time). Every
 * part carries the bytes that its place in the frame calls for, so a frame that comes out must be that frame,
 * whole. */

#include "proto/session/fragment.h"
#include <stdlib.h>

#define STEP_LEN 6
#define SCALE    37 /* offsets, lengths and totals up to 255 * 37 > WIRE_FRAME_MAX */

static void check(bool ok)
{
    if (!ok)
        abort();
}

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 31 + at / 256);
}

static void step(struct fragment_table *t, const uint8_t *s, uint64_t *now)
{
    static uint8_t part[UINT8_MAX * SCALE];
    size_t offset = (size_t)s[2] * SCALE, len = (size_t)s[3] * SCALE, frame_len;
    struct wire_inner in = {.flags = WIRE_FLAG_FRAGMENT,
                            .group = (uint16_t)(s[1] << 7),
                            .frag_offset = (uint16_t)offset,
                            .frag_total = (uint16_t)(s[4] * SCALE)};
    struct fragment_lost lost;
    uint8_t *frame;

    if (s[0] & 0x80) /* a last part of odd length */
        in.frag_total = (uint16_t)(offset + (len ? --len : 0));
    for (size_t i = 0; i < len; i++)
        part[i] = byte_at(offset + i);
    *now += (uint64_t)s[5] * s[5] * 10;
    enum drop drop =
        fragment_add(t, s[0] & 3, s[0] >> 2 & 3, &in, part, len, *now, &frame, &frame_len, &lost);
    check(lost.timeout + lost.space <= 5);
    if (drop || !frame) {
        check(!frame && frame_len == 0);
        return;
    }
    check(frame_len == in.frag_total && frame_len <= WIRE_FRAME_MAX);
    for (size_t i = 0; i < frame_len; i++)
        check(frame[i] == byte_at(i));
}

static void try_plan(const uint8_t *data)
{
    size_t len = (size_t)data[0] << 8 | data[1], room = (size_t)data[2] << 8 | data[3], part;
    unsigned parts = fragment_plan(len, room, &part);

    if (parts)
        check(parts <= FRAGMENT_PARTS_MAX && part <= room && (parts - 1) * part < len && len <= parts * part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fragment_table *t;
    uint64_t now = 0;

    if (fragment_table_new(4, &t))
        abort();
    for (; size >= STEP_LEN; data += STEP_LEN, size -= STEP_LEN) {
        try_plan(data);
        step(t, data, &now);
    }
    fragment_table_free(t);
    return 0;
}
