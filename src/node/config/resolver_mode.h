/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How programs of this machine come to know the names of a network's members (-dns). */

enum resolver_mode {
    RESOLVER_OFF,
    RESOLVER_AUTO,     /* systemd-resolved where it runs, else the file, where it may be changed */
    RESOLVER_RESOLVED, /* systemd-resolved asks the node */
    RESOLVER_HOSTS,    /* lines of /etc/hosts */
};
