/* SPDX-License-Identifier: Apache-2.0 */
/* The cheap checks first: a signature is looked at only when it is meant for us. */

#include "backbone/uplink_proof.h"

#include "backbone/uplink.h"
#include "backbone/uplink_hub.h"
#include "crypto/identity.h"

const char *uplink_proof_judge(struct uplink *u)
{
    struct uplink_message m;
    uint8_t proof[UPLINK_PROOF_MAX];
    if (uplink_message_decode(u->prove->bytes, u->prove->len, UPLINK_NODE, &m) != 0)
        return "a malformed proof";
    if (!uplink_names_have(&u->hub->config->names, m.host))
        return "the proof is for another backbone: this one has other names (-url)";
    size_t len = uplink_proof(u->challenge, m.host, proof);
    metrics_add(&u->hub->metrics->verified);
    if (identity_verify(m.spki.data, m.spki.len, UPLINK_PROOF_CONTEXT, proof, len, m.signature.data,
                        m.signature.len) != 0 ||
        identity_id_of_spki(m.spki.data, m.spki.len, &u->id) != 0)
        return "the signature is not that of the key";
    return NULL;
}
