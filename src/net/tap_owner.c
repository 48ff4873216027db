/* SPDX-License-Identifier: Apache-2.0 */
/* Which process holds a TAP, as /proc tells. Control thread. */

#include "net/tap_owner.h"

#include "net/tap.h"
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool descriptor_holds(int dir, const char *file, const char *name)
{
    char text[512], line[IFNAMSIZ + 8];
    int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    snprintf(line, sizeof(line), "iff:\t%s\n", name);
    return strstr(text, line) != NULL;
}

static bool process_holds(const char *pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%.16s/fdinfo", pid);
    DIR *d = opendir(path);
    if (!d)
        return false;
    bool holds = false;
    for (struct dirent *e; !holds && (e = readdir(d));)
        if (isdigit((unsigned char)e->d_name[0]))
            holds = descriptor_holds(dirfd(d), e->d_name, name);
    closedir(d);
    return holds;
}

static bool in_our_netns(const char *pid)
{
    struct stat ours, theirs;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%.16s/ns/net", pid);
    if (stat("/proc/thread-self/ns/net", &ours) < 0 || stat(path, &theirs) < 0)
        return false;
    return ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

int tap_find_owner(const char *name, bool any_netns, pid_t *pid)
{
    DIR *d = opendir("/proc");
    if (!d)
        return ERR_NOT_FOUND;
    int err = ERR_NOT_FOUND;
    for (struct dirent *e; err && (e = readdir(d));) {
        if (!isdigit((unsigned char)e->d_name[0]) || in_our_netns(e->d_name) == any_netns)
            continue;
        if (process_holds(e->d_name, name)) {
            *pid = (pid_t)strtol(e->d_name, NULL, 10);
            err = 0;
        }
    }
    closedir(d);
    return err;
}

static void process_name(pid_t pid, char *out, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f || !fgets(out, (int)size, f))
        snprintf(out, size, "?");
    if (f)
        fclose(f);
    out[strcspn(out, "\n")] = '\0';
}

int tap_owner(const char *name, pid_t *pid, char *program, size_t program_size)
{
    if (!name[0]) /* what /proc tells of a descriptor that has no device */
        return ERR_NOT_FOUND;
    int err = tap_find_owner(name, false, pid);
    if (err)
        err = tap_find_owner(name, true, pid);
    if (!err)
        process_name(*pid, program, program_size);
    return err;
}
