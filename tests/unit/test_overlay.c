/* SPDX-License-Identifier: Apache-2.0 */
/* What speaks against peers' overlay addresses, for status: of how many peers it tells, and of which. */

#include "node/report/overlay.h"

#include "node/device/device.h"
#include "node/report/who.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define FEW 3

/* Each peer is in a subnet of its own, and ours is another one. */
static struct hello hellos[OVERLAY_WARNINGS_MAX + 2];
static struct node_id ids[OVERLAY_WARNINGS_MAX + 2];
static unsigned connected; /* peers, from slot 0 on */
static struct overlay overlay;

const struct hello *__wrap_mesh_hello(const struct mesh *m, uint32_t slot, const struct node_id **id);
unsigned __wrap_device_addresses(const struct device *d, struct addr_prefix *out, unsigned cap);
int __wrap_device_holder(const struct device *d, uint32_t slot, const struct addr *a);
const char *__wrap_who_is_in(const struct mesh *m, int slot, char out[WHO_TEXT_MAX]);

const struct hello *__wrap_mesh_hello(const struct mesh *m, uint32_t slot, const struct node_id **id)
{
    (void)m;
    if (slot >= connected)
        return NULL;
    *id = &ids[slot];
    return &hellos[slot];
}

unsigned __wrap_device_addresses(const struct device *d, struct addr_prefix *out, unsigned cap)
{
    (void)d, (void)cap;
    *out = (struct addr_prefix){.addr = {.family = 4, .ip = {10, 0, 0, 1}}, .bits = 24};
    return 1;
}

int __wrap_device_holder(const struct device *d, uint32_t slot, const struct addr *a)
{
    (void)d, (void)slot, (void)a;
    return DEVICE_HOLDER_NOBODY;
}

const char *__wrap_who_is_in(const struct mesh *m, int slot, char out[WHO_TEXT_MAX])
{
    (void)m;
    snprintf(out, WHO_TEXT_MAX, "number %d", slot);
    return out;
}

static void connect_peers(unsigned count)
{
    connected = count;
    overlay_init(&overlay, NULL, NULL);
    for (unsigned i = 0; i < count; i++) {
        hellos[i].address_count = 1;
        hellos[i].addresses[0] =
            (struct addr_prefix){.addr = {.family = 4, .ip = {10, 1, (uint8_t)i, 1}}, .bits = 24};
        ids[i].bytes[0] = (uint8_t)(i + 1);
        overlay_check(&overlay, i, &ids[i], &hellos[i]);
    }
}

static void count_it(void *context, const char *text)
{
    unsigned *count = context;
    char expected[32];
    snprintf(expected, sizeof(expected), "peer number %u: ", *count);
    assert_memory_equal(text, expected, strlen(expected));
    assert_non_null(strstr(text, "they are in different subnets"));
    ++*count;
}

static unsigned told(void)
{
    unsigned count = 0;
    overlay_warnings(&overlay, count_it, &count);
    return count;
}

static void each_peer_is_told_of(void **state)
{
    (void)state;
    connect_peers(FEW);
    assert_int_equal(told(), FEW);
}

static void of_many_peers_sixteen_are_told_of(void **state)
{
    (void)state;
    connect_peers(OVERLAY_WARNINGS_MAX + 2);
    assert_int_equal(told(), 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_peer_is_told_of),
        cmocka_unit_test(of_many_peers_sixteen_are_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
