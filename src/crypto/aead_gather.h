/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How scattered pieces become few runs for a cipher: short pieces are copied together at their place in the
 * output and encrypted there, long ones go through the cipher from where they lie. Every run but the last is
 * whole blocks, since bulk code that begins within a block runs slower. */

#include "base/bytes.h"

struct aead_gather {
    const struct slice *pieces;
    size_t count, used; /* pieces left; bytes of the first that are done */
    uint8_t *out;       /* where the next run goes; behind the last one, the tag's place */
    size_t bulk_min;    /* a piece shorter than this is copied: less than the cipher's entry for it costs */
    size_t block;       /* a power of two, at most bulk_min */
};

struct aead_run {
    const uint8_t *in; /* == out when it was gathered */
    uint8_t *out;
    size_t len;
};

/* Takes n bytes off the first piece. */
static inline void aead_gather_take(struct aead_gather *g, size_t n)
{
    g->used += n;
    if (g->used == g->pieces->len) {
        g->pieces++;
        g->count--;
        g->used = 0;
    }
}

static inline void aead_gather_copy(struct aead_gather *g, uint8_t *to, size_t n)
{
    if (n)
        memcpy(to, g->pieces->data + g->used, n);
    aead_gather_take(g, n);
}

/* The next run; false, and an empty run, when there is none. */
static inline bool aead_gather_next(struct aead_gather *g, struct aead_run *run)
{
    *run = (struct aead_run){.in = g->out, .out = g->out};
    while (g->count) {
        size_t left = g->pieces->len - g->used;
        size_t fill = -run->len & (g->block - 1);

        if (left < g->bulk_min + fill) {
            aead_gather_copy(g, g->out + run->len, left);
            run->len += left;
        } else if (run->len) {
            aead_gather_copy(g, g->out + run->len, fill);
            run->len += fill;
            break;
        } else {
            run->in = g->pieces->data + g->used;
            run->len = g->count > 1 ? left & ~(g->block - 1) : left;
            aead_gather_take(g, run->len);
            break;
        }
    }
    g->out += run->len;
    return run->len != 0;
}
