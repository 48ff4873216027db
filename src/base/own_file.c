/* SPDX-License-Identifier: Apache-2.0 */
#include "base/own_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *judge(int fd, enum own_file kind)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return strerror(errno);
    if (!S_ISREG(st.st_mode))
        return "it is no file";
    if (kind == OWN_FILE_PRIVATE && st.st_mode & (S_IRWXG | S_IRWXO))
        return "others can read it: chmod 600";
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return "others can write it: chmod go-w";
    return st.st_uid == geteuid() || st.st_uid == 0 ? NULL : "it is another user's";
}

int own_file_open(const char *path, enum own_file kind, const char **wrong)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *wrong = judge(fd, kind);
    if (*wrong && fd >= 0)
        close(fd);
    return *wrong ? -1 : fd;
}
