/* SPDX-License-Identifier: Apache-2.0 */
/* When an uplink is tried, by which way, what ends it, and what of that is told. */

#include "node/uplink/uplink_connect.h"

#include "base/clock.h"
#include "node/uplink/uplink_retry.h"
#include "node/uplink/uplink_state.h"
#include "node/uplink/uplink_streams.h"

#include <stdio.h>
#include <string.h>

#define CHANGE_US                                                                                            \
    (10 * USEC_PER_SEC) /* so long after a change of the network a lost uplink is made anew at once */
#define CAUSE_LOG_US (30 * USEC_PER_SEC)

static void on_retry(uv_timer_t *timer);

void uplink_try_in(struct uplink *u, uint64_t wait_us)
{
    if (u->ready && !u->lost && !u->closing && !uplink_is_idle(u))
        uv_timer_start(&u->retry, on_retry, (wait_us + USEC_PER_MSEC - 1) / USEC_PER_MSEC, 0);
}

/* Another word on it only after a while, but for other causes; and none where the backbone is not there at all, or who moved us
 * has told it. */
static void tell_down(struct uplink *u)
{
    uint64_t suppressed, now_us = clock_monotonic_us();
    if (u->was_up)
        u->cause_limit.bucket = (struct bucket){0};
    if (uplink_is_idle(u) || u->moves) {
        u->was_up = false;
        return;
    }
    bool news = u->was_up || (strcmp(u->cause, u->told) != 0 && u->config.reachable(u->config.context));
    if (!news || !log_limit_pass(&u->cause_limit, now_us, CAUSE_LOG_US, &suppressed))
        return;
    snprintf(u->told, sizeof(u->told), "%s", u->cause);
    log_warn(u->was_up
                 ? "backbone %s: the uplink is lost (%s); retrying"
                 : "backbone %s: no uplink (%s): peers that cannot be dialled are not reached; retrying",
             uplink_place(u), u->cause);
    u->was_up = false;
}

static uint64_t wait_of(struct uplink *u, unsigned code)
{
    uint64_t asked_us = u->asked_us;
    u->asked_us = 0;
    if (u->moves)
        return 0;
    if (code == UPLINK_CLOSE_REPLACED)
        return uplink_retry_replaced_us(uplink_random());
    if (asked_us)
        return asked_us;
    if (u->changed_us && clock_monotonic_us() - u->changed_us < CHANGE_US && u->failures == 0)
        return 0;
    return uplink_retry_us(u->failures, uplink_random());
}

/* Nothing has come of it, and another way may lead there. */
static bool goes_another_way(struct uplink *u, unsigned code)
{
    bool in_vain = u->way.returning && u->state != STATE_LEAVING && code == HELPER_END_BROKEN;
    return (u->impatient || in_vain || code == HELPER_END_SILENT) &&
           uplink_ways_next(&u->way, u->config.ways);
}

static void end_connection(struct uplink *u, enum uplink_state state)
{
    bool was_up = u->state == STATE_UP;
    u->has_been |= was_up;
    uplink_enter(u, state);
    uplink_line_clear(u->line);
    uplink_streams_end(u->streams, "our uplink was lost");
    if (was_up)
        u->config.state(u->config.context, false, 0);
}

static void tell_failed(struct uplink *u, bool ours, unsigned code)
{
    bool was_up = u->has_been;
    u->has_been = false;
    if (!ours && !u->lost)
        u->config.failed(u->config.context, was_up, code);
}

/* The connection, or the attempt at one, is over. */
void uplink_go_down(struct uplink *u, const char *cause, unsigned code)
{
    bool ours = u->state == STATE_LEAVING && !u->impatient, goes_on = goes_another_way(u, code);
    if (cause)
        snprintf(u->cause, sizeof(u->cause), "%s", cause);
    uint64_t wait_us = goes_on ? 0 : wait_of(u, code);
    u->failures += !goes_on;
    u->impatient = false;
    end_connection(u, STATE_DOWN);
    if (u->was_up ? !u->way.returning : !goes_on)
        tell_down(u);
    uplink_try_in(u, wait_us);
    if (!goes_on)
        tell_failed(u, ours, code);
}

void uplink_leave(struct uplink *u, const char *cause, unsigned code)
{
    const struct helper_message m = {.kind = HELPER_UPLINK_LEAVE, .number = code};
    snprintf(u->cause, sizeof(u->cause), "%s", cause);
    end_connection(u, STATE_LEAVING);
    (void)!uplink_line_tell(u->line, &m); /* what fails here is told as a loss of the channel */
}

void uplink_connect(struct uplink *u)
{
    const struct addr *addresses = NULL;
    struct helper_message m = {
        .kind = HELPER_UPLINK_CONNECT, .number = u->config.workers, .interface = u->way.interface};
    unsigned count = u->config.addresses(u->config.context, &addresses);
    if (uplink_is_idle(u) || (count == 0 && u->is_named))
        return; /* whoever finds it hurries us */
    m.address_count = count < HELPER_ADDRESSES_MAX ? count : HELPER_ADDRESSES_MAX;
    if (m.address_count)
        memcpy(m.addresses, addresses, m.address_count * sizeof(*addresses));
    helper_message_set_text(&m, u->instance);
    u->connection++;
    u->challenged = u->moves = false;
    uint64_t patience_us = uplink_ways_patience_us(&u->way, u->config.ways, u->failures);
    uv_timer_stop(&u->retry);
    if (uplink_line_tell(u->line, &m))
        return;
    uplink_enter(u, STATE_CONNECTING);
    if (patience_us)
        uplink_try_in(u, patience_us);
}

static void on_retry(uv_timer_t *timer)
{
    struct uplink *u = timer->data;
    if (u->state == STATE_DOWN) {
        uplink_connect(u);
    } else if (u->state == STATE_CONNECTING) {
        u->impatient = true;
        uplink_leave(u, "it does not answer in time", UPLINK_CLOSE_NORMAL);
    }
}
