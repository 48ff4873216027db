/* SPDX-License-Identifier: Apache-2.0 */
/* An identity's private key, PKCS#8 PEM (RFC 9881), as `openssl pkey` reads it. It comes into being whole or not at
 * all, and never replaces another. Control thread. */

#include "crypto/keyfile.h"

#include "base/folder.h"
#include "base/vault.h"
#include "crypto/key_pem.h"
#include "crypto/secret.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMP_NAME ".%s.%08x"

static_assert(sizeof(TEMP_NAME IDENTITY_KEY_FILE) + 8 <= IDENTITY_DRAFT_MAX, "a draft has a name");

int identity_load_as(const char *dir, const char *name, struct identity **out)
{
    char *pem;
    size_t len = 0;
    int fd, saved_errno, err = folder_open(dir, &fd);

    if (err)
        return err;
    pem = vault_alloc(KEY_PEM_MAX);
    err = pem ? folder_read(fd, name, OWN_FILE_PRIVATE, (uint8_t *)pem, KEY_PEM_MAX, &len) : ERR_NOMEM;
    saved_errno = errno;
    close(fd);
    if (!err)
        err = key_pem_decode(pem, len, NULL, out);
    vault_free(pem);
    errno = saved_errno;
    return err;
}

int identity_load(const char *dir, struct identity **out)
{
    return identity_load_as(dir, IDENTITY_KEY_FILE, out);
}

/* Opens dir, making it first when missing; a new directory's entry is on disk before any key is. */
static int open_or_make_dir(const char *dir, bool *made, int *out)
{
    int parent, err;

    *made = mkdir(dir, S_IRWXU) == 0;
    if (!*made && errno != EEXIST)
        return err_from_errno(errno);
    err = folder_open(dir, out);
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

static int draft_pem(const char *dir, const char *key, const char *pem, size_t len,
                     struct identity_draft *out)
{
    unsigned number;
    int err;

    *out = (struct identity_draft){.dir = dir, .key = key, .dir_fd = -1};
    err = open_or_make_dir(dir, &out->made_dir, &out->dir_fd);
    if (err)
        return err;
    secret_random(&number, sizeof(number));
    snprintf(out->name, sizeof(out->name), TEMP_NAME, key, number);
    if (faccessat(out->dir_fd, key, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        err = ERR_EXISTS;
    else
        err = folder_write(out->dir_fd, out->name, OWN_FILE_PRIVATE, pem, len);
    if (err)
        close_draft(out, true);
    return err;
}

static int draft_as(const struct identity *me, const char *dir, const char *key, struct identity_draft *out)
{
    char *pem = vault_alloc(KEY_PEM_MAX);
    size_t len;
    int saved_errno, err = pem ? key_pem_encode(me, NULL, pem, &len) : ERR_NOMEM;

    if (!err)
        err = draft_pem(dir, key, pem, len, out);
    saved_errno = errno;
    vault_free(pem);
    errno = saved_errno;
    return err;
}

int identity_draft(const struct identity *me, const char *dir, struct identity_draft *out)
{
    return draft_as(me, dir, IDENTITY_KEY_FILE, out);
}

/* link(2), not rename(2): it fails when the name is taken, so no key is ever lost to a race. */
static int publish(int dir_fd, const char *temp, const char *key)
{
    int err = linkat(dir_fd, temp, dir_fd, key, 0) == 0 ? 0 : err_from_errno(errno);
    int saved_errno = errno;

    unlinkat(dir_fd, temp, 0);
    errno = saved_errno;
    if (!err && fsync(dir_fd) != 0) {
        err = err_from_errno(errno);
        saved_errno = errno;
        unlinkat(dir_fd, key, 0);
        errno = saved_errno;
    }
    return err;
}

int identity_publish(struct identity_draft *draft)
{
    int err = publish(draft->dir_fd, draft->name, draft->key);

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

int identity_save_as(const struct identity *me, const char *dir, const char *name)
{
    struct identity_draft draft;
    int err = draft_as(me, dir, name, &draft);

    return err ? err : identity_publish(&draft);
}

int identity_save(const struct identity *me, const char *dir)
{
    return identity_save_as(me, dir, IDENTITY_KEY_FILE);
}
