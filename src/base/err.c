/* SPDX-License-Identifier: Apache-2.0 */
/* The error space: from errno, and as phrases. Any thread. */

#include "base/err.h"

#include <errno.h>

static const char *phrase(enum err err)
{
    switch (err) {
    case ERR_NOMEM:
        return "out of memory";
    case ERR_ARGUMENT:
        return "invalid value";
    case ERR_FORMAT:
        return "malformed data";
    case ERR_SPACE:
        return "no room left";
    case ERR_CRYPTO:
        return "cryptographic check failed";
    case ERR_NOT_FOUND:
        return "not found";
    case ERR_EXISTS:
        return "exists already";
    case ERR_PERMISSION:
        return "not permitted";
    case ERR_BUSY:
        return "in use by another";
    case ERR_IO:
        return "input/output failed";
    case ERR_UNSUPPORTED:
        return "not supported by this system";
    case ERR_AGAIN:
        return "nothing to do now";
    case ERR_CLOSED:
        return "closed by the other side";
    case ERR_EXPOSED:
        return "secret file readable by others";
    case ERR_MISMATCH:
        return "key does not match the id";
    case ERR_FOREIGN:
        return "secret file of another user";
    case ERR_SYMLINK:
        return "symbolic link instead of a file";
    case ERR_FOLDER:
        return "folder that others can change";
    }
    return "unknown error";
}

const char *err_str(int err)
{
    return err == 0 ? "success" : phrase((enum err)err);
}

int err_from_errno(int number)
{
    switch (number) {
    case EPERM:
    case EACCES:
    case EROFS:
        return ERR_PERMISSION;
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
    case ENXIO:
    case ESRCH:
    case EADDRNOTAVAIL:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EBUSY:
    case EADDRINUSE:
        return ERR_BUSY;
    case ELOOP:
        return ERR_SYMLINK;
    case EAFNOSUPPORT:
        return ERR_UNSUPPORTED;
    case ENOMEM:
        return ERR_NOMEM;
    }
    return ERR_IO;
}
