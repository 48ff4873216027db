/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a node's router maps, as people read it. */

#include <jansson.h>

struct table;

/* A line for each of port_mappings' (docs/PROTOCOL.md §11); none for null. */
void mapping_text_add(struct table *t, const json_t *mappings);
