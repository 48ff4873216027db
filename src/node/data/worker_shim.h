/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where the device has no link layer (proto/neigh). The worker's thread. */

#include "frame/offload.h"
#include "proto/wire/drop.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct worker;

/* A packet of the device lies in the worker's frame, behind NEIGH_HEADROOM bytes. True: it is a frame for peers now, of *len
 * bytes. False: it is the control thread's, or nobody's. */
bool worker_shim_out(struct worker *w, struct virtio_net_hdr *vnet, ssize_t *len);

/* Whether a frame of the peer in slot is for the device. False with DROP_NONE: it was for the control thread, or nobody. */
bool worker_shim_in(struct worker *w, uint32_t slot, const uint8_t *frame, size_t len, enum drop *drop);

/* Takes the Ethernet header off what is about to be written to the device. */
void worker_shim_strip(struct offload_merge *m);
