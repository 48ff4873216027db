/* SPDX-License-Identifier: Apache-2.0 */
/* What the backbone's STUN says of our address, and what of it is believed. docs/PROTOCOL.md §10. Control
 * thread. */

#include "node/underlay/reflexive.h"

#include "crypto/secret.h"

void reflexive_restart(struct reflexive *r, const struct addr *server)
{
    r->server = *server;
    r->open = false;
    r->next_us = 0;
}

size_t reflexive_request(struct reflexive *r, uint64_t now_us, uint8_t out[STUN_MESSAGE_MAX])
{
    if (!r->server.family || now_us < r->next_us)
        return 0;
    secret_random(r->transaction, sizeof(r->transaction));
    r->open = true;
    r->opened_us = now_us;
    r->next_us = now_us + REFLEXIVE_OPEN_US; /* a lost request is asked again */
    return stun_request_encode(r->transaction, out);
}

int reflexive_answer(struct reflexive *r, const struct addr *from, const uint8_t *data, size_t len,
                     uint64_t now_us, bool *changed)
{
    struct addr mapped;
    *changed = false;
    if (!r->open || now_us - r->opened_us > REFLEXIVE_OPEN_US || !addr_equal(from, &r->server))
        return ERR_UNSUPPORTED;
    int err = stun_response_decode(data, len, r->transaction, &mapped);
    if (err)
        return err;
    r->open = false;
    r->next_us = now_us + REFLEXIVE_ASK_US;
    if (!addr_is_routable(&mapped))
        mapped = (struct addr){0};
    *changed = !addr_equal(&mapped, &r->mapped);
    r->mapped = mapped;
    return 0;
}
