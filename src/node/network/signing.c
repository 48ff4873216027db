/* SPDX-License-Identifier: Apache-2.0 */
#include "node/network/signing.h"

#include "base/log.h"
#include "crypto/identity.h"
#include "proto/network/rolls.h"

/* The first one of all is signed at once: nobody can have another. */
static bool is_due(const struct signing *s, uint64_t now_s)
{
    uint64_t signed_s = rolls_time(s->rolls, LIST_REVOCATIONS, identity_id(s->me));
    if (!signed_s)
        return true;
    return now_s >= s->first_s + SIGNING_HEAR_S && (now_s >= signed_s + SIGNING_PERIOD_S || now_s < signed_s);
}

void signing_tick(struct signing *s, uint64_t now_s)
{
    if (!rolls_issuer(s->rolls, identity_id(s->me)))
        return;
    if (!s->first_s || now_s < s->first_s)
        s->first_s = now_s;
    if (!is_due(s, now_s))
        return;
    int err = rolls_revoke(s->rolls, s->me, NULL);
    if (err && !s->told)
        log_error("this issuer's list of revoked keys cannot be signed: %s", err_str(err));
    s->told = err != 0;
}
