/* SPDX-License-Identifier: Apache-2.0 */
/* A socket lies where it lies while it has its number; the bit says that it is there. */

#include "node/carrier/sides.h"

static uint32_t bit(unsigned number)
{
    return 1u << (number - 1);
}

unsigned sides_free_number(const struct sides *s)
{
    uint32_t open = atomic_load_explicit(&s->open, memory_order_relaxed);
    for (unsigned number = 1; number <= SIDES_MAX; number++)
        if (!(open & bit(number)))
            return number;
    return 0;
}

void sides_add(struct sides *s, unsigned number, const struct udp_socket *socket)
{
    s->sockets[number - 1] = *socket;
    atomic_fetch_or_explicit(&s->open, bit(number), memory_order_release);
}

void sides_retire(struct sides *s, unsigned number)
{
    atomic_fetch_and_explicit(&s->open, ~bit(number), memory_order_release);
}

void sides_close(struct sides *s, unsigned number)
{
    udp_close(&s->sockets[number - 1], 1);
}

bool sides_have_port(struct sides *s, uint16_t port)
{
    uint32_t open = s ? atomic_load_explicit(&s->open, memory_order_acquire) : 0;
    for (; open; open &= open - 1)
        if (s->sockets[__builtin_ctz(open)].port == port)
            return true;
    return false;
}

void sides_fini(struct sides *s)
{
    for (unsigned number = 1; number <= SIDES_MAX; number++) {
        if (!sides_socket(s, number))
            continue;
        sides_retire(s, number);
        sides_close(s, number);
    }
}
