/* SPDX-License-Identifier: Apache-2.0 */
/* A persistent TAP outlives the node that attached to it, and with SIGKILL so does what was changed about it.
 * So before each change the record RUN/<id>.undo tells what was before; a clean end removes it, and a start
 * that finds one puts the device back first. It need not be on disk: what it tells of goes with the machine's
 * memory, too. A device that we created needs none. Control thread. */

#include "node/device/device_undo.h"

#include "base/log.h"
#include "node/device/device_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the file ---- */

static void boot_id(char *out, size_t size)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static void here(char place[UNDO_PLACE_MAX])
{
    char boot[48];
    struct stat netns = {0};
    boot_id(boot, sizeof(boot));
    (void)!stat("/proc/thread-self/ns/net", &netns);
    snprintf(place, UNDO_PLACE_MAX, "%s/%llu", boot, (unsigned long long)netns.st_ino);
}

static void forget(struct device *d)
{
    if (d->run_dir >= 0)
        (void)unlinkat(d->run_dir, d->undo_name, 0);
}

/* Somebody else's word is not taken for ours, where the folder can be written by others. */
static bool is_ours(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
           !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static int load(const struct device *d, struct undo *out)
{
    char text[UNDO_TEXT_MAX];
    int fd = d->run_dir < 0
                 ? -1
                 : openat(d->run_dir, d->undo_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return d->run_dir < 0 || errno == ENOENT ? ERR_NOT_FOUND : errno == ELOOP ? ERR_FORMAT : ERR_IO;
    ssize_t n = is_ours(fd) ? read(fd, text, sizeof(text)) : 0;
    int saved = errno;
    close(fd);
    errno = saved;
    return n < 0 ? ERR_IO : undo_decode(text, (size_t)n, out);
}

static bool write_whole(int fd, const char *text, size_t len)
{
    ssize_t n = write(fd, text, len);
    if (n >= 0 && (size_t)n < len)
        errno = ENOSPC;
    return n == (ssize_t)len;
}

/* Under another name first: a start never sees half a record. */
static bool store(const struct device *d)
{
    char text[UNDO_TEXT_MAX], temporary[sizeof(d->undo_name) + 8];
    size_t len = undo_encode(&d->undo, text);
    snprintf(temporary, sizeof(temporary), ".%s.new", d->undo_name);
    (void)unlinkat(d->run_dir, temporary, 0);
    int fd = openat(d->run_dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool ok = write_whole(fd, text, len);
    int saved = errno;
    close(fd);
    errno = saved;
    ok = ok && renameat(d->run_dir, temporary, d->run_dir, d->undo_name) == 0;
    if (ok)
        return true;
    saved = errno;
    (void)unlinkat(d->run_dir, temporary, 0);
    errno = saved;
    return false;
}

/* ---- writing it ---- */

void device_undo_init(struct device *d, const struct config *config, const struct node_id *id)
{
    char hex[ID_TEXT_MAX];
    snprintf(d->undo_name, sizeof(d->undo_name), "%s.undo", id_format(id, hex));
    snprintf(d->run_dir_name, sizeof(d->run_dir_name), "%s", config->run_dir);
    d->run_dir = open(config->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->run_dir < 0)
        d->run_dir = -errno;
}

static bool is_changed(const struct undo *u)
{
    for (unsigned i = 0; i < UNDO_SETTINGS; i++)
        if (u->before[i][0])
            return true;
    return u->down;
}

void device_undo_sync(struct device *d)
{
    if (!d->tap.attached)
        return;
    if (!is_changed(&d->undo)) {
        forget(d);
        return;
    }
    here(d->undo.place);
    snprintf(d->undo.device, sizeof(d->undo.device), "%s", d->tap.name);
    d->undo.index = d->tap.ifindex;
    if ((d->run_dir >= 0 && store(d)) || d->undo_warned)
        return;
    d->undo_warned = true;
    log_warn(
        "what %s was like cannot be remembered in %s (%s): should the node be killed, nobody puts it back; "
        "-run DIR takes another folder",
        d->tap.name, d->run_dir_name, strerror(d->run_dir < 0 ? -d->run_dir : errno));
}

/* ---- putting a device back ---- */

/* Only where our value still stands: what somebody set since is theirs. */
static void restore_settings(const struct undo *u)
{
    char now[UNDO_VALUE_MAX];
    for (unsigned i = 0; i < UNDO_SETTINGS; i++) {
        const struct undo_setting *s = &undo_settings[i];
        if (!u->before[i][0] || rtnl_sysctl_get("ipv4", u->device, s->key, now, sizeof(now)) ||
            strcmp(now, s->value) != 0)
            continue;
        if (rtnl_sysctl_set("ipv4", u->device, s->key, u->before[i]))
            log_warn("%s: cannot put %s back to %s: %s", u->device, s->key, u->before[i], strerror(errno));
    }
}

/* Routes: those with our own protocol number (RTNL_PROTOCOL) through it, which no one else's bear. */
static void restore(struct device *d, const struct undo *u)
{
    const struct rtnl_link_change down = {.down = true};
    restore_settings(u);
    if (rtnl_routes_flush(d->rtnl, u->index) < 0)
        log_warn("%s: cannot remove the host routes of a run that was killed", u->device);
    if (u->down && rtnl_link_set(d->rtnl, u->index, &down))
        log_warn("%s: cannot take it down again: %s", u->device, strerror(errno));
    log_info("%s: put back as it was before a run that was killed", u->device);
}

/* The device that the record tells of, if it is still there. */
static bool find(struct device *d, const struct undo *u, struct rtnl_link *out)
{
    char place[UNDO_PLACE_MAX];
    here(place);
    return !strcmp(place, u->place) && !rtnl_link_find(d->rtnl, u->device, out) && out->index == u->index;
}

void device_undo_heal(struct device *d)
{
    struct rtnl_link link;
    struct undo u;
    int err = load(d, &u);
    if (err == ERR_NOT_FOUND)
        return;
    if (err == ERR_IO) {
        log_warn("cannot read %s/%s: %s", d->run_dir_name, d->undo_name, strerror(errno));
        return;
    }
    if (err) {
        log_warn("%s/%s is damaged or not ours: it is removed, and nothing is put back", d->run_dir_name,
                 d->undo_name);
    } else if (find(d, &u, &link)) {
        if (link.carrier) {
            log_warn("%s is as a killed run left it, and another process holds it now: it is put back at a "
                     "start that finds it free",
                     u.device);
            return;
        }
        restore(d, &u);
    }
    forget(d);
}
