/* SPDX-License-Identifier: Apache-2.0 */
/* SCHED_RR for workers that sleep often enough. docs/ARCHITECTURE.md, "Latency". */

#include "node/boost.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

enum boost_verdict boost_judge(struct boost *b, uint64_t now_us, uint64_t cpu_us)
{
    uint64_t window = now_us - b->window_us, used = cpu_us - b->cpu_us;
    b->window_us = now_us;
    b->cpu_us = cpu_us;
    if (!b->raised)
        return now_us >= b->until_us ? BOOST_RAISE : BOOST_KEEP;
    if (used * 100 <= window * BOOST_SHARE) {
        b->penalty_us = 0;
        return BOOST_KEEP;
    }
    b->penalty_us = b->penalty_us ? b->penalty_us * 2 : BOOST_PENALTY_US;
    if (b->penalty_us > BOOST_PENALTY_MAX_US)
        b->penalty_us = BOOST_PENALTY_MAX_US;
    b->until_us = now_us + b->penalty_us;
    return BOOST_LOWER;
}

static uint64_t cpu_time_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void set(struct boost *b, bool raised)
{
    const struct sched_param param = {.sched_priority = raised ? sched_get_priority_min(SCHED_RR) : 0};
    if (pthread_setschedparam(pthread_self(), raised ? SCHED_RR : SCHED_OTHER, &param) == 0)
        b->raised = raised;
    else
        b->permitted = b->raised; /* not asked again, unless it is to be given back */
}

void boost_begin(struct boost *b, uint64_t now_us)
{
    *b = (struct boost){.permitted = true, .window_us = now_us, .cpu_us = cpu_time_us()};
    set(b, true);
}

void boost_act(struct boost *b, uint64_t now_us)
{
    switch (boost_judge(b, now_us, cpu_time_us())) {
    case BOOST_KEEP:
        return;
    case BOOST_RAISE:
        set(b, true);
        return;
    case BOOST_LOWER:
        set(b, false);
        return;
    }
}

void boost_pause(const struct boost *b)
{
    static const struct timespec pause = {.tv_nsec = BOOST_PAUSE_NS};
    if (boost_is_hasty(b))
        (void)nanosleep(&pause, NULL);
}
