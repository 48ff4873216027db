/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Before a machine's node goes: its network is told, by the node, as far as it can be. */

struct place;

/* Waits some seconds at most, and prints what came of it. */
void leaving_tell(const struct place *p, const char *run_dir);
