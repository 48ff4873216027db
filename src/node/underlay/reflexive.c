/* SPDX-License-Identifier: Apache-2.0 */
/* What a STUN server says of our address, and what of it is believed. docs/PROTOCOL.md §10. Control
 * thread. */

#include "node/underlay/reflexive.h"

#include "crypto/secret.h"
#include "proto/nat/nat.h"

void reflexive_restart(struct reflexive *r, const struct addr *server)
{
    r->server = *server;
    r->open = false;
    r->doubtful = true;
    r->unanswered = 0;
    r->next_us = 0;
    if (!server->family)
        *r = (struct reflexive){0};
}

void reflexive_hurry(struct reflexive *r, uint64_t now_us)
{
    if (!r->open && now_us - r->heard_us >= REFLEXIVE_FRESH_US)
        r->next_us = 0;
}

bool reflexive_is_current(const struct reflexive *r)
{
    return r->mapped.family && !r->doubtful && r->unanswered < REFLEXIVE_PATIENCE;
}

bool reflexive_waits(const struct reflexive *r, uint64_t now_us)
{
    return r->open && now_us - r->opened_us <= REFLEXIVE_OPEN_US;
}

bool reflexive_due(const struct reflexive *r, uint64_t now_us)
{
    return r->server.family && now_us >= r->next_us;
}

/* 1 s, doubled up to what one that answers is asked after. */
static uint64_t patience_us(unsigned unanswered)
{
    uint64_t us = REFLEXIVE_OPEN_US << (unanswered < 5 ? unanswered : 5);
    return us < REFLEXIVE_ASK_US ? us : REFLEXIVE_ASK_US;
}

size_t reflexive_request(struct reflexive *r, uint64_t now_us, uint8_t out[STUN_MESSAGE_MAX])
{
    if (r->open)
        r->unanswered++;
    if (r->doubtful && r->unanswered >= REFLEXIVE_PATIENCE)
        r->mapped = (struct addr){0};
    secret_random(r->transaction, sizeof(r->transaction));
    r->open = true;
    r->opened_us = now_us;
    r->next_us = now_us + patience_us(r->unanswered);
    return stun_request_encode(r->transaction, out);
}

int reflexive_answer(struct reflexive *r, const struct addr *from, const uint8_t *data, size_t len,
                     uint64_t now_us)
{
    struct addr mapped;
    if (!reflexive_waits(r, now_us) || !addr_equal(from, &r->server))
        return ERR_UNSUPPORTED;
    int err = stun_response_decode(data, len, r->transaction, &mapped);
    if (err)
        return err;
    r->open = r->doubtful = false;
    r->unanswered = 0;
    r->heard_us = now_us;
    r->next_us = now_us + REFLEXIVE_ASK_US;
    r->mapped = nat_may_be_ours(&mapped, &r->server) ? mapped : (struct addr){0};
    return 0;
}
