/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: whatever stands in one, a reader gets text of one line, or one line tells what is wrong. */

#include "base/flags_file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void check(bool ok)
{
    if (!ok)
        abort();
}

static const char *read_any(void *context, const char *text)
{
    (void)context;
    check(strlen(text) <= FLAGS_FILE_LINE_MAX && !strchr(text, '\n'));
    return strchr(text, '!') ? "no \"!\" is taken" : NULL;
}

static const struct flag rows[] = {
    {"a", "TEXT", "anything", read_any, 0},
    {"quiet", NULL, "a switch", read_any, 0},
    {"hidden", NULL, NULL, read_any, 0},
};
static const struct flags flags = {.program = "fuzz", .rows = rows, .count = sizeof(rows) / sizeof(*rows)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[32];
    int fd = memfd_create("configuration", MFD_CLOEXEC);
    check(fd >= 0 && fchmod(fd, 0600) == 0);
    check(write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    const char *wrong = flags_file_read(&flags, path, NULL);
    check(!wrong || strncmp(wrong, "line ", 5) == 0);
    close(fd);
    return 0;
}
