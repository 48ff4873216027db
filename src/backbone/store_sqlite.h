/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The store that needs no server: one SQLite file, in write-ahead mode, held by one process at a time. */

#include "backbone/store.h"

#define STORE_SQLITE_FILE "backbone.db"

/* Opens or makes the database at path (":memory:" keeps it in memory) for at most max_entries entries. On
 * failure one log line has said why and what to do: ERR_BUSY (another process has it), ERR_FORMAT (no
 * database, or of another version), ERR_NOMEM, ERR_IO. */
int store_sqlite_open(const char *path, uint64_t max_entries, struct store **out) must_check;
