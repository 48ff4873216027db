/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Flags of shadowmesh-l2 that a verb takes for a node's configuration. */

#include <stdbool.h>

struct cli_options;
struct node_conf;

/* Puts them into *conf, once shadowmesh-l2 has judged them. False when it, or this, complained. */
bool flag_values_take(const struct cli_options *options, struct node_conf *conf);
