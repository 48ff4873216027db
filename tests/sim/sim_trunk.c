/* SPDX-License-Identifier: Apache-2.0 */
/* Streams that have become trunks: batches of one datagram each. */

#include "sim_impl.h"

#include "proto/wire/wire.h"
#include <assert.h>
#include <string.h>

void sim_send_by_trunk(struct sim_node *n, uint64_t conn, const uint8_t *data, size_t len)
{
    static uint8_t batch[TRUNK_BATCH_MAX];
    const struct trunk_batch head = {.segment = (uint16_t)len, .len = (uint16_t)len};
    trunk_encode(&head, batch);
    memcpy(batch + TRUNK_HEAD_LEN, data, len);
    if (n->opens_trunk && TRUNK_HEAD_LEN + len <= sizeof(n->opening)) {
        n->opening_len = TRUNK_HEAD_LEN + len;
        memcpy(n->opening, batch, n->opening_len);
    }
    n->opens_trunk = false;
    sim_on_pipe(n, conn, EVENT_BYTES, batch, TRUNK_HEAD_LEN + len);
}

void sim_keep_probe(struct sim_node *n, const uint8_t *data, size_t len)
{
    if (data[0] != WIRE_PROBE || len > TRUNK_FIRST_MAX)
        return;
    trunk_encode(&(struct trunk_batch){.segment = (uint16_t)len, .len = (uint16_t)len}, n->probe);
    memcpy(n->probe + TRUNK_HEAD_LEN, data, len);
    n->probe_len = TRUNK_HEAD_LEN + len;
}

void sim_take_trunk(struct sim_node *n, uint64_t conn, uint8_t *data, size_t len)
{
    bool is_dialler;
    unsigned number;
    struct pipe_ends *p = sim_pipe_of(n, conn, &is_dialler, &number);
    assert(p);
    *(is_dialler ? &p->dialler.trunk : &p->listener.trunk) = true;
    n->trunks++;
    n->opens_trunk = is_dialler;
    sim_at_trunk(n, conn, data, len);
}

void sim_at_trunk(struct sim_node *n, uint64_t conn, uint8_t *data, size_t len)
{
    const struct endpoint from = endpoint_tcp(conn, &(struct addr){0});
    struct trunk_batch b;
    for (size_t at = 0; at < len; at += TRUNK_HEAD_LEN + b.len) {
        int whole = trunk_decode(data + at, len - at, &b);
        assert(whole == 1);
        (void)whole;
        sim_arrive(n, &from, data + at + TRUNK_HEAD_LEN, b.len);
    }
}
