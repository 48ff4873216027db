/* SPDX-License-Identifier: Apache-2.0 */
/* Peers by id: against a list of those that are in, and with ids that all fall into one bucket. */

#include "proto/peer/peer.h"
#include "proto/peer/peer_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define PEERS 6000
#define STEPS 40000

static struct peer_index *index_new(const uint64_t seed[3])
{
    struct peer_index *index = calloc(1, sizeof(*index));
    assert_non_null(index);
    memcpy(index->seed, seed, sizeof(index->seed));
    return index;
}

/* Ids that differ in their last bytes alone. */
static struct peer *peers_new(void)
{
    struct peer *peers = calloc(PEERS, sizeof(*peers));
    assert_non_null(peers);
    for (uint32_t i = 0; i < PEERS; i++)
        memcpy(peers[i].id.bytes + ID_LEN - sizeof(i), &i, sizeof(i));
    return peers;
}

static void finds_exactly_those_that_are_in(void **state)
{
    (void)state;
    struct peer_index *index = index_new((const uint64_t[3]){0x243f6a8885a308d3, 0x13198a2e03707344, 0xa409});
    struct peer *peers = peers_new();
    bool in[PEERS] = {false};
    uint64_t random = 1;
    for (unsigned step = 0; step < STEPS; step++) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        unsigned i = (unsigned)(random >> 33) % PEERS;
        assert_ptr_equal(peer_index_find(index, &peers[i].id), in[i] ? &peers[i] : NULL);
        if (in[i])
            peer_index_remove(index, &peers[i]);
        else
            peer_index_add(index, &peers[i]);
        in[i] = !in[i];
    }
    for (unsigned i = 0; i < PEERS; i++)
        assert_ptr_equal(peer_index_find(index, &peers[i].id), in[i] ? &peers[i] : NULL);
    free(peers);
    free(index);
}

static unsigned longest_chain(const struct peer_index *index)
{
    unsigned longest = 0;
    for (unsigned i = 0; i < PEER_INDEX_BUCKETS; i++) {
        unsigned length = 0;
        for (const struct peer *p = index->buckets[i]; p; p = p->next_by_id)
            length++;
        longest = length > longest ? length : longest;
    }
    return longest;
}

static unsigned chain_under(const uint64_t seed[3], struct peer *peers)
{
    struct peer_index *index = index_new(seed);
    for (unsigned i = 0; i < PEERS; i++)
        peer_index_add(index, &peers[i]);
    unsigned longest = longest_chain(index);
    for (unsigned i = 0; i < PEERS; i++)
        assert_ptr_equal(peer_index_find(index, &peers[i].id), &peers[i]);
    for (unsigned i = 0; i < PEERS; i += 2)
        peer_index_remove(index, &peers[i]);
    for (unsigned i = 0; i < PEERS; i++)
        assert_ptr_equal(peer_index_find(index, &peers[i].id), i % 2 ? &peers[i] : NULL);
    free(index);
    return longest;
}

/* Chosen for one seed, where the product of their first two words is zero; under another they spread. */
static void ids_that_collide_are_told_apart_and_do_not_under_another_seed(void **state)
{
    (void)state;
    static const uint64_t theirs[3] = {0, 0, 0}, ours[3] = {0x243f6a8885a308d3, 0x13198a2e03707344, 0xa409};
    struct peer *peers = peers_new();
    for (uint32_t i = 0; i < PEERS; i++) {
        memset(&peers[i].id, 0, sizeof(peers[i].id));
        memcpy(peers[i].id.bytes, &i, sizeof(i));
    }
    assert_int_equal(chain_under(theirs, peers), PEERS);
    assert_true(chain_under(ours, peers) < 16);
    free(peers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_exactly_those_that_are_in),
        cmocka_unit_test(ids_that_collide_are_told_apart_and_do_not_under_another_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
