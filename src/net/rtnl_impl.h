/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How a table of the kernel is read, shared by rtnl.c and rtnl_around.c; nobody else includes this. */

#include "net/rtnl.h"
#include <libmnl/libmnl.h>

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
