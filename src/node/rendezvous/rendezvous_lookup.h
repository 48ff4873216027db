/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Asking the backbone for the records of peers that we want, one after the other: docs/PROTOCOL.md §8. Control
 * thread. */

struct rendezvous;

/* When the next look-up is due: at once, or when that peer is to be asked for again; not while the backbone is away. */
void rendezvous_schedule_lookups(struct rendezvous *r);
