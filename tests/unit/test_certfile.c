/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate's file: it comes back, nothing else is taken, and a full disk keeps the older one. */

#include "base/folder.h"
#include "crypto/certfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "cert_lab.h"

static char dir[] = "/tmp/shadowmesh-certfile.XXXXXX";
static int dir_fd = -1;
static struct cert_bytes cert;

static int setup(void **state)
{
    cert_lab_setup(state);
    struct cert member = lab_member(&lab);
    cert = lab_sign(&member, lab.issuer);
    return mkdtemp(dir) ? folder_open(dir, &dir_fd) : -1;
}

static int teardown(void **state)
{
    close(dir_fd);
    cert_lab_teardown(state);
    return rmdir(dir);
}

static int clean(void **state)
{
    (void)state;
    unlinkat(dir_fd, CERTFILE_MEMBER, 0);
    unlinkat(dir_fd, "other", 0);
    return 0;
}

static int entries(void)
{
    DIR *d = opendir(dir);
    int n = 0;
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n - 2;
}

static int read_back(struct cert_bytes *out)
{
    memset(out, 1, sizeof(*out));
    return certfile_read(dir_fd, CERTFILE_MEMBER, out->der, &out->len);
}

static void put(const char *text, size_t len, mode_t mode)
{
    int fd = openat(dir_fd, CERTFILE_MEMBER, O_WRONLY | O_CREAT | O_TRUNC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

/* The text of the file as certfile_write makes it. */
static size_t text_of(char *out, size_t size)
{
    size_t len = 0;
    assert_int_equal(certfile_write(dir_fd, CERTFILE_MEMBER, cert.der, cert.len), 0);
    assert_int_equal(folder_read(dir_fd, CERTFILE_MEMBER, OWN_FILE_SHOWN, (uint8_t *)out, size - 1, &len), 0);
    out[len] = '\0';
    return len;
}

static void written_certificate_comes_back(void **state)
{
    struct cert_bytes back;
    struct stat st;
    (void)state;
    mode_t before = umask(0077);
    assert_int_equal(certfile_write(dir_fd, CERTFILE_MEMBER, cert.der, cert.len), 0);
    umask(before);
    assert_int_equal(read_back(&back), 0);
    assert_int_equal(back.len, cert.len);
    assert_memory_equal(back.der, cert.der, cert.len);
    assert_int_equal(fstatat(dir_fd, CERTFILE_MEMBER, &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(entries(), 1);
}

static void every_length_up_to_the_limit_comes_back(void **state)
{
    struct cert_bytes back, plain;
    (void)state;
    memset(plain.der, 0x30, sizeof(plain.der));
    for (size_t len = CERT_MAX - 50; len <= CERT_MAX; len++) {
        assert_int_equal(certfile_write(dir_fd, CERTFILE_MEMBER, plain.der, len), 0);
        assert_int_equal(read_back(&back), 0);
        assert_int_equal(back.len, len);
    }
    assert_int_equal(certfile_write(dir_fd, CERTFILE_MEMBER, plain.der, CERT_MAX + 1), ERR_SPACE);
}

static void later_one_takes_the_place_of_the_older(void **state)
{
    struct cert_bytes back;
    (void)state;
    assert_int_equal(certfile_write(dir_fd, CERTFILE_MEMBER, cert.der, cert.len - 1), 0);
    assert_int_equal(certfile_write(dir_fd, CERTFILE_MEMBER, cert.der, cert.len), 0);
    assert_int_equal(read_back(&back), 0);
    assert_int_equal(back.len, cert.len);
}

static void what_a_killed_writer_left_does_not_hinder(void **state)
{
    (void)state;
    assert_int_equal(folder_write(dir_fd, ".member.pem.new", OWN_FILE_SHOWN, "half", 4), 0);
    assert_int_equal(certfile_write(dir_fd, CERTFILE_MEMBER, cert.der, cert.len), 0);
    assert_int_equal(entries(), 1);
}

static void missing_file_is_not_found(void **state)
{
    struct cert_bytes back;
    (void)state;
    assert_int_equal(read_back(&back), ERR_NOT_FOUND);
    assert_int_equal(back.len, 0);
}

/* Each way in which text is not the one that is written. */
static void other_text_is_refused(void **state)
{
    char text[16384], other[32768];
    struct cert_bytes back;
    size_t len = text_of(text, sizeof(text));
    (void)state;
    for (int i = 0; i < 8; i++) {
        size_t n = len;
        memcpy(other, text, len + 1);
        switch (i) {
        case 0:
            n = len - 1;
            break; /* no end of the last line */
        case 1:
            n = (size_t)sprintf(other, "%s%s", text, text);
            break; /* two certificates */
        case 2:
            n = (size_t)sprintf(other, "note\n%s", text);
            break;
        case 3:
            n = (size_t)sprintf(other, "%s\n", text);
            break;
        case 4:
            other[60] = '\n';
            break; /* short line */
        case 5:
            other[11] = 'X';
            break; /* of another type */
        case 6:
            other[100] = '*';
            break; /* no digit */
        case 7:
            n = 0;
            break;
        }
        put(other, n, 0644);
        assert_int_equal(read_back(&back), ERR_FORMAT);
        assert_int_equal(back.len, 0);
    }
    put(text, len, 0644);
    assert_int_equal(read_back(&back), 0);
}

static void longer_file_is_refused(void **state)
{
    static char text[65536];
    struct cert_bytes back;
    (void)state;
    memset(text, 'A', sizeof(text));
    put(text, sizeof(text), 0644);
    assert_int_equal(read_back(&back), ERR_FORMAT);
}

static void file_that_others_may_have_chosen_is_refused(void **state)
{
    char text[16384];
    struct cert_bytes back;
    size_t len = text_of(text, sizeof(text));
    (void)state;
    put(text, len, 0664);
    assert_int_equal(read_back(&back), ERR_FOREIGN);
    put(text, len, 0646);
    assert_int_equal(read_back(&back), ERR_FOREIGN);
    put(text, len, 0644);
    assert_int_equal(renameat(dir_fd, CERTFILE_MEMBER, dir_fd, "other"), 0);
    assert_int_equal(symlinkat("other", dir_fd, CERTFILE_MEMBER), 0);
    assert_int_equal(read_back(&back), ERR_SYMLINK);
    assert_int_equal(unlinkat(dir_fd, CERTFILE_MEMBER, 0), 0);
    assert_int_equal(mkfifoat(dir_fd, CERTFILE_MEMBER, 0644), 0);
    assert_int_equal(read_back(&back), ERR_FORMAT); /* and does not wait */
}

static void file_of_another_user_is_refused(void **state)
{
    struct cert_bytes back;
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(certfile_write(dir_fd, CERTFILE_MEMBER, cert.der, cert.len), 0);
    assert_int_equal(fchownat(dir_fd, CERTFILE_MEMBER, 65534, 65534, 0), 0);
    assert_int_equal(read_back(&back), ERR_FOREIGN);
}

static void full_disk_keeps_the_older_one(void **state)
{
    struct rlimit before, limit;
    struct cert_bytes back;
    (void)state;
    assert_int_equal(certfile_write(dir_fd, CERTFILE_MEMBER, cert.der, cert.len), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){1000, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int err = certfile_write(dir_fd, CERTFILE_MEMBER, cert.der, cert.len - 1), saved_errno = errno;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(err, ERR_IO);
    assert_int_equal(saved_errno, EFBIG);
    assert_int_equal(entries(), 1);
    assert_int_equal(read_back(&back), 0);
    assert_int_equal(back.len, cert.len);
}

static void name_without_room_is_refused(void **state)
{
    char name[2 * FOLDER_NAME_MAX];
    (void)state;
    memset(name, 'n', sizeof(name));
    name[FOLDER_NAME_MAX + 4] = '\0';
    assert_int_equal(folder_replace(dir_fd, name, OWN_FILE_SHOWN, "x", 1), ERR_SPACE);
    assert_int_equal(entries(), 0);
}

static void folder_that_others_can_change_is_refused(void **state)
{
    int fd;
    (void)state;
    assert_int_equal(fchmod(dir_fd, 0770), 0);
    assert_int_equal(folder_open(dir, &fd), ERR_FOLDER);
    assert_int_equal(fchmod(dir_fd, 0700), 0);
    assert_int_equal(folder_open("/nonexistent", &fd), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(written_certificate_comes_back, clean),
        cmocka_unit_test_teardown(every_length_up_to_the_limit_comes_back, clean),
        cmocka_unit_test_teardown(later_one_takes_the_place_of_the_older, clean),
        cmocka_unit_test_teardown(what_a_killed_writer_left_does_not_hinder, clean),
        cmocka_unit_test(missing_file_is_not_found),
        cmocka_unit_test_teardown(other_text_is_refused, clean),
        cmocka_unit_test_teardown(longer_file_is_refused, clean),
        cmocka_unit_test_teardown(file_that_others_may_have_chosen_is_refused, clean),
        cmocka_unit_test_teardown(file_of_another_user_is_refused, clean),
        cmocka_unit_test_teardown(full_disk_keeps_the_older_one, clean),
        cmocka_unit_test(name_without_room_is_refused),
        cmocka_unit_test(folder_that_others_can_change_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
