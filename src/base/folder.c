/* SPDX-License-Identifier: Apache-2.0 */
#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_ours(const struct stat *st)
{
    return st->st_uid == geteuid() || st->st_uid == 0;
}

/* Who else may put a file into the folder could choose what we read. In a sticky one nobody removes ours. */
static int check_dir(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return ERR_IO;
    bool others = st.st_mode & (S_IWGRP | S_IWOTH) && !(st.st_mode & S_ISVTX);
    return is_ours(&st) && !others ? 0 : ERR_FOLDER;
}

int folder_open(const char *dir, int *out)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = fd < 0 ? err_from_errno(errno) : check_dir(fd);
    if (err && fd >= 0)
        close(fd);
    if (!err)
        *out = fd;
    return err;
}

static int check_file(int fd, enum own_file kind)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return ERR_IO;
    if (!S_ISREG(st.st_mode))
        return ERR_FORMAT;
    if (!is_ours(&st))
        return ERR_FOREIGN;
    if (kind == OWN_FILE_PRIVATE && st.st_mode & (S_IRWXG | S_IRWXO))
        return ERR_EXPOSED;
    return st.st_mode & (S_IWGRP | S_IWOTH) ? ERR_FOREIGN : 0;
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

/* It is judged before a byte of it is used. */
int folder_read(int dir_fd, const char *name, enum own_file kind, uint8_t *out, size_t cap, size_t *len)
{
    *len = 0;
    /* O_NONBLOCK: a FIFO of that name must not stall the start. */
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    int err = fd < 0 ? err_from_errno(errno) : check_file(fd, kind);
    if (!err)
        err = read_all(fd, out, cap, len);
    int saved_errno = errno;
    if (fd >= 0)
        close(fd);
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

/* The umask does not count for a file that others are to read. */
static int fill(int fd, enum own_file kind, const void *data, size_t len)
{
    if (kind == OWN_FILE_SHOWN && fchmod(fd, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH) != 0)
        return err_from_errno(errno);
    return write_all(fd, data, len);
}

int folder_write(int dir_fd, const char *name, enum own_file kind, const void *data, size_t len)
{
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return err_from_errno(errno);
    int err = fill(fd, kind, data, len), saved_errno = errno;
    if (close(fd) != 0 && !err) { /* NFS tells a full disk only here */
        saved_errno = errno;
        err = err_from_errno(errno);
    }
    if (err)
        unlinkat(dir_fd, name, 0);
    errno = saved_errno;
    return err;
}

static int publish(int dir_fd, const char *temporary, const char *name)
{
    if (renameat(dir_fd, temporary, dir_fd, name) == 0)
        return fsync(dir_fd) == 0 ? 0 : err_from_errno(errno);
    int err = err_from_errno(errno), saved_errno = errno;
    unlinkat(dir_fd, temporary, 0);
    errno = saved_errno;
    return err;
}

int folder_replace(int dir_fd, const char *name, enum own_file kind, const void *data, size_t len)
{
    char temporary[FOLDER_NAME_MAX + 8];
    int n = snprintf(temporary, sizeof(temporary), ".%s.new", name);
    if (n < 0 || (size_t)n >= sizeof(temporary))
        return ERR_SPACE;
    unlinkat(dir_fd, temporary, 0); /* of a process that was killed */
    int err = folder_write(dir_fd, temporary, kind, data, len);
    return err ? err : publish(dir_fd, temporary, name);
}
