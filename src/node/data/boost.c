/* SPDX-License-Identifier: Apache-2.0 */
/* SCHED_RR for workers that carry much and sleep often enough. docs/ARCHITECTURE.md, "Latency". */

#include "node/data/boost.h"

#include "base/clock.h"
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Whether any worker of the node carries a stream. Those of them that do keep it known. */
static bool in_stream(struct boost *b, bool busy, uint64_t now_us)
{
    if (busy)
        atomic_store_explicit(b->stream_until_us, now_us + BOOST_LINGER_US, memory_order_relaxed);
    return busy || now_us < atomic_load_explicit(b->stream_until_us, memory_order_relaxed);
}

/* Whether a window of the share is over and was too much. It runs on through short fair spells, so that a
 * stream's pulses do not hide what is used meanwhile. A moderate one forgives, unless it was so for being
 * scheduled fairly beside a stream. */
static bool is_greedy(struct boost *b, bool wanted, uint64_t now_us, uint64_t cpu_us)
{
    uint64_t window = now_us - b->share_us, used = cpu_us - b->cpu_us;
    if (window < BOOST_WINDOW_US)
        return false;
    b->share_us = now_us;
    b->cpu_us = cpu_us;
    if (used * 100 > window * BOOST_SHARE)
        return true;
    if (b->raised || !wanted)
        b->penalty_us = 0;
    return false;
}

static void punish(struct boost *b, uint64_t now_us)
{
    b->penalty_us = b->penalty_us ? b->penalty_us * 2 : BOOST_PENALTY_US;
    if (b->penalty_us > BOOST_PENALTY_MAX_US)
        b->penalty_us = BOOST_PENALTY_MAX_US;
    b->until_us = now_us + b->penalty_us;
}

enum boost_verdict boost_judge(struct boost *b, uint64_t now_us, uint64_t cpu_us, uint64_t bytes)
{
    uint64_t window = now_us - b->window_us, carried = bytes - b->bytes;
    bool wanted = in_stream(b, carried * USEC_PER_SEC >= window * BOOST_RATE, now_us);
    bool overloaded = b->overloaded, greedy = is_greedy(b, wanted, now_us, cpu_us) || overloaded;
    b->overloaded = false;
    b->window_us = now_us;
    b->bytes = bytes;
    if (!b->raised)
        return wanted && !overloaded && now_us >= b->until_us ? BOOST_RAISE : BOOST_KEEP;
    if (greedy)
        punish(b, now_us);
    return greedy || !wanted ? BOOST_LOWER : BOOST_KEEP;
}

static uint64_t cpu_time_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
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

void boost_begin(struct boost *b, _Atomic uint64_t *stream_until_us, uint64_t now_us)
{
    *b = (struct boost){.permitted = true,
                        .stream_until_us = stream_until_us,
                        .nice = getpriority(PRIO_PROCESS, 0),
                        .window_us = now_us,
                        .share_us = now_us,
                        .cpu_us = cpu_time_us()};
    lower_thread(b);
}

void boost_act(struct boost *b, uint64_t now_us, uint64_t bytes)
{
    switch (boost_judge(b, now_us, cpu_time_us(), bytes)) {
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

void boost_pause(const struct boost *b)
{
    static const struct timespec pause = {.tv_nsec = BOOST_PAUSE_NS};
    if (boost_is_moderated(b))
        (void)nanosleep(&pause, NULL);
}
