/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a running backbone may still do (net/sandbox.h). */

#include "base/err.h"

/* Enters the cage. Main thread, when the sockets listen, data_dir exists and no other thread has been made. On an
 * error one line has said what failed and what to do. */
int cage_enter(const char *data_dir) must_check;
