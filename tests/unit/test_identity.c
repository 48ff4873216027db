/* SPDX-License-Identifier: Apache-2.0 */
/* Identities: published ML-DSA-87 answers, the key file's promises, and keys that are not ours. */

#include "crypto/identity.h"
#include "crypto/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <dirent.h>
#include <signal.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/vault.h"
#include "smaps.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include "vectors.h"

#define SPKI_PREFIX_LEN 22

static const uint8_t spki_prefix[SPKI_PREFIX_LEN] = {0x30, 0x82, 0x0a, 0x32, 0x30, 0x0b, 0x06, 0x09,
                                                     0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03,
                                                     0x13, 0x03, 0x82, 0x0a, 0x21, 0x00};
static struct identity *me;
static char dir[] = "/tmp/shadowmesh-identity.XXXXXX";

static int group_setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    return identity_generate(&me);
}

static int group_teardown(void **state)
{
    (void)state;
    identity_free(me);
    return rmdir(dir);
}

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static int remove_key(void **state)
{
    (void)state;
    unlink(path_of(IDENTITY_KEY_FILE));
    return 0;
}

static int entries(const char *where)
{
    DIR *d = opendir(where);
    int n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n - 2;
}

static void put_file(const char *name, const void *data, size_t len, mode_t mode)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, mode);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void published_signatures_are_judged_right(void **state)
{
    uint8_t spki[IDENTITY_SPKI_LEN];
    int valid = 0, invalid = 0;
    struct vectors v;

    (void)state;
    memcpy(spki, spki_prefix, SPKI_PREFIX_LEN);
    vectors_open(&v, "mldsa87_verify.txt");
    while (vectors_next(&v)) {
        const struct vector_field *key = vectors_find(&v, "key"), *context = vectors_get(&v, "context"),
                                  *message = vectors_get(&v, "message"),
                                  *signature = vectors_get(&v, "signature");
        bool good = vectors_get(&v, "result")->bytes[0] == 0;
        char text[256] = {0};

        if (key)
            memcpy(spki + SPKI_PREFIX_LEN, key->bytes, key->len);
        memcpy(text, context->bytes, context->len);
        assert_int_equal(identity_verify(spki, sizeof(spki), text, message->bytes, message->len,
                                         signature->bytes, signature->len),
                         good ? 0 : ERR_CRYPTO);
        good ? valid++ : invalid++;
    }
    vectors_close(&v);
    assert_int_equal(valid, 5);
    assert_int_equal(invalid, 6);
}

/* A key file that holds only the published seed (RFC 9881 §6) must yield the published key. */
static void published_seeds_give_their_public_keys(void **state)
{
    uint8_t der[54] = {0x30, 0x34, 0x02, 0x01, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86,
                       0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x13, 0x04, 0x22, 0x80, 0x20};
    struct vectors v;
    int count = 0;

    (void)state;
    vectors_open(&v, "mldsa87_keygen.txt");
    while (vectors_next(&v)) {
        const struct vector_field *seed = vectors_get(&v, "seed"), *public = vectors_get(&v, "public");
        char base64[80], pem[160];
        struct identity *loaded;

        memcpy(der + 22, seed->bytes, 32);
        EVP_EncodeBlock((unsigned char *)base64, der, sizeof(der));
        snprintf(pem, sizeof(pem), "-----BEGIN PRIVATE KEY-----\n%.64s\n%s\n-----END PRIVATE KEY-----\n",
                 base64, base64 + 64);
        put_file(IDENTITY_KEY_FILE, pem, strlen(pem), 0600);
        assert_int_equal(identity_load(dir, &loaded), 0);
        assert_memory_equal(identity_spki(loaded), spki_prefix, SPKI_PREFIX_LEN);
        assert_memory_equal(identity_spki(loaded) + SPKI_PREFIX_LEN, public->bytes, public->len);
        identity_free(loaded);
        assert_int_equal(identity_from_seed(seed->bytes, &loaded), 0);
        assert_memory_equal(identity_spki(loaded) + SPKI_PREFIX_LEN, public->bytes, public->len);
        identity_free(loaded);
        count++;
    }
    vectors_close(&v);
    assert_int_equal(count, 2);
}

static void id_is_the_hash_of_the_whole_public_key(void **state)
{
    uint8_t digest[64], *der = NULL;
    struct node_id id;
    int len = i2d_PUBKEY(identity_pkey(me), &der);

    (void)state;
    assert_int_equal(len, IDENTITY_SPKI_LEN);
    assert_memory_equal(der, identity_spki(me), IDENTITY_SPKI_LEN);
    assert_int_equal(EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha384(), NULL), 1);
    assert_memory_equal(digest, identity_id(me)->bytes, ID_LEN);
    assert_int_equal(identity_id_of_spki(der, (size_t)len, &id), 0);
    assert_int_equal(id_compare(&id, identity_id(me)), 0);
    assert_int_equal(identity_id_of_spki(der, (size_t)len - 1, &id), 0);
    assert_int_not_equal(id_compare(&id, identity_id(me)), 0);
    OPENSSL_free(der);
}

static void signature_is_bound_to_message_context_and_key(void **state)
{
    static const uint8_t message[] = "a record";
    uint8_t signature[IDENTITY_SIGNATURE_LEN], again[IDENTITY_SIGNATURE_LEN];
    const uint8_t *spki = identity_spki(me);
    struct identity *other;

    (void)state;
    assert_int_equal(identity_sign(me, "record", message, sizeof(message), signature), 0);
    assert_int_equal(identity_sign(me, "record", message, sizeof(message), again), 0);
    assert_memory_not_equal(signature, again, sizeof(again)); /* hedged */
    assert_int_equal(identity_verify(spki, IDENTITY_SPKI_LEN, "record", message, sizeof(message), signature,
                                     sizeof(signature)),
                     0);
    assert_int_equal(identity_verify(spki, IDENTITY_SPKI_LEN, "recorD", message, sizeof(message), signature,
                                     sizeof(signature)),
                     ERR_CRYPTO);
    assert_int_equal(
        identity_verify(spki, IDENTITY_SPKI_LEN, "", message, sizeof(message), signature, sizeof(signature)),
        ERR_CRYPTO);
    assert_int_equal(identity_verify(spki, IDENTITY_SPKI_LEN, "record", message, sizeof(message) - 1,
                                     signature, sizeof(signature)),
                     ERR_CRYPTO);
    assert_int_equal(identity_verify(spki, IDENTITY_SPKI_LEN, "record", message, sizeof(message), signature,
                                     sizeof(signature) - 1),
                     ERR_CRYPTO);
    assert_int_equal(identity_generate(&other), 0);
    assert_int_equal(identity_verify(identity_spki(other), IDENTITY_SPKI_LEN, "record", message,
                                     sizeof(message), signature, sizeof(signature)),
                     ERR_CRYPTO);
    identity_free(other);
}

static void context_longer_than_255_bytes_is_refused(void **state)
{
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
    char context[257];

    (void)state;
    memset(context, 'c', 256);
    context[256] = '\0';
    assert_int_equal(identity_sign(me, context, (const uint8_t *)"m", 1, signature), ERR_ARGUMENT);
    context[255] = '\0';
    assert_int_equal(identity_sign(me, context, (const uint8_t *)"m", 1, signature), 0);
}

static void malformed_public_key_is_refused(void **state)
{
    static uint8_t spki[IDENTITY_SPKI_LEN + 1], signature[IDENTITY_SIGNATURE_LEN];

    (void)state;
    memcpy(spki, identity_spki(me), IDENTITY_SPKI_LEN);
    for (size_t i = 0; i < SPKI_PREFIX_LEN; i++) {
        spki[i] ^= 1;
        assert_int_equal(identity_verify(spki, IDENTITY_SPKI_LEN, "", spki, 1, signature, sizeof(signature)),
                         ERR_FORMAT);
        spki[i] ^= 1;
    }
    assert_int_equal(identity_verify(spki, IDENTITY_SPKI_LEN - 1, "", spki, 1, signature, sizeof(signature)),
                     ERR_FORMAT);
    assert_int_equal(identity_verify(spki, IDENTITY_SPKI_LEN + 1, "", spki, 1, signature, sizeof(signature)),
                     ERR_FORMAT);
    assert_int_equal(identity_verify(NULL, 0, "", spki, 1, signature, sizeof(signature)), ERR_FORMAT);
}

static void saved_key_loads_again_and_is_private(void **state)
{
    struct identity *loaded;
    struct stat st;

    (void)state;
    umask(0);
    assert_int_equal(identity_save(me, dir), 0);
    umask(022);
    assert_int_equal(stat(path_of(IDENTITY_KEY_FILE), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(entries(dir), 1);
    assert_int_equal(identity_load(dir, &loaded), 0);
    assert_int_equal(id_compare(identity_id(loaded), identity_id(me)), 0);
    identity_free(loaded);
}

static void existing_key_is_never_replaced(void **state)
{
    struct identity *other, *loaded;

    (void)state;
    assert_int_equal(identity_save(me, dir), 0);
    assert_int_equal(identity_generate(&other), 0);
    assert_int_equal(identity_save(other, dir), ERR_EXISTS);
    assert_int_equal(entries(dir), 1);
    assert_int_equal(identity_load(dir, &loaded), 0);
    assert_int_equal(id_compare(identity_id(loaded), identity_id(me)), 0);
    identity_free(loaded);
    identity_free(other);
}

static void draft_is_no_key_before_it_is_published(void **state)
{
    struct identity_draft draft;
    struct identity *loaded;

    (void)state;
    assert_int_equal(identity_draft(me, dir, &draft), 0);
    assert_int_equal(entries(dir), 1);
    assert_int_equal(identity_load(dir, &loaded), ERR_NOT_FOUND);
    assert_int_equal(identity_publish(&draft), 0);
    assert_int_equal(entries(dir), 1);
    assert_int_equal(identity_load(dir, &loaded), 0);
    assert_int_equal(id_compare(identity_id(loaded), identity_id(me)), 0);
    identity_free(loaded);
}

static void discarded_draft_leaves_nothing(void **state)
{
    struct identity_draft draft;
    char sub[128];

    (void)state;
    assert_int_equal(identity_draft(me, dir, &draft), 0);
    identity_discard(&draft);
    assert_int_equal(entries(dir), 0);
    snprintf(sub, sizeof(sub), "%s/made", dir);
    assert_int_equal(identity_draft(me, sub, &draft), 0);
    identity_discard(&draft);
    assert_int_equal(entries(dir), 0);
}

static void draft_does_not_replace_a_key_that_came_meanwhile(void **state)
{
    struct identity_draft draft;
    struct identity *other, *loaded;

    (void)state;
    assert_int_equal(identity_generate(&other), 0);
    assert_int_equal(identity_draft(other, dir, &draft), 0);
    assert_int_equal(identity_save(me, dir), 0);
    assert_int_equal(identity_publish(&draft), ERR_EXISTS);
    assert_int_equal(entries(dir), 1);
    assert_int_equal(identity_load(dir, &loaded), 0);
    assert_int_equal(id_compare(identity_id(loaded), identity_id(me)), 0);
    identity_free(loaded);
    identity_free(other);
}

static void missing_directory_is_made_for_its_owner_only(void **state)
{
    char sub[128];
    struct stat st;

    (void)state;
    snprintf(sub, sizeof(sub), "%s/keys", dir);
    assert_int_equal(identity_save(me, sub), 0);
    assert_int_equal(stat(sub, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(unlink(path_of("keys/" IDENTITY_KEY_FILE)), 0);
    assert_int_equal(rmdir(sub), 0);
    snprintf(sub, sizeof(sub), "%s/not/there", dir);
    assert_int_equal(identity_save(me, sub), ERR_NOT_FOUND);
}

static void key_of_another_name_is_guarded_likewise(void **state)
{
    struct identity *loaded;

    (void)state;
    assert_int_equal(identity_save_as(me, dir, IDENTITY_CA_FILE), 0);
    assert_int_equal(identity_load(dir, &loaded), ERR_NOT_FOUND);
    assert_int_equal(identity_save_as(me, dir, IDENTITY_CA_FILE), ERR_EXISTS);
    assert_int_equal(identity_load_as(dir, IDENTITY_CA_FILE, &loaded), 0);
    assert_int_equal(id_compare(identity_id(loaded), identity_id(me)), 0);
    identity_free(loaded);
    assert_int_equal(chmod(path_of(IDENTITY_CA_FILE), 0640), 0);
    assert_int_equal(identity_load_as(dir, IDENTITY_CA_FILE, &loaded), ERR_EXPOSED);
    assert_int_equal(unlink(path_of(IDENTITY_CA_FILE)), 0);
    assert_int_equal(entries(dir), 0);
}

static void missing_key_is_not_found(void **state)
{
    struct identity *loaded;

    (void)state;
    assert_int_equal(identity_load(dir, &loaded), ERR_NOT_FOUND);
    assert_int_equal(identity_load("/nonexistent", &loaded), ERR_NOT_FOUND);
}

static void key_that_others_can_read_is_refused(void **state)
{
    static const mode_t modes[] = {0640, 0604, 0620, 0602, 0644, 0601};
    struct identity *loaded;

    (void)state;
    assert_int_equal(identity_save(me, dir), 0);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(path_of(IDENTITY_KEY_FILE), modes[i]), 0);
        assert_int_equal(identity_load(dir, &loaded), ERR_EXPOSED);
    }
    assert_int_equal(chmod(path_of(IDENTITY_KEY_FILE), 0400), 0);
    assert_int_equal(identity_load(dir, &loaded), 0);
    identity_free(loaded);
}

static void key_of_another_user_is_refused(void **state)
{
    struct identity *loaded;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(identity_save(me, dir), 0);
    assert_int_equal(chown(path_of(IDENTITY_KEY_FILE), 65534, 65534), 0);
    assert_int_equal(identity_load(dir, &loaded), ERR_FOREIGN);
}

static void key_behind_a_symbolic_link_is_refused(void **state)
{
    struct identity *loaded;
    char real[128];

    (void)state;
    assert_int_equal(identity_save(me, dir), 0);
    snprintf(real, sizeof(real), "%s", path_of("real.key"));
    assert_int_equal(rename(path_of(IDENTITY_KEY_FILE), real), 0);
    assert_int_equal(symlink("real.key", path_of(IDENTITY_KEY_FILE)), 0);
    assert_int_equal(identity_load(dir, &loaded), ERR_SYMLINK);
    assert_int_equal(identity_save(me, dir), ERR_EXISTS);
    unlink(real);
    assert_int_equal(identity_load(dir, &loaded), ERR_SYMLINK); /* never taken for missing */
}

static void folder_that_others_can_change_holds_no_key(void **state)
{
    static const struct {
        mode_t mode;
        int err;
    } modes[] = {{0777, ERR_FOLDER}, {0775, ERR_FOLDER}, {0702, ERR_FOLDER}, {02770, ERR_FOLDER},
                 {0755, 0},          {0500, 0},          {01777, 0},         {0700, 0}};
    struct identity *loaded;

    (void)state;
    assert_int_equal(identity_save(me, dir), 0);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(dir, modes[i].mode), 0);
        assert_int_equal(identity_load(dir, &loaded), modes[i].err);
        assert_int_equal(identity_save(me, dir), modes[i].err ? modes[i].err : ERR_EXISTS);
        if (!modes[i].err)
            identity_free(loaded);
    }
}

static void folder_of_another_user_holds_no_key(void **state)
{
    struct identity *loaded;
    int err;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(identity_save(me, dir), 0);
    assert_int_equal(chown(dir, 65534, 65534), 0);
    err = identity_load(dir, &loaded);
    assert_int_equal(chown(dir, 0, 0), 0);
    assert_int_equal(err, ERR_FOLDER);
}

static void folder_may_be_reached_by_a_symbolic_link(void **state)
{
    struct identity *loaded;
    char link[128];

    (void)state;
    assert_int_equal(identity_save(me, dir), 0);
    snprintf(link, sizeof(link), "%s.link", dir);
    assert_int_equal(symlink(dir, link), 0);
    assert_int_equal(identity_load(link, &loaded), 0);
    identity_free(loaded);
    unlink(link);
}

static void file_without_our_kind_of_key_is_malformed(void **state)
{
    static const char *const texts[] = {"", "hello\n", "-----BEGIN PRIVATE KEY-----\n",
                                        "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"};
    static char big[100000];
    struct identity *loaded;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        put_file(IDENTITY_KEY_FILE, texts[i], strlen(texts[i]), 0600);
        assert_int_equal(identity_load(dir, &loaded), ERR_FORMAT);
    }
    memset(big, '\n', sizeof(big));
    put_file(IDENTITY_KEY_FILE, big, sizeof(big), 0600);
    assert_int_equal(identity_load(dir, &loaded), ERR_FORMAT);
    unlink(path_of(IDENTITY_KEY_FILE));
    assert_int_equal(mkfifo(path_of(IDENTITY_KEY_FILE), 0600), 0);
    assert_int_equal(identity_load(dir, &loaded), ERR_FORMAT); /* and does not stall */
}

static void put_key(EVP_PKEY *key, const char *password)
{
    FILE *f = fopen(path_of(IDENTITY_KEY_FILE), "w");

    assert_non_null(f);
    assert_int_equal(PEM_write_PKCS8PrivateKey(f, key, password ? EVP_aes_256_cbc() : NULL, password,
                                               password ? (int)strlen(password) : 0, NULL, NULL),
                     1);
    fclose(f);
    chmod(path_of(IDENTITY_KEY_FILE), 0600);
}

static void other_and_encrypted_keys_are_refused(void **state)
{
    static const char *const algorithms[] = {"ML-DSA-65", "ML-DSA-44", "ED25519"};
    struct identity *loaded;

    (void)state;
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, algorithms[i]);

        put_key(key, NULL);
        assert_int_equal(identity_load(dir, &loaded), ERR_FORMAT);
        EVP_PKEY_free(key);
    }
    put_key(identity_pkey(me), NULL);
    assert_int_equal(identity_load(dir, &loaded), 0);
    identity_free(loaded);
    put_key(identity_pkey(me), "password");
    assert_int_equal(identity_load(dir, &loaded), ERR_FORMAT);
}

/* RLIMIT_FSIZE stands for a full disk: the write comes back short, then fails. For that call alone, since the
 * program's own output must not be cut; and not in a child, which sees no key (base/vault.h). */
static int save_with_room_for(rlim_t bytes, const char *where)
{
    struct rlimit before, limit;
    int err, saved_errno;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){bytes, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    err = identity_save(me, where);
    saved_errno = errno;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    return err == ERR_IO && saved_errno == EFBIG ? 100 : err;
}

static void full_disk_leaves_nothing_behind(void **state)
{
    char sub[128];

    (void)state;
    assert_int_equal(save_with_room_for(0, dir), 100);
    assert_int_equal(entries(dir), 0);
    assert_int_equal(save_with_room_for(1000, dir), 100);
    assert_int_equal(entries(dir), 0);
    snprintf(sub, sizeof(sub), "%s/keys", dir);
    assert_int_equal(save_with_room_for(1000, sub), 100);
    assert_int_equal(entries(dir), 0);
    assert_int_equal(save_with_room_for(1 << 20, dir), 0);
    assert_int_equal(entries(dir), 1);
}

/* Whatever OpenSSL keeps of it. */
static void keys_lie_in_the_vault(void **state)
{
    struct identity *loaded;

    (void)state;
    if (getenv("EMULATED"))
        skip(); /* /proc tells of the emulator's pages */
    assert_true(smaps_has(identity_pkey(me), "lo dd wf"));
    assert_int_equal(identity_save(me, dir), 0);
    assert_int_equal(identity_load(dir, &loaded), 0);
    assert_true(smaps_has(identity_pkey(loaded), "lo dd wf"));
    identity_free(loaded);
}

static void seed_of_a_key_is_nowhere_else(void **state)
{
    struct identity *made, *loaded;
    uint8_t *seed, *copy, signature[IDENTITY_SIGNATURE_LEN];
    size_t len = 0;

    (void)state;
    if (getenv("EMULATED"))
        skip(); /* as above */
    if (!SMAPS_CAN_COUNT)
        skip();
    seed = vault_alloc(64);
    assert_int_equal(identity_generate(&made), 0);
    assert_int_equal(identity_save(made, dir), 0);
    assert_int_equal(identity_load(dir, &loaded), 0);
    assert_int_equal(identity_sign(loaded, "record", (const uint8_t *)"m", 1, signature), 0);
    assert_int_equal(EVP_PKEY_get_octet_string_param(identity_pkey(loaded), "seed", seed, 64, &len), 1);
    assert_int_equal(len, 32);
    assert_int_equal(smaps_count(seed, len, false), 0);
    copy = malloc(len);
    memcpy(copy, seed, len);
    assert_int_equal(smaps_count(copy, len, false), 1); /* the search finds what is there */
    memset(copy, 0, len);
    free(copy);
    vault_free(seed);
    identity_free(made);
    identity_free(loaded);
}

static void path_through_a_file_is_refused(void **state)
{
    (void)state;
    put_file("plain", "x", 1, 0600);
    assert_int_equal(identity_save(me, path_of("plain")), ERR_NOT_FOUND);
    unlink(path_of("plain"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_signatures_are_judged_right),
        cmocka_unit_test_teardown(published_seeds_give_their_public_keys, remove_key),
        cmocka_unit_test(id_is_the_hash_of_the_whole_public_key),
        cmocka_unit_test(signature_is_bound_to_message_context_and_key),
        cmocka_unit_test(context_longer_than_255_bytes_is_refused),
        cmocka_unit_test(malformed_public_key_is_refused),
        cmocka_unit_test_teardown(saved_key_loads_again_and_is_private, remove_key),
        cmocka_unit_test_teardown(existing_key_is_never_replaced, remove_key),
        cmocka_unit_test_teardown(draft_is_no_key_before_it_is_published, remove_key),
        cmocka_unit_test_teardown(discarded_draft_leaves_nothing, remove_key),
        cmocka_unit_test_teardown(draft_does_not_replace_a_key_that_came_meanwhile, remove_key),
        cmocka_unit_test(missing_directory_is_made_for_its_owner_only),
        cmocka_unit_test(key_of_another_name_is_guarded_likewise),
        cmocka_unit_test(missing_key_is_not_found),
        cmocka_unit_test_teardown(key_that_others_can_read_is_refused, remove_key),
        cmocka_unit_test_teardown(key_of_another_user_is_refused, remove_key),
        cmocka_unit_test_teardown(key_behind_a_symbolic_link_is_refused, remove_key),
        cmocka_unit_test_teardown(folder_that_others_can_change_holds_no_key, remove_key),
        cmocka_unit_test_teardown(folder_of_another_user_holds_no_key, remove_key),
        cmocka_unit_test_teardown(folder_may_be_reached_by_a_symbolic_link, remove_key),
        cmocka_unit_test_teardown(file_without_our_kind_of_key_is_malformed, remove_key),
        cmocka_unit_test_teardown(other_and_encrypted_keys_are_refused, remove_key),
        cmocka_unit_test_teardown(keys_lie_in_the_vault, remove_key),
        cmocka_unit_test_teardown(seed_of_a_key_is_nowhere_else, remove_key),
        cmocka_unit_test_teardown(full_disk_leaves_nothing_behind, remove_key),
        cmocka_unit_test(path_through_a_file_is_refused),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
