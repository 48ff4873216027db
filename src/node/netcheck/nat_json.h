/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How a NAT behaves, as the API's answers show it. The JSON is a promise to scripts: it only grows. docs/PROTOCOL.md §11. */

#include <jansson.h>

struct addr;
struct nat;

/* {mapping, ports, filtering, hairpin, observed: [{server, address}]}. For the caller to decref, as the next. */
json_t *nat_json(const struct nat *n);

/* null: of no family. */
json_t *nat_json_addr(const struct addr *a);
