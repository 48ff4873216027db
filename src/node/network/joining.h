/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A node that joins its network by KEYDIR's join.token: which issuer it asks, how far that is, and the files that come of it.
 * Control thread. docs/PROTOCOL.md §26. */

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct config;
struct identity;
struct joining;
struct mesh;

/* Where the token is read is KEYDIR, open as dir. An error was told. The caller closes *out. */
int joining_open(const struct config *config, int dir, const struct identity *me,
                 struct joining **out) must_check;
void joining_close(struct joining *j); /* NULL is allowed */

/* Has the mesh dial the issuer and ask it. ERR_SPACE, ERR_NOMEM. */
int joining_begin(struct joining *j, struct mesh *mesh) must_check;

/* What is asked has come further. True: the certificates are in KEYDIR, and the token is gone. */
bool joining_on_asked(struct joining *j);

/* Once a second: what the issuer did not decide yet is asked anew. */
void joining_tick(struct joining *j, uint64_t now_us);

/* Where it is: "searching", "issuer", "proving", "approval", and whether it has ended with a refusal. text says why it does not
 * go on; empty when it does. Borrowed. */
struct joining_status {
    const char *step, *text;
    bool refused;
};
struct joining_status joining_status(const struct joining *j);
