/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A node's network as people read it. */

#include <jansson.h>

/* "home, member until 2026-12-30, an issuer", for the caller to free; NULL when the node is in none. */
char *network_text(const json_t *node);
