/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in the memory of a process: lane keys and roots stand in the vault, nowhere else, and no child has them. */

#include "base/vault.h"
#include "proto/link/keychain.h"
#include "proto/session/session.h"

#include "smaps.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Everything that a session derives from root for its first lane to send. */
struct keys {
    uint8_t root[KDF_LEN], secret[KDF_LEN], lane[AEAD_KEY_LEN + AEAD_NONCE_LEN];
};

static struct keys *derive(uint8_t seed)
{
    static const char direction[] = "shadowmesh data i>r";
    static const uint8_t lane[] = {'l', 'a', 'n', 'e', 0};
    struct keys *k = vault_alloc(sizeof(*k));
    assert_non_null(k);
    memset(k->root, seed, KDF_LEN);
    assert_int_equal(kdf_hash(&(struct slice){k->root, KDF_LEN}, 1, k->root), 0);
    assert_int_equal(
        kdf_expand(k->root, (const uint8_t *)direction, strlen(direction), k->secret, sizeof(k->secret)), 0);
    assert_int_equal(kdf_expand(k->secret, lane, sizeof(lane), k->lane, sizeof(k->lane)), 0);
    return k;
}

static struct session *make_session(enum aead_suite suite, const uint8_t root[KDF_LEN])
{
    const struct session_config config = {.suite = suite,
                                          .tx_lanes = 2,
                                          .rx_lanes = 3,
                                          .rx_index = 0xaaaa,
                                          .tx_index = 0xbbbb,
                                          .initiator = true,
                                          .peer_slot = 7};
    struct session *s;
    assert_int_equal(session_new(&config, root, &s), 0);
    return s;
}

static void seal_once(struct session *s)
{
    uint8_t text[100] = {0}, datagram[100 + WIRE_OVERHEAD];
    const struct slice piece = {text, sizeof(text)};
    assert_true(session_seal(s, WIRE_DATA, 0, &piece, 1, datagram) > 0);
}

static void lane_keys_stand_in_the_vault_alone(void **state)
{
    static const enum aead_suite suites[] = {AEAD_AES_256_GCM, AEAD_CHACHA20_POLY1305};
    (void)state;
    if (!SMAPS_CAN_COUNT)
        skip();
    for (unsigned i = 0; i < 2; i++) {
        struct keys *k = derive((uint8_t)(10 + i));
        struct session *s = make_session(suites[i], k->root);
        seal_once(s);
        assert_int_equal(smaps_count(k->lane, AEAD_KEY_LEN, false), 0);
        assert_int_equal(smaps_count(k->lane + AEAD_KEY_LEN, AEAD_NONCE_LEN, false), 0);
        assert_int_equal(smaps_count(k->secret, KDF_LEN, false), 0);
        assert_true(smaps_count(k->lane, AEAD_KEY_LEN, true) >= 2); /* besides ours */
        session_free(s);
        assert_int_equal(smaps_count(k->lane, AEAD_KEY_LEN, true), 1);
        vault_free(k);
    }
}

static void child_of_a_fork_has_no_lane_key(void **state)
{
    static uint8_t copy[AEAD_KEY_LEN];
    int status;
    (void)state;
    if (!SMAPS_CAN_COUNT)
        skip();
    struct keys *k = derive(20);
    struct session *s = make_session(AEAD_AES_256_GCM, k->root);
    memcpy(copy, k->lane, sizeof(copy));
    assert_true(smaps_count(copy, sizeof(copy), true) >= 2);
    pid_t child = fork();
    if (child == 0)
        _exit(smaps_count(copy, sizeof(copy), false) == 1 && smaps_count(copy, sizeof(copy), true) == 0 ? 0
                                                                                                        : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    session_free(s);
    vault_free(k);
    memset(copy, 0, sizeof(copy));
}

static uint32_t op_reserve_index(void *context)
{
    return ++*(uint32_t *)context;
}

static void op_release_index(void *context, uint32_t index)
{
    (void)context, (void)index;
}

static int op_added(void *context, struct session *s)
{
    (void)context, (void)s;
    return 0;
}

static void op_dropped(void *context, struct session *s)
{
    (void)context;
    session_free(s);
}

static void op_cool(void *context, struct session *s)
{
    (void)context;
    session_free(session_cool(s));
}

static void op_changed(void *context)
{
    (void)context;
}

static void op_control(void *context, struct session *s, const struct message *m)
{
    (void)context, (void)s, (void)m;
}

static void root_of_a_keychain_stands_in_the_vault_alone(void **state)
{
    uint32_t index = 0;
    const struct keychain_ops ops = {.reserve_index = op_reserve_index,
                                     .release_index = op_release_index,
                                     .session_added = op_added,
                                     .session_dropped = op_dropped,
                                     .cool = op_cool,
                                     .send_changed = op_changed,
                                     .send_control = op_control,
                                     .context = &index};
    const struct keychain_config config = {
        .suite = AEAD_AES_256_GCM, .tx_lanes = 1, .rx_lanes = 1, .opener = true, .ratchet_us = 1000};
    struct keychain *chain;
    (void)state;
    if (!SMAPS_CAN_COUNT)
        skip();
    struct keys *k = derive(30);
    assert_int_equal(keychain_new(&config, &ops, k->root, 1, 2, 1, &chain), 0);
    assert_true(smaps_has(chain, "lo dd wf"));
    assert_int_equal(smaps_count(k->root, KDF_LEN, false), 0);
    assert_true(smaps_count(k->root, KDF_LEN, true) >= 2);
    keychain_free(chain);
    assert_int_equal(smaps_count(k->root, KDF_LEN, true), 1);
    vault_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lane_keys_stand_in_the_vault_alone),
        cmocka_unit_test(child_of_a_fork_has_no_lane_key),
        cmocka_unit_test(root_of_a_keychain_stands_in_the_vault_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
