/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes send on proven uplinks, as raw bytes and as framed messages: nothing breaks, everything ends with its uplink,
 * and what waits keeps its bounds. Each piece: node (low bits; 0x80: raw), length u8, bytes. */

#include "backbone/uplink.h"
#include "backbone/uplink_hub.h"
#include "base/table.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NODES 3
#define RAW   0x80
#define PASS  0x40 /* time passes: so many ms instead of bytes */

static struct uplink_hub hub;
static struct uplink_metrics metrics;
static struct uplink *nodes[NODES];
static int far_ends[NODES];

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void settle(void)
{
    struct uplink *u;
    uplink_hub_fire(&hub);
    while ((u = uplink_hub_take_unsent(&hub)))
        uplink_flush(u);
    for (int i = 0; i < NODES; i++)
        nodes[i] = nodes[i] && nodes[i]->state == UPLINK_GONE ? NULL : nodes[i];
    uplink_hub_bury(&hub);
}

/* Up, as if it had proven an id. */
static void begin(int i)
{
    const struct addr from = {.family = 4, .ip = {192, 0, 2, (uint8_t)i}};
    int ends[2];
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    far_ends[i] = ends[1];
    check(uplink_new(&hub, ends[0], &from, i == 2, &nodes[i]) == 0);
    nodes[i]->id.bytes[0] = (uint8_t)(i + 1);
    nodes[i]->state = UPLINK_UP;
    check(table_put(hub.by_id, uplink_hub_key(&hub, &nodes[i]->id), nodes[i]) == 0);
    metrics_add(&metrics.proven);
}

static void feed(struct uplink *u, const uint8_t *bytes, size_t len, bool raw)
{
    uint8_t framed[6 + UINT8_MAX];
    struct writer w = writer_init(framed, sizeof(framed));
    if (raw || len > 125) {
        uplink_read(u, bytes, len);
        return;
    }
    writer_u8(&w, 0x82);
    writer_u8(&w, (uint8_t)(0x80 | len));
    writer_u32(&w, 0);
    writer_put(&w, bytes, len);
    uplink_read(u, framed, writer_len(&w));
}

static void play(struct reader r)
{
    while (reader_left(&r) >= 2) {
        uint8_t what = reader_u8(&r), len = reader_u8(&r);
        struct uplink *u = nodes[what % NODES];
        if (what & PASS) {
            hub.now_us += len * USEC_PER_SEC / 10;
        } else {
            const uint8_t *bytes = reader_take(&r, len);
            if (bytes && u)
                feed(u, bytes, len, what & RAW);
        }
        settle();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct uplinks_config config = {.relay_mbit = 1000, .source_mbit = 200, .max = 16};
    hub = (struct uplink_hub){.now_us = 1000 * USEC_PER_SEC};
    check(uplink_hub_open(&hub, &config, &metrics) == 0);
    for (int i = 0; i < NODES; i++)
        begin(i);
    play(reader_init(data, size));
    check(hub.waiting <= NODES * (UPLINK_WAITING_MAX + UPLINK_MESSAGE_MAX));
    uplink_hub_close(&hub);
    for (int i = 0; i < NODES; i++)
        close(far_ends[i]);
    check(hub.waiting == 0 && hub.leg_count == 0 && hub.pair_count == 0);
    check(metrics.proven == 0 && metrics.streams == 0 && metrics.pairs == 0);
    return 0;
}
