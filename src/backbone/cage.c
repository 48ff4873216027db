/* SPDX-License-Identifier: Apache-2.0 */
/* The backbone's table: HTTP on a socket that listens, STUN on another, and SQLite in the data directory, or a shared store.
 * Only for the latter it makes sockets. It needs no capability. */

#include "backbone/cage.h"

#include "base/log.h"
#include "net/landlock.h"
#include "net/sandbox.h"
#include "net/syscall_filter.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static const struct syscall_rule calls[] = {
    /* SQLite */
    {"pwrite64"},
    {"fsync"},
    {"fdatasync"},
    {"ftruncate"},
    {"fallocate"},
    {"fchmod"},
    {"fchown"},
    {"getcwd"},
    {"utimensat"},
    /* libmicrohttpd */
    {"sendfile"},
    {NULL},
};

static const struct syscall_rule store_calls[] = {
    {"socket", 1, {SYSCALL_INT(0, AF_INET)}},
    {"socket", 1, {SYSCALL_INT(0, AF_INET6)}},
    {"socket", 1, {SYSCALL_INT(0, AF_UNIX)}},
    {"connect"},
    {NULL},
};

int cage_enter(const char *data_dir, bool connects)
{
    const struct landlock_path paths[] = {{data_dir, LANDLOCK_MANAGE},
                                          {"/sys/devices/system/cpu", LANDLOCK_READ},
                                          {"/dev/urandom", LANDLOCK_READ},
                                          {"/usr", LANDLOCK_READ},
                                          {"/lib", LANDLOCK_READ},
                                          {connects ? "/etc/ssl" : NULL, LANDLOCK_READ},
                                          {NULL, LANDLOCK_READ}};
    const struct sandbox_config config = {
        .keep = 0, .paths = paths, .calls = {calls, connects ? store_calls : NULL}};
    struct sandbox held;
    const char *failed;
    int err = sandbox_enter(&config, &held, &failed);
    if (err)
        log_error("cannot enter the sandbox: %s: %s; -sandbox=off runs without it", failed, strerror(errno));
    else if (!held.landlock)
        log_warn("this kernel has no Landlock (Linux 5.13 and later can have it): the server may open every "
                 "file that its user may");
    return err;
}
