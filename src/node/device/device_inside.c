/* SPDX-License-Identifier: Apache-2.0 */
/* A device in a network namespace of its own (net/broker.h): the machine's interfaces are numbered apart from it, and tell
 * nothing of it. Sockets that were made in there ask for both. Control thread. */

#include "node/device/device_inside.h"

#include "net/broker.h"
#include "node/device/device_impl.h"
#include <string.h>
#include <sys/epoll.h>

#define READ_MAX 64 /* addresses, the link-local ones among them */

static int watch(int monitors, int fd)
{
    struct epoll_event readable = {.events = EPOLLIN};
    return epoll_ctl(monitors, EPOLL_CTL_ADD, fd, &readable) == 0 ? 0 : ERR_IO;
}

int device_inside_enter(struct device *d, struct broker *b)
{
    struct rtnl *inside;
    int fd = b->rtnl;
    b->rtnl = -1;
    int err = rtnl_open_on(fd, &inside);
    if (err)
        return err;
    d->inside = inside;
    d->inside_monitor = b->monitor;
    b->monitor = -1;
    d->tap = b->tap;
    b->tap.queue_count = 0;
    d->monitors = epoll_create1(EPOLL_CLOEXEC);
    err = d->monitors < 0 ? ERR_IO : watch(d->monitors, d->monitor);
    return err ? err : watch(d->monitors, d->inside_monitor);
}

/* As many as a device has, and a few more. */
static int read_addresses(struct device *d)
{
    struct rtnl_address list[READ_MAX];
    int count = rtnl_addresses(d->inside, list, READ_MAX);
    if (count < 0)
        return count;
    device_take_addresses(d, list, (size_t)(count < READ_MAX ? count : READ_MAX), d->tap.ifindex);
    return 0;
}

int device_inside_read(struct device *d, struct rtnl_link *link, bool *found)
{
    int err = rtnl_link_find(d->inside, d->tap.name, link);
    *found = !err;
    if (err == ERR_NOT_FOUND)
        return 0;
    return err ? err : read_addresses(d);
}
