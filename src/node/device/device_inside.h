/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A device that is none of this machine's interfaces. Internal to the device. */

#include "base/err.h"
#include <stdbool.h>

struct broker;
struct device;
struct rtnl_link;

/* Makes it one that is elsewhere, by what the broker made there, which is taken. ERR_NOMEM, ERR_IO. */
int device_inside_enter(struct device *d, struct broker *b) must_check;

/* Reads its link and its addresses; found is false when it is gone. */
int device_inside_read(struct device *d, struct rtnl_link *link, bool *found) must_check;
