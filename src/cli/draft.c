/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/draft.h"

#include "base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX   8 /* folders in folders */
#define PARENT_MODE 0755
#define FRESH       ".%s.new"

/* Every missing folder on the way, and path itself. */
static int make_parents(const char *path)
{
    char part[PATH_MAX];
    for (const char *at = path; *at;) {
        at += strspn(at, "/");
        at += strcspn(at, "/");
        if (snprintf(part, sizeof(part), "%.*s", (int)(at - path), path) >= (int)sizeof(part))
            return ERR_SPACE;
        if (mkdir(part, PARENT_MODE) != 0 && errno != EEXIST)
            return err_from_errno(errno);
    }
    return 0;
}

static int remove_in(int parent, const char *name, unsigned depth);

/* Takes fd. */
static int empty(int fd, unsigned depth)
{
    DIR *dir = fdopendir(fd);
    int err = 0;
    if (!dir) {
        close(fd);
        return ERR_IO;
    }
    for (struct dirent *entry; !err && (entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            err = remove_in(dirfd(dir), entry->d_name, depth + 1);
    closedir(dir);
    return err;
}

/* By descriptors: who may write into the folder cannot lead us elsewhere meanwhile. */
static int remove_in(int parent, const char *name, unsigned depth)
{
    if (depth > DEPTH_MAX)
        return ERR_SPACE;
    if (unlinkat(parent, name, 0) == 0)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_from_errno(errno);
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    int err = empty(fd, depth);
    if (!err && unlinkat(parent, name, AT_REMOVEDIR) != 0)
        err = err_from_errno(errno);
    return err;
}

int draft_remove(const char *parent, const char *name)
{
    int fd, err = folder_open(parent, &fd);
    if (err)
        return err;
    err = remove_in(fd, name, 0);
    int saved = errno;
    if (!err)
        fsync(fd);
    close(fd);
    errno = saved;
    return err;
}

static int lock(int fd)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    return errno == EWOULDBLOCK ? ERR_BUSY : err_from_errno(errno);
}

/* What a killed one left goes first: we have the lock. */
static int make_fresh(struct draft *d, const char *fresh, mode_t mode)
{
    if (faccessat(d->parent, d->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return ERR_EXISTS;
    int err = remove_in(d->parent, fresh, 0);
    if (err && err != ERR_NOT_FOUND)
        return err;
    if (mkdirat(d->parent, fresh, mode) != 0)
        return err_from_errno(errno);
    d->fd = openat(d->parent, fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return d->fd >= 0 && fchmod(d->fd, mode) == 0 ? 0 : err_from_errno(errno);
}

static void fresh_name(const struct draft *d, char out[NAME_MAX + 8])
{
    snprintf(out, NAME_MAX + 8, FRESH, d->name);
}

static void end(struct draft *d)
{
    int saved = errno;
    if (d->fd >= 0)
        close(d->fd);
    if (d->parent >= 0)
        close(d->parent);
    d->fd = d->parent = -1;
    errno = saved;
}

int draft_begin(const char *parent, const char *name, mode_t mode, struct draft *out)
{
    char fresh[NAME_MAX + 8];
    *out = (struct draft){.parent = -1, .fd = -1};
    snprintf(out->name, sizeof(out->name), "%s", name);
    fresh_name(out, fresh);
    if (snprintf(out->path, sizeof(out->path), "%s/%s", parent, fresh) >= (int)sizeof(out->path))
        return ERR_SPACE;
    int err = make_parents(parent);
    if (!err)
        err = folder_open(parent, &out->parent);
    if (!err)
        err = lock(out->parent);
    if (!err)
        err = make_fresh(out, fresh, mode);
    if (err)
        end(out);
    return err;
}

int draft_publish(struct draft *d)
{
    char fresh[NAME_MAX + 8];
    fresh_name(d, fresh);
    bool done = fsync(d->fd) == 0 && renameat2(d->parent, fresh, d->parent, d->name, RENAME_NOREPLACE) == 0 &&
                fsync(d->parent) == 0;
    int err = done ? 0 : err_from_errno(errno);
    if (err)
        draft_discard(d);
    else
        end(d);
    return err;
}

void draft_discard(struct draft *d)
{
    char fresh[NAME_MAX + 8];
    int saved = errno;
    if (d->parent >= 0) {
        fresh_name(d, fresh);
        (void)!remove_in(d->parent, fresh, 0);
    }
    errno = saved;
    end(d);
}
