/* SPDX-License-Identifier: Apache-2.0 */
/* SCHED_RR for a worker beside bulk flows, as long as it carries little. docs/ARCHITECTURE.md, "Latency". */

#include "node/data/boost.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_wanted(const struct boost *b, uint64_t now_us)
{
    return now_us < atomic_load_explicit(b->bulk_seen_us, memory_order_relaxed) + BOOST_STREAM_US;
}

static bool is_much(struct boost *b, uint64_t now_us, uint64_t carried)
{
    if (now_us - b->window_us >= BOOST_WINDOW_US) {
        b->window_us = now_us;
        b->carried = carried;
    }
    return carried - b->carried > BOOST_MUCH;
}

enum boost_verdict boost_judge(struct boost *b, uint64_t now_us, uint64_t carried, bool overloaded)
{
    if (is_much(b, now_us, carried) || overloaded)
        b->until_us = now_us + BOOST_FAIR_US;
    bool raise = now_us >= b->until_us && is_wanted(b, now_us);
    if (raise == b->raised)
        return BOOST_KEEP;
    return raise ? BOOST_RAISE : BOOST_LOWER;
}

/* The C library has no function for it before glibc 2.41. */
static bool schedule(const struct sched_attr *attr)
{
    return syscall(SYS_sched_setattr, 0, attr, 0) == 0;
}

static void raise_thread(struct boost *b)
{
    b->raised = schedule(
        &(struct sched_attr){.size = SCHED_ATTR_SIZE_VER0, .sched_policy = SCHED_RR, .sched_priority = 1});
    b->permitted = b->raised; /* else it is never asked for again */
}

static void lower_thread(struct boost *b)
{
    b->raised = !schedule(&(struct sched_attr){.size = SCHED_ATTR_SIZE_VER0,
                                               .sched_policy = SCHED_NORMAL,
                                               .sched_nice = b->nice,
                                               .sched_runtime = BOOST_SLICE_NS}) &&
                b->raised;
}

void boost_begin(struct boost *b, const _Atomic uint64_t *bulk_seen_us)
{
    *b =
        (struct boost){.permitted = true, .bulk_seen_us = bulk_seen_us, .nice = getpriority(PRIO_PROCESS, 0)};
    lower_thread(b);
}

void boost_round(struct boost *b, uint64_t now_us, uint64_t carried, bool overloaded)
{
    switch (boost_judge(b, now_us, carried, overloaded)) {
    case BOOST_KEEP:
        return;
    case BOOST_RAISE:
        raise_thread(b);
        return;
    case BOOST_LOWER:
        lower_thread(b);
        return;
    }
}
