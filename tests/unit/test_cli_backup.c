/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh backup and restore: all comes back as it was, nothing is overwritten, and what would bring no node back is refused
 * before anything is written. */

#include "crypto/backup.h"
#include "crypto/founding.h"
#include "crypto/key_pem.h"
#include "crypto/keyfile.h"
#include "crypto/secret.h"

#include "cli_networks_lab.h"

#include <time.h>

static char copy[96];

/* A network whose node has written, too. */
static void found(void)
{
    node_is("exit 1");
    assert_verb("up home -name berlin", CLI_FAILURE);
    put("etc/home/state/ledger", "who", 0600);
    char path[128];
    snprintf(path, sizeof(path), "%s/home/state/lists", etc);
    assert_int_equal(mkdir(path, 0700), 0);
    put("etc/home/state/lists/revocations-" ID_A, "list", 0600);
    put("etc/home/state/lists/roster-" ID_A, "roster", 0600);
    put("etc/home/state/records", "cache", 0600);
    snprintf(copy, sizeof(copy), "%s/copy", etc);
}

static void verb(const char *format, int code)
{
    char line[192];
    snprintf(line, sizeof(line), format, copy);
    assert_verb(line, code);
}

static void assert_nothing_here(void)
{
    assert_int_equal(mode_of("home"), 0);
    assert_int_equal(mode_of(".home.new"), 0);
}

static void all_comes_back_as_it_was(void **state)
{
    static const char *const names[] = {"node.conf",
                                        "ca.key",
                                        "ca.pem",
                                        "state/node.key",
                                        "state/ca.pem",
                                        "state/issuer.pem",
                                        "state/own-issuer.pem",
                                        "state/member.pem",
                                        "state/ledger",
                                        "state/lists/revocations-" ID_A};
    char *before[sizeof(names) / sizeof(names[0])], name[128];
    mode_t modes[sizeof(names) / sizeof(names[0])];
    (void)state;
    found();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(name, sizeof(name), "home/%s", names[i]);
        before[i] = strdup(read_text(name));
        modes[i] = mode_of(name);
    }
    verb("backup home %s -plain", CLI_OK);
    assert_has(out, "berlin of home, an issuer with its ledger, the CA's key");
    assert_int_equal(mode_of("copy"), 0600);
    assert_verb("leave home -yes", CLI_OK);
    verb("restore %s", CLI_OK);
    assert_has(out, "berlin is here again");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(name, sizeof(name), "home/%s", names[i]);
        assert_string_equal(read_text(name), before[i]);
        assert_int_equal(mode_of(name), modes[i]);
        free(before[i]);
    }
    assert_int_equal(mode_of("home/state/restored"), 0600); /* for its issuer */
    assert_int_equal(mode_of("home/state"), 0700);
    assert_int_equal(mode_of("home/state/lists"), 0700);
    assert_int_equal(mode_of("home/state/records"), 0);
    assert_int_equal(mode_of("home/state/lists/roster-" ID_A), 0);
}

static void sealed_copy_comes_back_by_its_passphrase_alone(void **state)
{
    (void)state;
    found();
    input("short\n");
    verb("backup home %s", CLI_FAILURE);
    assert_one_complaint("at least 8");
    assert_int_equal(mode_of("copy"), 0);
    input("correct horse\n");
    verb("backup home %s", CLI_OK);
    assert_int_equal(mode_of("copy"), 0600);
    assert_null(strstr(read_text("copy"), "BEGIN"));
    assert_null(strstr(out, "correct"));
    assert_verb("leave home -yes", CLI_OK);
    input("correct house\n");
    verb("restore %s", CLI_FAILURE);
    assert_one_complaint("does not open");
    assert_nothing_here();
    assert_int_equal(chmod(copy, 0644), 0); /* who can read it has nothing */
    input("correct horse\n");
    verb("restore %s", CLI_OK);
    assert_int_equal(mode_of("home/ca.key"), 0600);
}

static void member_without_the_cas_key_comes_back(void **state)
{
    (void)state;
    found();
    assert_verb("ca remove home -yes", CLI_OK);
    verb("backup home %s -plain", CLI_OK);
    assert_null(strstr(out, "CA's key"));
    assert_verb("leave home -yes", CLI_OK);
    verb("restore %s", CLI_OK);
    assert_int_equal(mode_of("home/ca.key"), 0);
}

static void nothing_is_overwritten(void **state)
{
    (void)state;
    found();
    put("etc/copy", "mine", 0600);
    verb("backup home %s -plain", CLI_FAILURE);
    assert_one_complaint("stays as it is");
    assert_string_equal(read_text("copy"), "mine");
    unlink(copy);
    verb("backup home %s -plain", CLI_OK);
    char *before = strdup(read_text("home/state/ledger"));
    put("etc/home/state/ledger", "later", 0600);
    verb("restore %s", CLI_FAILURE);
    assert_one_complaint("here already");
    assert_string_equal(read_text("home/state/ledger"), "later");
    free(before);
}

static void copy_that_was_altered_or_that_others_read_brings_nothing_back(void **state)
{
    (void)state;
    found();
    verb("backup home %s -plain", CLI_OK);
    assert_verb("leave home -yes", CLI_OK);
    assert_int_equal(chmod(copy, 0640), 0);
    verb("restore %s", CLI_FAILURE);
    assert_one_complaint("chmod 600");
    assert_int_equal(chmod(copy, 0600), 0);
    int fd = open(copy, O_WRONLY);
    assert_int_equal(pwrite(fd, "x", 1, 4000), 1);
    close(fd);
    verb("restore %s", CLI_FAILURE);
    assert_one_complaint("cut or altered");
    put("etc/copy", "mine", 0600);
    verb("restore %s", CLI_FAILURE);
    assert_one_complaint("no backup");
    assert_nothing_here();
}

/* The backup with one file of a stranger's making instead. */
static void replace(enum backup_folder folder, const char *name, const char *text)
{
    static uint8_t room[BACKUP_MAX], again[BACKUP_MAX];
    struct backup b, other = {0};
    size_t len;
    FILE *file = fopen(copy, "r");
    len = fread(room, 1, sizeof(room), file);
    fclose(file);
    assert_int_equal(backup_decode(room, len, &b), 0);
    other.time = b.time;
    memcpy(other.network, b.network, sizeof(other.network));
    for (unsigned i = 0; i < b.count; i++) {
        bool same = b.files[i].folder == folder && strcmp(b.files[i].name, name) == 0;
        if (same)
            b.files[i].bytes = (struct slice){(const uint8_t *)text, text ? strlen(text) : 0};
        if (!same || text)
            assert_int_equal(backup_add(&other, &b.files[i]), 0);
    }
    assert_int_equal(backup_encode(&other, again, sizeof(again), &len), 0);
    file = fopen(copy, "w");
    assert_int_equal(fwrite(again, 1, len, file), len);
    fclose(file);
}

static void keys_and_certificates_that_do_not_belong_together_are_refused(void **state)
{
    char key[KEY_PEM_MAX];
    struct identity *other;
    size_t len;
    (void)state;
    assert_int_equal(identity_generate(&other), 0);
    assert_int_equal(key_pem_encode(other, NULL, key, &len), 0);
    identity_free(other);
    const struct {
        enum backup_folder folder;
        const char *name, *text, *said;
    } cases[] = {
        {BACKUP_NETWORK, "node.conf", NULL, "no node.conf"},
        {BACKUP_NODE, "node.key", NULL, "no node.key"},
        {BACKUP_NODE, "node.key", "no key", "no node.key"},
        {BACKUP_NODE, "node.key", key, "member.pem"},
        {BACKUP_NETWORK, "ca.key", key, "not the key of that CA"},
        {BACKUP_NODE, "ca.pem", NULL, "ca.pem"},
        {BACKUP_NODE, "issuer.pem", NULL, "member.pem"},
        {BACKUP_NODE, "own-issuer.pem", "none", "own-issuer.pem"},
    };
    found();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        verb("backup home %s -plain", CLI_OK);
        replace(cases[i].folder, cases[i].name, cases[i].text);
        char path[2][128];
        snprintf(path[0], sizeof(path[0]), "%s/home", etc);
        snprintf(path[1], sizeof(path[1]), "%s/away", etc);
        assert_int_equal(rename(path[0], path[1]), 0);
        verb("restore %s", CLI_FAILURE);
        assert_one_complaint(cases[i].said);
        assert_nothing_here();
        assert_int_equal(rename(path[1], path[0]), 0);
        unlink(copy);
    }
}

/* Of the same CA, for another key. */
static void issuer_of_another_key_is_refused(void **state)
{
    struct founding f = {.network = "home", .now = (uint64_t)time(NULL), .random = &secret_source};
    struct identity *ca_key, *other;
    struct founding_cert made;
    uint8_t der[CERT_MAX];
    struct cert ca;
    char path[128];
    int fd;
    (void)state;
    found();
    snprintf(path, sizeof(path), "%s/home", etc);
    assert_int_equal(identity_load_as(path, IDENTITY_CA_FILE, &ca_key), 0);
    assert_int_equal(identity_generate(&other), 0);
    struct slice c = read_cert("home", CERTFILE_CA, der);
    assert_int_equal(cert_decode(c.data, c.len, &ca), 0);
    memcpy(f.ranges, ca.ranges, sizeof(f.ranges));
    f.range_count = ca.range_count;
    assert_int_equal(founding_issuer(&f, ca_key, identity_spki(other), 1, &made), 0);
    snprintf(path, sizeof(path), "%s/home/state", etc);
    assert_int_equal(folder_open(path, &fd), 0);
    assert_int_equal(certfile_write(fd, CERTFILE_OWN_ISSUER, made.der, made.len), 0);
    close(fd);
    verb("backup home %s -plain", CLI_FAILURE);
    assert_one_complaint("own-issuer.pem");
    identity_free(ca_key);
    identity_free(other);
}

static void node_that_would_not_come_back_is_told_at_once(void **state)
{
    char path[128];
    (void)state;
    found();
    snprintf(path, sizeof(path), "%s/home/state/member.pem", etc);
    unlink(path);
    verb("backup home %s -plain", CLI_FAILURE);
    assert_one_complaint("bring no node back");
    assert_int_equal(mode_of("copy"), 0);
    verb("backup work %s", CLI_NO_NODE);
    assert_verb("backup home", CLI_USAGE);
}

/* Who may write in KEYDIR is the node's user, and root reads. */
static void other_names_of_others_files_are_not_taken(void **state)
{
    char path[3][128];
    (void)state;
    found();
    snprintf(path[0], sizeof(path[0]), "%s/home/state/ledger", etc);
    snprintf(path[1], sizeof(path[1]), "%s/secret", etc);
    unlink(path[0]);
    put("etc/secret", "of somebody else", 0600);
    assert_int_equal(symlink(path[1], path[0]), 0);
    verb("backup home %s -plain", CLI_FAILURE);
    assert_one_complaint("ledger");
    unlink(path[0]);
    assert_int_equal(link(path[1], path[0]), 0);
    verb("backup home %s -plain", CLI_FAILURE);
    assert_one_complaint("ledger");
    assert_int_equal(mode_of("copy"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_comes_back_as_it_was),
        TEST(sealed_copy_comes_back_by_its_passphrase_alone),
        TEST(member_without_the_cas_key_comes_back),
        TEST(nothing_is_overwritten),
        TEST(copy_that_was_altered_or_that_others_read_brings_nothing_back),
        TEST(keys_and_certificates_that_do_not_belong_together_are_refused),
        TEST(issuer_of_another_key_is_refused),
        TEST(node_that_would_not_come_back_is_told_at_once),
        TEST(other_names_of_others_files_are_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
