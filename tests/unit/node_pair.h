/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Two whole nodes, one of which dials the other, and frames between them, for test_node*.c. */

#include "node_twin.h"

#include "base/clock.h"
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define FRAME_LEN   100
#define DEADLINE_US (20 * USEC_PER_SEC)
#define FLAGS(...)  ((const char *const[]){__VA_ARGS__, NULL})

/* a dials b. */
struct pair {
    struct twin a, b;
};

/* With a path: from then on frames pass. */
static inline void wait_connected(struct twin *t, const struct twin *peer)
{
    char line[64];
    snprintf(line, sizeof(line), "peer %s (%.10s): path ", peer->name, peer->id);
    twin_wait_log(t, line);
}

static inline void start_pair_with(struct pair *p, const char *flag, const char *value)
{
    char at[ID_TEXT_MAX + 32];
    twin_init(&p->a, "site-a", 1);
    twin_init(&p->b, "site-b", 2);
    twin_start(&p->b, FLAGS("-allow", p->a.id, flag, value), NULL, NULL);
    twin_wait_log(&p->b, "are sealed with");
    twin_start(&p->a, FLAGS("-connect", twin_at(&p->b, at, sizeof(at)), flag, value), NULL, NULL);
    wait_connected(&p->a, &p->b);
    wait_connected(&p->b, &p->a);
}

static inline void start_pair(struct pair *p)
{
    start_pair_with(p, NULL, NULL);
}

static inline void stop_pair(struct pair *p)
{
    assert_int_equal(twin_end(&p->a, SIGTERM), 0);
    assert_int_equal(twin_end(&p->b, SIGTERM), 0);
    twin_fini(&p->a);
    twin_fini(&p->b);
}

/* ---- frames ---- */

static inline void make_frame(uint8_t frame[FRAME_LEN], const uint8_t *to, const uint8_t *from, uint8_t fill)
{
    memset(frame, to ? 0 : 0xff, 6);
    if (to)
        memcpy(frame, to, 6);
    memcpy(frame + 6, from, 6);
    frame[12] = 0x88, frame[13] = 0xb5; /* IEEE 802, local experimental */
    memset(frame + 14, fill, FRAME_LEN - 14);
}

static inline void carry(const struct twin *from, const struct twin *to, const uint8_t *frame)
{
    uint8_t got[TWIN_FRAME_MAX];
    twin_send_frame(from, frame, FRAME_LEN);
    size_t len = twin_receive_frame(to, got);
    if (!len) {
        json_t *status = twin_status(from);
        char *text = json_dumps(status, JSON_COMPACT);
        fail_msg("no frame came: %s\n%s\n%s", text, from->lines, to->lines);
    }
    assert_int_equal(len, FRAME_LEN);
    assert_memory_equal(got, frame, FRAME_LEN);
}

/* A session that replaces another may not be there on both sides yet: as people's programs do, it is sent again. */
static inline void carry_at_last(const struct twin *from, const struct twin *to, const uint8_t *frame)
{
    uint8_t got[TWIN_FRAME_MAX];
    uint64_t until_us = clock_monotonic_us() + DEADLINE_US;
    struct pollfd p = {.fd = to->tap, .events = POLLIN};
    do
        twin_send_frame(from, frame, FRAME_LEN);
    while (poll(&p, 1, 100) == 0 && clock_monotonic_us() < until_us);
    assert_int_equal(twin_receive_frame(to, got), FRAME_LEN);
    assert_memory_equal(got, frame, FRAME_LEN);
}
