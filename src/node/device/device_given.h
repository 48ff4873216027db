/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A device that somebody else opened (-tun-fd). Internal to the device. */

#include "base/addr.h"
#include "base/err.h"
#include "node/config/config.h"
#include <stdbool.h>

struct device;
struct tap;

/* Makes it that one, which is taken, and finds out which interface of this machine it is, if any. On an error one line was
 * told. */
int device_given_enter(struct device *d, const struct config *config, struct tap *given) must_check;

/* Whether it is an interface of another network namespace, or hidden. */
bool device_given_unseen(const struct device *d);

/* It is to have these addresses: has them from now on where it is not to be seen, else a line tells which are missing. */
void device_given_expect(struct device *d, const struct addr_prefix *list, unsigned count);

/* Tells what is against it passing packets. */
void device_given_check(const struct device *d);
