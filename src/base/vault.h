/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Memory for keys: locked (never in swap), left out of core dumps, zero in a forked child, between pages that
 * cannot be touched, wiped when it is freed. Any thread; not for the data path, which allocates nothing. */

#include <stddef.h>

#define VAULT_ALIGN 64 /* a cache line, for what workers change */

/* Zeroed, aligned to VAULT_ALIGN. NULL when there is no memory left. Where the system does not let it be locked, it
 * is used unlocked and counted. */
void *vault_alloc(size_t size);

/* p with its bytes up to size, elsewhere if there is no room for them here; p NULL is none yet. What is new is not
 * zeroed. NULL when there is no memory left, and p is as it was. */
void *vault_resize(void *p, size_t size);

/* Wipes it. NULL is allowed. */
void vault_free(void *p);

/* The system has the memory of freed large objects back, of which up to 1 MB waits, wiped, for the next ones. */
void vault_give_back(void);

/* How many bytes p may use; 0 when p is not the vault's. */
size_t vault_size(const void *p);

/* Bytes of the vault so far, and of these, bytes that could not be locked. */
struct vault_stats {
    size_t bytes, unlocked;
};
void vault_stats(struct vault_stats *out);
