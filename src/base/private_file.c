/* SPDX-License-Identifier: Apache-2.0 */
/* Never waits: a pipe is no file. */

#include "base/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *judge(int fd)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return strerror(errno);
    if (!S_ISREG(st.st_mode))
        return "it is no file";
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return "others can read it: chmod 600";
    return st.st_uid == geteuid() || st.st_uid == 0 ? NULL : "it is another user's";
}

const char *private_file_read_line(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const char *wrong = judge(fd);
    ssize_t len = wrong ? 0 : read(fd, text, size - 1);
    if (len < 0)
        wrong = strerror(errno);
    if (fd >= 0)
        close(fd);
    text[len > 0 ? len : 0] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    return wrong;
}
