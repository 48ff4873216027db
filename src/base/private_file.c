/* SPDX-License-Identifier: Apache-2.0 */
#include "base/private_file.h"

#include "base/own_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

const char *private_file_read_line(const char *path, char *text, size_t size)
{
    const char *wrong;
    int fd = own_file_open(path, OWN_FILE_PRIVATE, &wrong);
    ssize_t len = wrong ? 0 : read(fd, text, size - 1);
    if (len < 0)
        wrong = strerror(errno);
    if (fd >= 0)
        close(fd);
    text[len > 0 ? len : 0] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    return wrong;
}
