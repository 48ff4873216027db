/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How the NAT in front of us numbers ports: two fresh sockets, one after the other, ask a STUN server how it sees them, and are
 * closed. The first one may be kept, as a port of its own for one peer. docs/PROTOCOL.md §19. Control thread. */

#include "base/err.h"
#include "net/udp.h"
#include "proto/punch/punch.h"
#include <stdbool.h>
#include <uv.h>

#define SURVEY_KEEP_US 60000000ull /* a NAT that keeps ports, or draws them, still does so */

struct survey_config {
    uv_loop_t *loop;
    /* A STUN server that answers; family 0: none is known. Borrowed for the call. */
    const struct addr *(*server)(void *context);
    /* first: NULL, or the socket that is seen as seen->fresh. True: it is the callee's now. */
    bool (*seen)(void *context, uint32_t slot, const struct punch_seen *seen, const struct udp_socket *first);
    void *context;
};

struct survey;
int survey_new(const struct survey_config *config, struct survey **out) must_check;

/* seen is called for slot, now or soon, also when nothing could be found out. keep: with the first socket, unless another slot gets
 * that one. */
void survey_look(struct survey *s, uint32_t slot, bool keep);

/* What was found may hold no longer. */
void survey_forget(struct survey *s);

/* seen is not called any more; the memory goes once the loop has closed its handles. NULL is allowed. */
void survey_close(struct survey *s);
