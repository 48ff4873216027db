/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How a command in a node's namespaces finds names of the network: a resolv.conf(5) of its own, which asks the node. */

#include <jansson.h>
#include <stdbool.h>

#define INSIDE_NAMES_MAX 1024

/* The file for a node, as status describes it; false when it answers no names. */
bool inside_names_text(const json_t *node, char out[INSIDE_NAMES_MAX]);

/* The calling process sees text as /etc/resolv.conf from now on, and no service of this machine's for names: both would ask
 * in another network. folder is one that it may write. For who has the right to mount, which nobody else sees. False with
 * errno set: it sees what it saw. */
bool inside_names_mount(const char *folder, const char *text);
