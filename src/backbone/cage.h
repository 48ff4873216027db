/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a running backbone may still do (net/sandbox.h). */

#include "base/err.h"
#include <stdbool.h>

/* Enters the cage. Main thread, when the sockets listen, data_dir exists and no other thread has been made. Who connects
 * anew to a store keeps the calls for it. On an error one line has said what failed and what to do. */
int cage_enter(const char *data_dir, bool connects) must_check;
