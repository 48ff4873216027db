/* SPDX-License-Identifier: Apache-2.0 */
#include "node/network/network_files.h"

#include "base/folder.h"
#include "base/log.h"
#include "crypto/certfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static const char *reason(int err)
{
    return err == ERR_IO || err == ERR_PERMISSION ? strerror(errno) : err_str(err);
}

int network_files_open(const char *keydir)
{
    int fd, err = folder_open(keydir, &fd);
    if (err)
        log_error("the folder of the network's files, %s: %s", keydir, reason(err));
    return err ? -1 : fd;
}

static void tell(const char *keydir, const char *name, int err)
{
    if (err == ERR_FOREIGN)
        log_error("%s/%s is another user's, or others can write it: chown and chmod go-w it", keydir, name);
    else if (err == ERR_FORMAT)
        log_error("%s/%s holds no certificate in PEM: `shadowmesh leave` and `join` make new ones", keydir,
                  name);
    else
        log_error("cannot read %s/%s: %s", keydir, name, reason(err));
}

static int read_one(int dir_fd, const char *keydir, const char *name, struct network_der *out)
{
    int err = certfile_read(dir_fd, name, out->bytes, &out->len);
    if (err == ERR_NOT_FOUND)
        return 0;
    if (err)
        tell(keydir, name, err);
    return err;
}

int network_files_read(int dir_fd, const char *keydir, struct network_files *out)
{
    struct stat st;
    int err = read_one(dir_fd, keydir, CERTFILE_CA, &out->ca);
    if (!err)
        err = read_one(dir_fd, keydir, CERTFILE_ISSUER, &out->issuer);
    if (!err)
        err = read_one(dir_fd, keydir, CERTFILE_MEMBER, &out->member);
    if (!err)
        err = read_one(dir_fd, keydir, NETWORK_LAST_ISSUER_FILE, &out->last_issuer);
    out->token = fstatat(dir_fd, NETWORK_TOKEN_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0;
    return err;
}
