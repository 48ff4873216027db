/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How the kernel is asked, and a table of it read, shared by rtnl.c and rtnl_*.c; nobody else includes this. */

#include "net/rtnl.h"
#include <libmnl/libmnl.h>
#include <sys/socket.h>

#define RTNL_REQUEST_LEN 512

union rtnl_request {
    struct nlmsghdr header;
    uint8_t bytes[RTNL_REQUEST_LEN];
};

/* Of an address; SIZE_MAX: no family of IP. */
static inline size_t rtnl_ip_len(int family)
{
    return family == AF_INET ? 4 : family == AF_INET6 ? 16 : SIZE_MAX;
}

/* A request of that type, with room for the table's own header of size extra, which is returned. */
void *rtnl_request_init(union rtnl_request *q, uint16_t type, uint16_t flags, size_t extra);

/* Calls handler with each answer. The flags have NLM_F_ACK or NLM_F_DUMP, which makes the last one recognisable. */
int rtnl_talk(struct rtnl *r, union rtnl_request *q, mnl_cb_t handler, void *context) must_check;

/* A list in the making: the caller's array, and how many entries there are, also beyond it. */
struct rtnl_list {
    void *out;
    size_t cap, count;
    unsigned index; /* of the interface whose routes are meant */
};

/* Calls handler with list for every entry; a table that changes while it is read is read again. extra is the size
 * of the table's own header. Returns list->count, or an error. */
int rtnl_dump(struct rtnl *r, uint16_t type, size_t extra, mnl_cb_t handler,
              struct rtnl_list *list) must_check;

/* Calls handler with the route that a datagram to this address would take. ERR_NOT_FOUND, ERR_IO. */
int rtnl_ask_route(struct rtnl *r, const struct addr *to, mnl_cb_t handler, void *context) must_check;
