/* SPDX-License-Identifier: Apache-2.0 */
/* The first bytes of a stranger's connection: however they are cut, the verdict is the same, and what comes out is what
 * went in. The first byte is the length of the pieces. */

#include "base/clock.h"
#include "crypto/secret.h"
#include "proto/admission/lobby.h"
#include "proto/wire/trunk.h"
#include <stdlib.h>
#include <string.h>

#define NOW (1000 * USEC_PER_SEC)

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* Feeds data in pieces; returns the verdict. */
static int feed(struct lobby *l, uint64_t conn, const uint8_t *data, size_t len, size_t piece)
{
    static const struct target somebody = {TARGET_TCP, {.family = 4, .ip = {192, 0, 2, 1}}};
    int err = 0;
    check(lobby_enter(l, conn, &somebody, true, NOW) == 0);
    for (size_t at = 0; at < len && !err; at += piece)
        err = lobby_feed(l, conn, data + at, len - at < piece ? len - at : piece, NOW);
    if (err != LOBBY_TRUNK)
        return err;
    const struct lobby_guest *g = lobby_take(l, conn);
    struct trunk_batch first;
    check(g && g->len <= len && memcmp(g->hello, data, g->len) == 0);
    check(trunk_decode_first(g->hello, g->len, &first) == 1);
    check(lobby_enter(l, conn, &somebody, true, NOW) == 0); /* for who is looked for there */
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lobby *l;
    if (size < 1 || lobby_new(&secret_source, &l))
        return 0;
    size_t piece = data[0] + 1u, len = size - 1;
    int whole = feed(l, 1, data + 1, len, len ? len : 1);
    const struct lobby_guest *g = whole ? NULL : lobby_next(l, NOW);
    bool ready = g != NULL;
    check(!g || (g->conn == 1 && g->len == len && memcmp(g->hello, data + 1, len) == 0));
    check(lobby_leave(l, 1) == !ready);
    check(feed(l, 2, data + 1, len, piece) == whole);
    g = whole ? NULL : lobby_next(l, NOW);
    check((g != NULL) == ready && (!g || (g->conn == 2 && memcmp(g->hello, data + 1, len) == 0)));
    check(lobby_leave(l, 2) == !ready && lobby_next_deadline(l, NOW) == TIME_NEVER);
    lobby_free(l);
    return 0;
}
