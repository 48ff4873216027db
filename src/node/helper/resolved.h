/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What systemd-resolved is told of a device: whom to ask there, and for which names. By resolvectl(1), which wants the
 * rights of root or CAP_NET_ADMIN. */

#include "base/addr.h"
#include <stdbool.h>

#define RESOLVED_SERVERS_MAX 8
#define RESOLVED_DOMAINS_MAX 9

/* Whether it runs here, and can be told. */
bool resolved_is_here(void);

/* Names below the domains, as resolvectl takes them, are asked for at servers, and no others. Waits for the program, a few
 * seconds at most. ERR_IO: it refused. */
int resolved_set(const char *device, const struct addr *servers, unsigned server_count,
                 const char *const *domains, unsigned domain_count) must_check;

/* Takes it back; a device that is gone has taken it along. */
void resolved_unset(const char *device);
