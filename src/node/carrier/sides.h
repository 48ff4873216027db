/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Side sockets: beside that of the node's port, each for one peer, and numbered from 1 (docs/PROTOCOL.md §19, "Birthday"). One
 * worker reads one; any thread sends by it. The control thread adds and closes them. */

#include "net/udp.h"
#include "proto/path/endpoint.h"
#include <stdatomic.h>
#include <stdint.h>

/* All zero: there is none. */
struct sides {
    _Atomic uint32_t open; /* a bit for each that may be used, the lowest for number 1 */
    struct udp_socket sockets[SIDES_MAX];
};

_Static_assert(SIDES_MAX <= 32, "each has a bit");

/* The lowest number that has no socket; 0: all have one. */
unsigned sides_free_number(const struct sides *s);

/* Takes the socket under that number. */
void sides_add(struct sides *s, unsigned number, const struct udp_socket *socket);

/* sides_socket does not find it any more. Who has found it before may still use it, until sides_close, when nobody may. */
void sides_retire(struct sides *s, unsigned number);
void sides_close(struct sides *s, unsigned number);

/* Closes all that are left, once no other thread is. */
void sides_fini(struct sides *s);

/* Any thread, a worker between two quiescent states, as for those below. s may be NULL: then it has none. */
bool sides_have_port(struct sides *s, uint16_t port);

/* NULL: there is none. */
static inline struct udp_socket *sides_socket(struct sides *s, unsigned number)
{
    uint32_t open = s ? atomic_load_explicit(&s->open, memory_order_acquire) : 0;
    return number && open >> (number - 1) & 1 ? &s->sockets[number - 1] : NULL;
}
