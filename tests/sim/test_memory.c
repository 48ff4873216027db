/* SPDX-License-Identifier: Apache-2.0 */
/* What a connected peer that sends nothing takes of memory, at a hub of one, two and eight workers whose peers have as many:
 * with the control connection of its handshake, and without. And one that is on a list alone. */

#include "base/vault.h"
#include "hub.h"
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#define WARM        8 /* peers that come first: what they leave is everybody's */
#define PEERS       200
#define LEAST       1000
#define MOST        30000  /* bytes of one without a control connection */
#define MOST_TLS    110000 /* with it */
#define MOST_LISTED 6000   /* of one that has no session */

/* What the system counts as ours, without what was only there for a moment. */
static size_t resident(void)
{
    unsigned long all, pages;
    malloc_trim(0);
    vault_give_back();
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu %lu", &all, &pages), 2);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void idle_peer_takes_little_memory(void **state)
{
    static const uint8_t workers[] = {1, 2, 8};
    static struct hub h;
    static uint64_t streams[WARM + PEERS];
    (void)state;
    for (unsigned w = 0; w < sizeof(workers); w++) {
        size_t before = 0;
        hub_init(&h, workers[w]);
        for (unsigned i = 0; i < WARM + PEERS; i++) {
            if (i == WARM)
                before = resident();
            hub_connect(&h, i, workers[w]);
            streams[i] = h.conn;
            hub_leave(&h);
        }
        size_t with = (resident() - before) / PEERS;
        for (unsigned i = 0; i < WARM + PEERS; i++)
            mesh_on_closed(h.mesh, streams[i], "it is not needed", h.now_us);
        size_t without = (resident() - before) / PEERS;
        print_message("%u workers: a peer takes %zu bytes with its control connection, %zu without\n",
                      workers[w], with, without);
        assert_in_range(with, LEAST, MOST_TLS);
        assert_in_range(without, LEAST, MOST);
        hub_fini(&h);
    }
}

static void listed_peer_takes_little_memory(void **state)
{
    static struct hub h;
    (void)state;
    hub_init(&h, 1);
    size_t before = resident();
    for (unsigned i = 0; i < MESH_PEERS_MAX; i++) {
        const struct node_id id = {{0xee, (uint8_t)(i >> 8), (uint8_t)i}};
        assert_int_equal(mesh_allow(h.mesh, &id), 0);
    }
    size_t each = (resident() - before) / MESH_PEERS_MAX;
    print_message("a peer that is listed and has no session takes %zu bytes\n", each);
    assert_in_range(each, LEAST, MOST_LISTED);
    hub_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(listed_peer_takes_little_memory),
                                       cmocka_unit_test(idle_peer_takes_little_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
