/* SPDX-License-Identifier: Apache-2.0 */
/* Per-device settings under /proc/sys/net. Control thread. */

#include "net/rtnl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int sysctl_open(const char *family, const char *device, const char *key, int flags, int *fd)
{
    char path[192];
    if (strchr(family, '/') || strchr(device, '/') || strchr(key, '/') || device[0] == '\0')
        return ERR_ARGUMENT;
    int n = snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, device, key);
    if (n < 0 || (size_t)n >= sizeof(path))
        return ERR_ARGUMENT;
    *fd = open(path, flags | O_CLOEXEC);
    return *fd >= 0 ? 0 : err_from_errno(errno);
}

int rtnl_sysctl_get(const char *family, const char *device, const char *key, char *out, size_t size)
{
    int fd, err = sysctl_open(family, device, key, O_RDONLY, &fd);
    if (err)
        return err;
    ssize_t n = read(fd, out, size);
    close(fd);
    if (n < 0)
        return ERR_IO;
    if ((size_t)n >= size)
        return ERR_SPACE;
    out[n] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return 0;
}

int rtnl_sysctl_set(const char *family, const char *device, const char *key, const char *value)
{
    int fd, err = sysctl_open(family, device, key, O_WRONLY, &fd);
    if (err)
        return err;
    ssize_t n = write(fd, value, strlen(value));
    int saved = errno;
    close(fd);
    errno = saved;
    return n < 0 ? ERR_IO : 0;
}
