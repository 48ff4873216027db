/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Names looked up for the node: whoever asks for one that is being looked up waits for the same answer. Control
 * thread. */

#include "base/addr.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct helper_client;
struct name_client;

/* count addresses without ports, borrowed; where there are none, why says it as a phrase. */
typedef void name_answered(void *context, const struct addr *addresses, unsigned count, const char *why);

/* helper is borrowed, and closed after it. */
int name_client_new(struct helper_client *helper, struct name_client **out) must_check;

/* Answers later, never in here. ERR_AGAIN when too many are asked for at once, ERR_CLOSED when the helper is gone for
 * good, ERR_ARGUMENT for what cannot be a name, ERR_NOMEM: then there is no answer. */
int name_client_ask(struct name_client *c, const char *host, name_answered *answered,
                    void *context) must_check;

/* How long to wait before the same name is asked for again: 1 s, doubled up to 60 s for one that is not found and for
 * which last_us was waited before, 0 at first. A pure function. */
uint64_t name_client_wait_us(bool found, uint64_t last_us);

/* What was asked with this context is not answered. */
void name_client_forget(struct name_client *c, const void *context);

/* Answers nothing more. NULL is allowed. */
void name_client_free(struct name_client *c);
