/* SPDX-License-Identifier: Apache-2.0 */
/* The C library has no functions for Landlock, and the headers of some distributions know its first versions only:
 * numbers and layout are those of linux/landlock.h. */

#include "net/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NEWEST 6 /* the last ABI that adds a right of ours */

#define FS_ALL_1     ((1ull << 13) - 1)      /* EXECUTE to MAKE_SYM */
#define FS_REFER     (1ull << 13)            /* ABI 2 */
#define FS_TRUNCATE  (1ull << 14)            /* ABI 3 */
#define FS_IOCTL_DEV (1ull << 15)            /* ABI 5 */
#define NET_BIND_TCP (1ull << 0)             /* ABI 4 */
#define SCOPES       (1ull << 0 | 1ull << 1) /* ABI 6: abstract sockets, signals */

/* What a rule about a file may name; the others are about folders. */
#define FS_OF_FILES (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)

struct ruleset {
    uint64_t handled_fs, handled_net, scoped;
};

static struct ruleset ruleset_of(int version)
{
    return (struct ruleset){.handled_fs = FS_ALL_1 | (version >= 2 ? FS_REFER : 0) |
                                          (version >= 3 ? FS_TRUNCATE : 0) |
                                          (version >= 5 ? FS_IOCTL_DEV : 0),
                            .handled_net = version >= 4 ? NET_BIND_TCP : 0,
                            .scoped = version >= 6 ? SCOPES : 0};
}

/* An older kernel takes what it knows of the structure. */
static size_t size_of_ruleset(int version)
{
    return version >= 6   ? sizeof(struct ruleset)
           : version >= 4 ? offsetof(struct ruleset, scoped)
                          : offsetof(struct ruleset, handled_net);
}

static uint64_t rights_of(enum landlock_access access)
{
    uint64_t rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    switch (access) {
    case LANDLOCK_MANAGE:
        rights |= LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | FS_TRUNCATE;
        /* fall through */
    case LANDLOCK_CHANGE:
        rights |= LANDLOCK_ACCESS_FS_WRITE_FILE;
        /* fall through */
    case LANDLOCK_READ:
        break;
    }
    return rights;
}

/* The descriptor stays open for the life of the process: an entry of /proc that falls out of the kernel's
 * cache comes back as another inode, which the rule would not be about. */
static int allow(int ruleset, const struct ruleset *r, const struct landlock_path *p)
{
    struct stat st;
    int fd = open(p->path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : ERR_IO;
    if (fstat(fd, &st) != 0)
        return ERR_IO;
    uint64_t possible = S_ISDIR(st.st_mode) ? r->handled_fs : FS_OF_FILES & r->handled_fs;
    struct landlock_path_beneath_attr rule = {.allowed_access = rights_of(p->access) & possible,
                                              .parent_fd = fd};
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0 ? 0 : ERR_IO;
}

int landlock_restrict(const struct landlock_path *paths, int *version)
{
    /* Refused: not built in, not switched on, or hidden by a container's filter. */
    long newest = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    *version = newest < 1 ? 0 : newest < NEWEST ? (int)newest : NEWEST;
    if (*version == 0)
        return 0;
    const struct ruleset r = ruleset_of(*version);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &r, size_of_ruleset(*version), 0);
    if (ruleset < 0)
        return ERR_IO;
    int err = 0;
    for (; !err && paths->path; paths++)
        err = allow(ruleset, &r, paths);
    if (!err && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        err = ERR_IO;
    int saved = errno;
    close(ruleset);
    errno = saved;
    return err;
}
