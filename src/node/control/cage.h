/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a running node may still do (net/sandbox.h). */

#include "node/config/config.h"

struct sandbox;

/* Enters the cage, unless -sandbox=off. cache_folder is that of cache_folder_prepare; empty: there is none. Control thread, when all is open and no other thread has been made. On an
 * error one line has said what failed and what to do. */
int cage_enter(const struct config *config, const char *cache_folder, struct sandbox *out) must_check;
