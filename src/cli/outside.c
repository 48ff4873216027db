/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return fsync(fd) == 0;
}

/* Its name, too, is on disk; not every file system can tell. */
static void sync_folder(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

int outside_write(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return err_from_errno(errno);
    int err = write_all(fd, data, len) ? 0 : err_from_errno(errno), saved = errno;
    close(fd);
    if (err)
        unlink(path);
    else
        sync_folder(path);
    errno = saved;
    return err;
}

static int read_all(int fd, char *out, size_t cap, size_t *len)
{
    ssize_t n = 1;
    *len = 0;
    while (n > 0 && *len < cap) {
        n = read(fd, out + *len, cap - *len);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n < 0)
            return err_from_errno(errno);
        else
            *len += (size_t)n;
    }
    return *len < cap ? 0 : ERR_FORMAT;
}

/* Takes fd. */
static int read_file(int fd, void *out, size_t cap, size_t *len, struct stat *st)
{
    *st = (struct stat){0};
    if (fd < 0)
        return err_from_errno(errno);
    int err = fstat(fd, st) == 0 ? 0 : err_from_errno(errno);
    if (!err && !S_ISREG(st->st_mode))
        err = ERR_FORMAT;
    if (!err)
        err = read_all(fd, out, cap, len);
    int saved = errno;
    close(fd);
    errno = saved;
    return err;
}

int outside_read(const char *path, void *out, size_t cap, size_t *len, bool *shown)
{
    struct stat st;
    int err = read_file(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), out, cap, len, &st);
    *shown = (st.st_mode & (S_IRWXG | S_IRWXO)) != 0;
    return err;
}

int outside_read_in(int dir_fd, const char *name, void *out, size_t cap, size_t *len)
{
    struct stat st;
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int err = read_file(fd, out, cap, len, &st);
    return !err && st.st_nlink != 1 ? ERR_SYMLINK : err;
}
