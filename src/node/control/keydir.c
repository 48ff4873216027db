/* SPDX-License-Identifier: Apache-2.0 */
/* One line for whatever is wrong with the key file or its folder (crypto/keyfile.c judges). Main thread. */

#include "node/control/keydir.h"

#include "base/log.h"
#include "crypto/identity.h"
#include "crypto/keyfile.h"
#include "crypto/library.h"
#include "node/control/key_draft.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ELSE "or name another -keydir"

static const char *reason(int err)
{
    return err == ERR_IO || err == ERR_PERMISSION ? strerror(errno) : err_str(err);
}

static void tell_owner(const char *dir)
{
    char path[4096];
    struct stat st = {0};
    snprintf(path, sizeof(path), "%s/%s", dir, IDENTITY_KEY_FILE);
    (void)lstat(path, &st);
    log_error("the key file %s belongs to user %u, who may know it: chown %u it if you trust it, " ELSE, path,
              st.st_uid, geteuid());
}

static void tell_folder(const char *dir)
{
    struct stat st = {0};
    (void)stat(dir, &st);
    log_error(
        "others can put a key of theirs into %s (owner %u, mode %04o): chown %u and chmod go-w it, " ELSE,
        dir, st.st_uid, st.st_mode & 07777, geteuid());
}

static void tell(int err, const char *dir)
{
    if (err == ERR_EXPOSED)
        log_error("the key file %s/%s can be read by others: chmod 600 it, or make a new one", dir,
                  IDENTITY_KEY_FILE);
    else if (err == ERR_FOREIGN)
        tell_owner(dir);
    else if (err == ERR_FOLDER)
        tell_folder(dir);
    else if (err == ERR_SYMLINK)
        log_error("the key file %s/%s is a symbolic link: put the file itself there, " ELSE, dir,
                  IDENTITY_KEY_FILE);
    else if (err == ERR_FORMAT)
        log_error("%s/%s holds no ML-DSA-87 private key in PEM: move the file away, " ELSE, dir,
                  IDENTITY_KEY_FILE);
    else
        log_error("cannot read the key file %s/%s: %s", dir, IDENTITY_KEY_FILE, reason(err));
}

/* The folder as seen from anywhere. */
static const char *whole_path(const char *dir, char out[PATH_MAX])
{
    return realpath(dir, out) ? out : dir;
}

bool keydir_say_id(const struct identity *identity)
{
    char hex[ID_TEXT_MAX];
    id_format(identity_id(identity), hex);
    if (printf("Peer ID: %s\n", hex) > 0 && fflush(stdout) == 0)
        return true;
    log_error("the peer id %s cannot be written to the standard output: %s", hex, strerror(errno));
    return false;
}

int keydir_load(const char *dir, struct identity **out, bool *made)
{
    char path[PATH_MAX];
    int err = library_start();
    if (!err)
        err = identity_load(dir, out);
    *made = err == ERR_NOT_FOUND;
    if (*made)
        err = identity_generate(out);
    else if (!err)
        log_info("this node's key is in %s", whole_path(dir, path));
    if (err)
        tell(err, dir);
    return err;
}

static int tell_kept(int err, const char *dir)
{
    char path[PATH_MAX];
    if (!err)
        log_info(
            "no key was in %s: made a new one there, and with it a new id; -keydir DIR takes an older one",
            whole_path(dir, path));
    else if (err == ERR_FOLDER)
        tell_folder(dir);
    else
        log_error("cannot write the key file %s/%s: %s", dir, IDENTITY_KEY_FILE, reason(err));
    return err;
}

int keydir_keep(const struct identity *identity, const char *dir)
{
    return tell_kept(identity_save(identity, dir), dir);
}

int keydir_draft(const struct identity *identity, const char *dir, struct key_draft *out)
{
    int err = key_draft_new(identity, dir, out);
    if (err == ERR_AGAIN)
        log_error("cannot start the process that keeps the key: %s", strerror(errno));
    else if (err)
        tell_kept(err, dir);
    return err;
}

int keydir_keep_draft(struct key_draft *draft, const char *dir)
{
    return tell_kept(key_draft_keep(draft), dir);
}
