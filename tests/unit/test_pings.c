/* SPDX-License-Identifier: Apache-2.0 */
/* The command ping, without a mesh: which answer goes to whom. */

#include "node/command/pings.h"

#include "base/clock.h"
#include "node/api/api.h"
#include "proto/mesh/mesh.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define PEERS 2

struct api_call {
    char told[80]; /* the answer, or why there is none; empty while it waits */
};

static struct pings pings;
static struct api_call calls[PINGS_MAX + 1];
static uint64_t tokens[PINGS_MAX + 1]; /* of the pings that were sent */
static unsigned sent;

void __wrap_mesh_peers(const struct mesh *m, void (*visit)(void *, const struct mesh_peer *), void *context);
int __wrap_mesh_ping(struct mesh *m, uint32_t slot, uint64_t token, uint64_t now_us);
void __wrap_api_reply(struct api_call *call, json_t *result);
void __wrap_api_fail(struct api_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

void __wrap_mesh_peers(const struct mesh *m, void (*visit)(void *, const struct mesh_peer *), void *context)
{
    static const char *const names[PEERS] = {"site-a", "site-b"};
    (void)m;
    for (unsigned i = 0; i < PEERS; i++) {
        const struct mesh_peer peer = {.slot = i, .name = names[i]};
        visit(context, &peer);
    }
}

int __wrap_mesh_ping(struct mesh *m, uint32_t slot, uint64_t token, uint64_t now_us)
{
    (void)m, (void)slot, (void)now_us;
    tokens[sent++] = token;
    return 0;
}

void __wrap_api_reply(struct api_call *call, json_t *result)
{
    assert_string_equal(call->told, "");
    snprintf(call->told, sizeof(call->told), "%s in %d", json_string_value(json_object_get(result, "name")),
             (int)json_integer_value(json_object_get(result, "rtt_us")));
    json_decref(result);
}

void __wrap_api_fail(struct api_call *call, const char *format, ...)
{
    va_list ap;
    assert_string_equal(call->told, "");
    va_start(ap, format);
    vsnprintf(call->told, sizeof(call->told), format, ap);
    va_end(ap);
}

static int prepare(void **state)
{
    (void)state;
    memset(calls, 0, sizeof(calls));
    sent = 0;
    pings_init(&pings, NULL, NULL, NULL);
    return 0;
}

static void ping(struct api_call *call, const char *peer)
{
    json_t *request = json_pack("{s:s}", "peer", peer);
    pings_start(&pings, request, call);
    json_decref(request);
}

/* Whichever comes first, and though the other one waits. */
static void answer_goes_to_whom_it_is_for(void **state)
{
    (void)state;
    ping(&calls[0], "site-a");
    ping(&calls[1], "site-b");
    assert_int_equal(sent, 2);
    pings_pong(&pings, tokens[1], 20);
    assert_string_equal(calls[0].told, "");
    assert_string_equal(calls[1].told, "site-b in 20");
    pings_pong(&pings, tokens[0], 10);
    assert_string_equal(calls[0].told, "site-a in 10");
}

/* Its place may be another one's by then. */
static void answer_that_comes_late_is_nobodys(void **state)
{
    (void)state;
    ping(&calls[0], "site-a");
    pings_tick(&pings, clock_monotonic_us() + PINGS_TIMEOUT_US);
    assert_string_equal(calls[0].told, "no answer within 2 s");
    ping(&calls[1], "site-b");
    pings_pong(&pings, tokens[0], 10);
    assert_string_equal(calls[1].told, "");
    pings_end(&pings);
    assert_string_equal(calls[1].told, "the node is stopping");
}

static void so_many_wait_at_once_and_no_more(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PINGS_MAX; i++)
        ping(&calls[i], "site-a");
    ping(&calls[PINGS_MAX], "site-a");
    assert_string_equal(calls[PINGS_MAX].told, "too many pings at once");
    assert_int_equal(sent, PINGS_MAX);
    for (unsigned i = 0; i < PINGS_MAX; i++)
        pings_pong(&pings, tokens[i], i);
    for (unsigned i = 0; i < PINGS_MAX; i++)
        assert_memory_equal(calls[i].told, "site-a in ", 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(answer_goes_to_whom_it_is_for, prepare),
        cmocka_unit_test_setup(answer_that_comes_late_is_nobodys, prepare),
        cmocka_unit_test_setup(so_many_wait_at_once_and_no_more, prepare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
