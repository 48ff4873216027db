/* SPDX-License-Identifier: Apache-2.0 */
/* DIR/node.key: an identity's private key, PKCS#8 PEM (RFC 9881), as `openssl pkey` reads it. It comes into
 * being whole or not at all, and never replaces another. Control thread. */

#include "crypto/keyfile.h"

#include "base/vault.h"
#include "crypto/identity_internal.h"
#include "crypto/library.h"
#include "crypto/secret.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX  16384 /* a key of ours takes 6.8 KB */
#define TEMP_NAME "." IDENTITY_KEY_FILE ".%08x"

static_assert(sizeof(TEMP_NAME) + 8 <= IDENTITY_DRAFT_MAX, "a draft has a name");

static bool is_ours(const struct stat *st)
{
    return st->st_uid == geteuid() || st->st_uid == 0;
}

/* Who else may put a file into the folder could choose our key. In a sticky one nobody removes ours. */
static int check_dir(int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return ERR_IO;
    bool others = st.st_mode & (S_IWGRP | S_IWOTH) && !(st.st_mode & S_ISVTX);
    return is_ours(&st) && !others ? 0 : ERR_FOLDER;
}

/* The way to dir may lead through symbolic links: what is judged is the folder that was opened. */
static int open_dir(const char *dir, int *out)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = fd < 0 ? err_from_errno(errno) : check_dir(fd);

    if (err && fd >= 0)
        close(fd);
    if (!err)
        *out = fd;
    return err;
}

static int check_key(int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return ERR_IO;
    if (!S_ISREG(st.st_mode))
        return ERR_FORMAT;
    if (!is_ours(&st))
        return ERR_FOREIGN;
    return st.st_mode & (S_IRWXG | S_IRWXO) ? ERR_EXPOSED : 0;
}

/* Opens for reading, or fails before a secret that others may have seen or chosen is used. */
static int open_key(const char *dir, int *out)
{
    int dir_fd, fd, err = open_dir(dir, &dir_fd);

    if (err)
        return err;
    /* O_NONBLOCK: a FIFO of that name must not stall the start. */
    fd = openat(dir_fd, IDENTITY_KEY_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    err = fd < 0 ? err_from_errno(errno) : check_key(fd);
    close(dir_fd);
    if (err && fd >= 0)
        close(fd);
    if (!err)
        *out = fd;
    return err;
}

static int read_all(int fd, uint8_t *out, size_t cap, size_t *len)
{
    for (*len = 0; *len < cap;) {
        ssize_t n = read(fd, out + *len, cap - *len);

        if (n == 0)
            return 0;
        if (n > 0)
            *len += (size_t)n;
        else if (errno != EINTR)
            return ERR_IO;
    }
    return ERR_FORMAT;
}

/* Instead of OpenSSL's own, which would ask at the terminal. */
static int no_password(char *buffer, int size, int writing, void *arg)
{
    (void)buffer, (void)size, (void)writing, (void)arg;
    return -1;
}

static int decode(const uint8_t *pem, size_t len, struct identity **out)
{
    BIO *bio;
    EVP_PKEY *pkey = NULL;

    library_begin_secret();
    bio = BIO_new_mem_buf(pem, (int)len);
    if (bio)
        pkey = PEM_read_bio_PrivateKey_ex(bio, NULL, no_password, NULL, library_context(), NULL);
    BIO_free(bio);
    library_end_secret();
    if (!bio)
        return ERR_NOMEM;
    ERR_clear_error();
    int err = pkey ? identity_from_pkey(pkey, out) : ERR_FORMAT;
    return err ? library_error(err) : 0;
}

int identity_load(const char *dir, struct identity **out)
{
    uint8_t *pem;
    size_t len = 0;
    int fd, saved_errno, err = open_key(dir, &fd);

    if (err)
        return err;
    pem = vault_alloc(FILE_MAX);
    err = pem ? read_all(fd, pem, FILE_MAX, &len) : ERR_NOMEM;
    saved_errno = errno;
    close(fd);
    if (!err)
        err = decode(pem, len, out);
    vault_free(pem);
    errno = saved_errno;
    return err;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno != EINTR)
            return err_from_errno(errno);
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return fsync(fd) == 0 ? 0 : err_from_errno(errno);
}

/* The whole key in a file of its own, or no file. */
static int write_temp(int dir_fd, const char *name, const char *pem, size_t len)
{
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    int err, saved_errno;

    if (fd < 0)
        return err_from_errno(errno);
    err = write_all(fd, pem, len);
    saved_errno = errno;
    if (close(fd) != 0 && !err) { /* NFS tells a full disk only here */
        saved_errno = errno;
        err = err_from_errno(errno);
    }
    if (err)
        unlinkat(dir_fd, name, 0);
    errno = saved_errno;
    return err;
}

/* Opens dir, making it first when missing; a new directory's entry is on disk before any key is. */
static int open_or_make_dir(const char *dir, bool *made, int *out)
{
    int parent, err;

    *made = mkdir(dir, S_IRWXU) == 0;
    if (!*made && errno != EEXIST)
        return err_from_errno(errno);
    err = open_dir(dir, out);
    if (err || !*made)
        return err;
    parent = openat(*out, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent >= 0) {
        fsync(parent); /* not every file system can; the key's own directory counts */
        close(parent);
    }
    return 0;
}

static void close_draft(struct identity_draft *draft, bool failed)
{
    int saved_errno = errno;

    close(draft->dir_fd);
    draft->dir_fd = -1;
    if (failed && draft->made_dir)
        rmdir(draft->dir);
    errno = saved_errno;
}

static int draft_pem(const char *dir, const char *pem, size_t len, struct identity_draft *out)
{
    unsigned number;
    int err;

    *out = (struct identity_draft){.dir = dir, .dir_fd = -1};
    err = open_or_make_dir(dir, &out->made_dir, &out->dir_fd);
    if (err)
        return err;
    secret_random(&number, sizeof(number));
    snprintf(out->name, sizeof(out->name), TEMP_NAME, number);
    if (faccessat(out->dir_fd, IDENTITY_KEY_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        err = ERR_EXISTS;
    else
        err = write_temp(out->dir_fd, out->name, pem, len);
    if (err)
        close_draft(out, true);
    return err;
}

int identity_draft(const struct identity *me, const char *dir, struct identity_draft *out)
{
    BIO *bio;
    int err = ERR_NOMEM, saved_errno;
    char *pem;
    long len;

    library_begin_secret();
    bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
    if (!bio)
        goto out;
    err = ERR_CRYPTO;
    if (PEM_write_bio_PKCS8PrivateKey(bio, identity_pkey(me), NULL, NULL, 0, NULL, NULL) != 1)
        goto out;
    len = BIO_get_mem_data(bio, &pem);
    if (len > 0)
        err = draft_pem(dir, pem, (size_t)len, out);
out:
    saved_errno = errno;
    BIO_free(bio);
    library_end_secret();
    errno = saved_errno;
    return err;
}

/* link(2), not rename(2): it fails when the name is taken, so no key is ever lost to a race. */
static int publish(int dir_fd, const char *temp)
{
    int err = linkat(dir_fd, temp, dir_fd, IDENTITY_KEY_FILE, 0) == 0 ? 0 : err_from_errno(errno);
    int saved_errno = errno;

    unlinkat(dir_fd, temp, 0);
    errno = saved_errno;
    if (!err && fsync(dir_fd) != 0) {
        err = err_from_errno(errno);
        saved_errno = errno;
        unlinkat(dir_fd, IDENTITY_KEY_FILE, 0);
        errno = saved_errno;
    }
    return err;
}

int identity_publish(struct identity_draft *draft)
{
    int err = publish(draft->dir_fd, draft->name);

    close_draft(draft, err != 0);
    return err;
}

void identity_discard(struct identity_draft *draft)
{
    int saved_errno = errno;

    unlinkat(draft->dir_fd, draft->name, 0);
    close_draft(draft, true);
    errno = saved_errno;
}

int identity_save(const struct identity *me, const char *dir)
{
    struct identity_draft draft;
    int err = identity_draft(me, dir, &draft);

    return err ? err : identity_publish(&draft);
}
