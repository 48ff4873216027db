/* SPDX-License-Identifier: Apache-2.0 */
/* Signed records: of a node, and what it takes of those of others. */

#include "sim_impl.h"

#include <assert.h>
#include <string.h>

/* Bytes of a record and its signature. */
void sim_take_record(struct sim_node *n, const uint8_t *whole, size_t len)
{
    static struct record record;
    size_t data_len = len - IDENTITY_SIGNATURE_LEN;
    const uint8_t *signature = whole + data_len;
    const struct mesh_record verified = {&record, {{whole, data_len}, {signature, IDENTITY_SIGNATURE_LEN}}};
    if (record_verify(whole, data_len, signature, IDENTITY_SIGNATURE_LEN, &record) == 0)
        n->kept += mesh_on_record(n->mesh, &verified, n->sim->now_us);
    else
        n->drops[DROP_RECORD]++;
}

void sim_sign(struct sim_node *n, uint64_t seq)
{
    static struct record record;
    static uint8_t whole[RECORD_MAX + IDENTITY_SIGNATURE_LEN];
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
    size_t len;
    record = (struct record){.id = *identity_id(n->identity), .seq = seq, .candidate_count = 1};
    memcpy(record.spki, identity_spki(n->identity), sizeof(record.spki));
    record.candidates[0] = (struct candidate){CANDIDATE_HOST, n->addr, (uint16_t)(n->addr.port - 1000)};
    int err = record_sign(&record, n->identity, whole, RECORD_MAX, &len, signature);
    assert(!err);
    const struct mesh_record own = {&record, {{whole, len}, {signature, sizeof(signature)}}};
    err = mesh_set_own_record(n->mesh, &own);
    assert(!err);
}
