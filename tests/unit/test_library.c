/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL that finds no memory once: what failed succeeds the next time, as nothing of it is missing for ever. Each
 * allocation that fails has a process of its own, in which it is one of the first handshake and its keys. */

#include "crypto/library.h"

#include "crypto/identity.h"
#include "crypto/ratchet.h"
#include "crypto/tls.h"
#include "failing_memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define LIVES      48 /* of a sample, evenly spread over all allocations */
#define LIVES_LONG 2000

enum { HELD_GOOD, NONE_FAILED, START_FAILED, FAILED_FOR_EVER };

static struct failing_memory *memory; /* shared with the processes */

static bool carry(struct tls *from, struct tls *to, bool *moved)
{
    uint8_t bytes[16384];
    size_t len = tls_take_output(from, bytes, sizeof(bytes));
    *moved |= len > 0;
    return len == 0 || tls_feed(to, bytes, len) == 0;
}

static bool shake_hands(struct tls_context *context)
{
    struct tls *client = NULL, *server = NULL;
    bool moved = true, good = tls_new(context, false, NULL, &client) == 0 &&
                              tls_new(context, true, NULL, &server) == 0 && tls_feed(client, NULL, 0) == 0;
    while (good && moved) {
        moved = false;
        good = carry(client, server, &moved) && carry(server, client, &moved);
    }
    good = good && tls_established(client) && tls_established(server);
    tls_free(client);
    tls_free(server);
    return good;
}

static bool agree(void)
{
    static uint8_t offer[RATCHET_OFFER_LEN], answer[RATCHET_ANSWER_LEN];
    uint8_t root[KDF_LEN] = {1}, ours[KDF_LEN], theirs[KDF_LEN];
    struct ratchet_offer *o = NULL;
    bool good = ratchet_offer_new(&o, offer) == 0 && ratchet_answer(offer, root, answer, theirs) == 0 &&
                ratchet_finish(o, answer, root, ours) == 0 && memcmp(ours, theirs, KDF_LEN) == 0;
    ratchet_offer_free(o);
    return good;
}

/* All that a node does with OpenSSL. */
static bool do_all(void)
{
    static uint8_t signature[IDENTITY_SIGNATURE_LEN];
    static const uint8_t text[] = "text";
    struct identity *me = NULL;
    struct tls_context *context = NULL;
    bool good = identity_generate(&me) == 0 &&
                identity_sign(me, "test", text, sizeof(text), signature) == 0 &&
                identity_verify(identity_spki(me), IDENTITY_SPKI_LEN, "test", text, sizeof(text), signature,
                                sizeof(signature)) == 0 &&
                tls_context_new(me, &context) == 0 && shake_hands(context);
    bool agreed = agree();
    tls_context_free(context);
    identity_free(me);
    return good && agreed;
}

static int live(unsigned long at)
{
    memory_use(memory);
    if (library_start())
        return START_FAILED;
    memory_arm(memory, MEMORY_LIBRARY, at);
    (void)do_all();
    if (!memory_disarm(memory, MEMORY_LIBRARY))
        return NONE_FAILED;
    return do_all() ? HELD_GOOD : FAILED_FOR_EVER;
}

static int life(unsigned long at)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL); /* cmocka's handler would end this life as if nothing had failed */
        _exit(live(at));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void what_failed_for_want_of_memory_succeeds_later(void **state)
{
    unsigned long lives = getenv("SHADOWMESH_LONG") ? LIVES_LONG : LIVES;
    (void)state;
#ifdef __s390x__
    skip(); /* OpenSSL allocates before main there: it takes nobody else's malloc any more */
#endif
    assert_int_equal(life(0), NONE_FAILED);
    unsigned long all = memory->counted[MEMORY_LIBRARY];
    assert_true(all > 1000);
    for (unsigned long i = 0; i < lives && i < all; i++) {
        unsigned long at = 1 + (all < lives ? i : i * all / lives);
        int outcome = life(at);
        if (outcome != HELD_GOOD && outcome != NONE_FAILED)
            fail_msg("allocation %lu of %lu: outcome %d", at, all, outcome);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_failed_for_want_of_memory_succeeds_later),
    };
    memory = mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
