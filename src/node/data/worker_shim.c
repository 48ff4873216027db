/* SPDX-License-Identifier: Apache-2.0 */
/* What looking up does not settle goes to the control thread, within bounds: a peer's share of the queue to it, and most of
 * that queue for the device. The worker's thread. */

#include "node/data/worker_shim.h"

#include "node/data/worker_impl.h"
#include "proto/neigh/neigh_view.h"

/* Frames of the device whose next hop is not known leave the rest of the queue to peers. */
#define DEVICE_SHARE (EVENT_RING / 4 * 3)

static bool to_control(struct worker *w, uint32_t slot, const struct virtio_net_hdr *vnet,
                       const uint8_t *frame, size_t len)
{
    struct worker_event event = {
        .kind = WORKER_EVENT_NEIGHBOUR, .slot = slot, .len = (uint32_t)len, .data = (uint8_t *)frame};
    event.neighbour.worker = w->config.index;
    event.neighbour.vnet = *vnet;
    return worker_event(w, &event);
}

/* The kernel counts from its packet. */
static void shift(struct virtio_net_hdr *vnet, int by)
{
    if (vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        vnet->csum_start = (uint16_t)(vnet->csum_start + by);
    if (vnet->hdr_len)
        vnet->hdr_len = (uint16_t)(vnet->hdr_len + by);
}

bool worker_shim_out(struct worker *w, struct virtio_net_hdr *vnet, ssize_t *len)
{
    size_t total = NEIGH_HEADROOM + (size_t)*len;
    enum neigh_verdict verdict = neigh_view_out(w->config.neigh, w->frame, &total, OFFLOAD_FRAME_MAX);
    shift(vnet, NEIGH_HEADROOM);
    *len = (ssize_t)total;
    if (verdict == NEIGH_NOT_IP)
        worker_drop(w, DROP_NOT_IP, 1);
    if (verdict == NEIGH_CONTROL &&
        (ring_used(w->events) > DEVICE_SHARE || !to_control(w, WORKER_NO_PEER, vnet, w->frame, total)))
        worker_drop(w, DROP_CONTROL_QUEUE, 1);
    return verdict == NEIGH_PASS;
}

/* It is charged like a control datagram: whoever floods us with questions is heard less. */
static enum drop peer_to_control(struct worker *w, uint32_t slot, const uint8_t *frame, size_t len)
{
    static const struct virtio_net_hdr plain;
    enum drop drop = intake_judge(w->intake, slot, len, w->now_us);
    if (drop)
        return drop;
    intake_enter(w->intake, slot, len, w->now_us);
    if (to_control(w, slot, &plain, frame, len))
        return DROP_NONE;
    intake_leave(w->intake, slot, len);
    return DROP_CONTROL_QUEUE;
}

bool worker_shim_in(struct worker *w, uint32_t slot, const uint8_t *frame, size_t len, enum drop *drop)
{
    enum neigh_verdict verdict = neigh_view_in(w->config.neigh, frame, len);
    *drop = verdict == NEIGH_NOT_IP ? DROP_NOT_IP : DROP_NONE;
    if (verdict == NEIGH_CONTROL)
        *drop = peer_to_control(w, slot, frame, len);
    return verdict == NEIGH_PASS;
}

void worker_shim_strip(struct offload_merge *m)
{
    struct iovec *first = &m->iov[1];
    first->iov_base = (uint8_t *)first->iov_base + NEIGH_HEADROOM;
    first->iov_len -= NEIGH_HEADROOM;
    shift(&m->vnet, -NEIGH_HEADROOM);
}
