/* SPDX-License-Identifier: Apache-2.0 */
/* A file is bound over others, and unlinked: its contents stay as long as somebody sees them. */
#include "cli/inside_names.h"

#include "base/addr.h"
#include "cli/nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define RESOLV_CONF "/etc/resolv.conf"
#define SERVERS_MAX 3 /* that resolv.conf(5) takes */

/* Where the C library reaches who else looks names up: it goes on by itself where nobody answers. */
static const char *const services[] = {"/run/systemd/resolve/io.systemd.Resolve", "/run/nscd/socket",
                                       "/var/run/nscd/socket"};

bool inside_names_text(const json_t *node, char out[INSIDE_NAMES_MAX])
{
    const json_t *network = json_object_get(node, "network");
    unsigned servers = 0;
    size_t index, len = 0;
    json_t *entry;
    if (!json_is_object(json_object_get(network, "names")))
        return false;
    json_array_foreach(json_object_get(node, "addresses"), index, entry)
    {
        char host[ADDR_TEXT_MAX];
        struct addr address;
        const char *prefix = json_is_string(entry) ? json_string_value(entry) : "";
        snprintf(host, sizeof(host), "%.*s", (int)strcspn(prefix, "/"), prefix);
        if (addr_parse(host, 0, &address) == 0 && servers++ < SERVERS_MAX)
            len += (size_t)snprintf(out + len, INSIDE_NAMES_MAX - len, "nameserver %s\n", host);
    }
    if (len == 0)
        return false;
    snprintf(out + len, INSIDE_NAMES_MAX - len, "search %.63s.internal\noptions timeout:2\n",
             nodes_text(network, "name"));
    return true;
}

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return ok;
}

/* What is not there hides nothing. */
static bool bind_over(const char *file)
{
    for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++)
        if (mount(file, services[i], NULL, MS_BIND, NULL) != 0 && errno != ENOENT && errno != ENOTDIR)
            return false;
    return mount(file, RESOLV_CONF, NULL, MS_BIND, NULL) == 0;
}

bool inside_names_mount(const char *folder, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%.4000s/resolv-%d", folder, (int)getpid());
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) != 0 ||
        !write_file(path, text))
        return false;
    bool ok = bind_over(path);
    int saved = errno;
    unlink(path);
    errno = saved;
    return ok;
}
