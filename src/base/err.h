/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The one error space: functions that can fail return 0 or one of these, and callers must check. */

enum err {
    ERR_NOMEM = -1,        /* out of memory */
    ERR_ARGUMENT = -2,     /* malformed text or value from a person */
    ERR_FORMAT = -3,       /* malformed bytes from a file or the network */
    ERR_SPACE = -4,        /* the output buffer or a bounded table is full */
    ERR_CRYPTO = -5,       /* a primitive failed, a signature or tag did not verify */
    ERR_NOT_FOUND = -6,    /* no such file, device, peer or record */
    ERR_EXISTS = -7,       /* it is there already */
    ERR_PERMISSION = -8,   /* the system or a policy refuses */
    ERR_BUSY = -9,         /* another process or peer holds it */
    ERR_IO = -10,          /* a system call failed; errno tells why */
    ERR_UNSUPPORTED = -11, /* this kernel or library lacks it */
    ERR_AGAIN = -12,       /* nothing to do now, try later */
    ERR_CLOSED = -13,      /* the other side closed */
    ERR_EXPOSED = -14,     /* a secret file that others can read */
    ERR_MISMATCH = -15,    /* a key does not hash to the id that was asked for */
    ERR_FOREIGN = -16,     /* a secret file of another user */
    ERR_SYMLINK = -17,     /* a symbolic link where a file must be */
    ERR_FOLDER = -18,      /* a folder in which others can replace files */
};

/* The kind of an errno value; ERR_IO for one that has none of its own here. */
int err_from_errno(int number);

/* A short English phrase for err, for log lines; never NULL. */
const char *err_str(int err);

#define must_check __attribute__((warn_unused_result))
