/* SPDX-License-Identifier: Apache-2.0 */
/* A network's lists on disk: a node that starts knows who is shut out, and believes no file. */

#include "node/network/list_files.h"

#include "crypto/revocations.h"
#include "node/network/signing.h"
#include "proto/network/rolls.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "cert_lab.h"

static char keydir[64];
static uv_loop_t loop;
static const struct node_id shut_out = {{1, 2, 3}}, later = {{4}};

static struct rolls *rolls_of_lab(void)
{
    struct cert ca = lab_ca(&lab);
    struct rolls *r;
    assert_int_equal(rolls_new(&ca, &r), 0);
    rolls_on_time(r, LAB_NOW);
    return r;
}

static struct list_files *open_files(struct rolls *r)
{
    const struct list_files_config config = {&loop, r, keydir};
    struct list_files *f;
    assert_int_equal(list_files_open(&config, &f), 0);
    return f;
}

/* As the node's timer and pool do. */
static void save(struct list_files *f)
{
    list_files_save(f, 1);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void take_issuer(struct rolls *r)
{
    struct cert issuer = lab_issuer(&lab);
    struct cert_bytes der = lab_sign(&issuer, lab.ca);
    assert_int_equal(rolls_take(r, LIST_ISSUER, lab_slice(&der)), ROLLS_NEWER);
}

/* All that an issuer and the CA may have said. */
static void keep_lists(void)
{
    struct rolls *r = rolls_of_lab();
    struct list_files *f = open_files(r);
    struct roster_member member = {.id = {{9}}, .not_after = LAB_NOW + 1, .name = "berlin"};
    take_issuer(r);
    assert_int_equal(rolls_revoke(r, lab.issuer, &shut_out), 0);
    assert_int_equal(rolls_revoke(r, lab.ca, NULL), 0);
    assert_int_equal(rolls_publish(r, lab.issuer, &member, 1), 0);
    save(f);
    list_files_close(f);
    rolls_free(r);
}

static void path_of(char out[256], const char *kind, const struct identity *signer)
{
    char hex[ID_TEXT_MAX];
    snprintf(out, 256, "%s/" LIST_FILES_FOLDER "/%s-%s", keydir, kind, id_format(identity_id(signer), hex));
}

static unsigned count_read(void)
{
    struct message_list lists[ROLLS_LISTS_MAX];
    struct rolls *r = rolls_of_lab();
    list_files_close(open_files(r));
    unsigned count = rolls_lists(r, lists);
    rolls_free(r);
    return count;
}

static int setup(void **state)
{
    (void)state;
    snprintf(keydir, sizeof(keydir), "/tmp/test_list_files.XXXXXX");
    assert_non_null(mkdtemp(keydir));
    assert_int_equal(uv_loop_init(&loop), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[96];
    assert_int_equal(uv_loop_close(&loop), 0);
    snprintf(command, sizeof(command), "rm -r %s", keydir);
    return system(command); /* NOLINT: a folder of our own */
}

static void what_was_kept_is_known_at_the_next_start(void **state)
{
    (void)state;
    keep_lists();
    struct rolls *r = rolls_of_lab();
    list_files_close(open_files(r));
    assert_true(rolls_revoked(r, &shut_out));
    assert_non_null(rolls_issuer(r, identity_id(lab.issuer)));
    assert_non_null(rolls_find_name(r, "berlin"));
    rolls_free(r);
}

static void newer_list_takes_the_place_of_the_file(void **state)
{
    (void)state;
    keep_lists();
    struct rolls *r = rolls_of_lab();
    struct list_files *f = open_files(r);
    assert_int_equal(rolls_revoke(r, lab.issuer, &later), 0);
    save(f);
    list_files_close(f);
    rolls_free(r);
    r = rolls_of_lab();
    list_files_close(open_files(r));
    assert_true(rolls_revoked(r, &shut_out) && rolls_revoked(r, &later));
    rolls_free(r);
}

/* An issuer that the CA has revoked by now shut somebody out before: that stays over a start. */
static void what_a_revoked_issuer_revoked_is_read_too(void **state)
{
    (void)state;
    keep_lists();
    struct rolls *r = rolls_of_lab();
    struct list_files *f = open_files(r);
    assert_int_equal(rolls_revoke(r, lab.ca, identity_id(lab.issuer)), 0);
    save(f);
    list_files_close(f);
    rolls_free(r);
    r = rolls_of_lab();
    list_files_close(open_files(r));
    assert_null(rolls_issuer(r, identity_id(lab.issuer)));
    assert_true(rolls_revoked(r, &shut_out));
    rolls_free(r);
}

static void file_that_was_altered_or_is_no_list_is_not_used(void **state)
{
    (void)state;
    char path[256];
    uint8_t byte;
    keep_lists();
    assert_int_equal(count_read(), 4);
    path_of(path, "revocations", lab.issuer);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0 && pread(fd, &byte, 1, 60) == 1);
    byte ^= 1;
    assert_true(pwrite(fd, &byte, 1, 60) == 1 && close(fd) == 0);
    assert_int_equal(count_read(), 3);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(count_read(), 3);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/zero", path), 0);
    assert_int_equal(count_read(), 3);
    path_of(path, "roster", lab.other);
    assert_int_equal(symlink("/dev/zero", path), 0);
    assert_int_equal(count_read(), 3);
    path_of(path, "issuer", lab.issuer);
    assert_int_equal(unlink(path), 0); /* nothing else of it counts then */
    assert_int_equal(count_read(), 1);
}

static void list_that_others_may_write_is_not_used(void **state)
{
    (void)state;
    char path[256];
    keep_lists();
    path_of(path, "revocations", lab.ca);
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(count_read(), 3);
    snprintf(path, sizeof(path), "%s/" LIST_FILES_FOLDER, keydir);
    assert_int_equal(chmod(path, 0777), 0);
    struct rolls *r = rolls_of_lab();
    struct list_files *f;
    const struct list_files_config config = {&loop, r, keydir};
    assert_int_equal(list_files_open(&config, &f), ERR_FOLDER);
    rolls_free(r);
}

static void what_cannot_be_written_is_written_later(void **state)
{
    (void)state;
    char path[256];
    struct rolls *r = rolls_of_lab();
    struct list_files *f = open_files(r);
    path_of(path, "revocations", lab.ca);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(rolls_revoke(r, lab.ca, NULL), 0);
    save(f);
    assert_int_equal(rmdir(path), 0);
    list_files_save(f, UINT64_MAX); /* much later */
    uv_run(&loop, UV_RUN_DEFAULT);
    list_files_close(f);
    rolls_free(r);
    assert_int_equal(count_read(), 1);
}

static void files_that_are_closed_while_the_pool_writes_end_after_it(void **state)
{
    (void)state;
    struct rolls *r = rolls_of_lab();
    struct list_files *f = open_files(r);
    assert_int_equal(rolls_revoke(r, lab.ca, NULL), 0);
    list_files_save(f, 1);
    list_files_close(f);
    rolls_free(r);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(count_read(), 1);
}

/* ---- an issuer's own list ---- */

static uint64_t signed_number(const struct rolls *r)
{
    return rolls_number(r, LIST_REVOCATIONS, identity_id(lab.issuer));
}

static void issuer_signs_its_list_anew_each_hour(void **state)
{
    (void)state;
    struct rolls *r = rolls_of_lab();
    struct signing s = {.rolls = r, .me = lab.issuer};
    signing_tick(&s, LAB_NOW);
    assert_true(signed_number(r) == 0); /* not yet one */
    take_issuer(r);
    for (unsigned second = 0; second <= 2 * SIGNING_PERIOD_S; second++) {
        rolls_on_time(r, LAB_NOW + second);
        signing_tick(&s, LAB_NOW + second);
        assert_true(signed_number(r) == 1 + second / SIGNING_PERIOD_S);
    }
    rolls_free(r);
}

/* Its list on disk may be older than what peers have: signed on top of it, the next one would be nothing to them. */
static void issuer_that_starts_hears_its_peers_first(void **state)
{
    (void)state;
    struct rolls *r = rolls_of_lab();
    take_issuer(r);
    assert_int_equal(rolls_revoke(r, lab.issuer, NULL), 0);
    struct signing s = {.rolls = r, .me = lab.issuer};
    for (unsigned second = 0; second < SIGNING_HEAR_S; second++) {
        rolls_on_time(r, LAB_NOW + LAB_DAY + second);
        signing_tick(&s, LAB_NOW + LAB_DAY + second);
        assert_true(signed_number(r) == 1);
    }
    signing_tick(&s, LAB_NOW + LAB_DAY + SIGNING_HEAR_S);
    assert_true(signed_number(r) == 2);
    rolls_free(r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_kept_is_known_at_the_next_start),
        TEST(newer_list_takes_the_place_of_the_file),
        TEST(what_a_revoked_issuer_revoked_is_read_too),
        TEST(file_that_was_altered_or_is_no_list_is_not_used),
        TEST(list_that_others_may_write_is_not_used),
        TEST(what_cannot_be_written_is_written_later),
        TEST(files_that_are_closed_while_the_pool_writes_end_after_it),
        TEST(issuer_signs_its_list_anew_each_hour),
        TEST(issuer_that_starts_hears_its_peers_first),
    };
    return cmocka_run_group_tests(tests, cert_lab_setup, cert_lab_teardown);
}
