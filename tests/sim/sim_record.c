/* SPDX-License-Identifier: Apache-2.0 */
/* Signed records: of a node, and what it takes of those of others. */

#include "sim_impl.h"

#include <assert.h>
#include <stdlib.h>
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

static struct mesh_record signed_record(const struct sim_record *r)
{
    return (struct mesh_record){&r->record, {{r->whole, r->len}, {r->signature, sizeof(r->signature)}}};
}

void sim_sign(struct sim_node *n, uint64_t seq)
{
    struct sim_record *oldest = n->older ? n->older : reallocarray(NULL, 1, sizeof(*n->record));
    assert(oldest);
    n->older = n->record;
    n->record = oldest;
    struct record *r = &n->record->record;
    *r = (struct record){
        .id = *identity_id(n->identity), .seq = seq, .candidate_count = n->seen.family ? 2 : 1};
    memcpy(r->spki, identity_spki(n->identity), sizeof(r->spki));
    r->candidates[0] = (struct candidate){CANDIDATE_HOST, n->addr, (uint16_t)(n->addr.port - 1000)};
    r->candidates[1] = (struct candidate){CANDIDATE_REFLEXIVE, n->seen, 0};
    int err =
        record_sign(r, n->identity, n->record->whole, RECORD_MAX, &n->record->len, n->record->signature);
    assert(!err);
    const struct mesh_record own = signed_record(n->record);
    err = mesh_set_own_record(n->mesh, &own);
    assert(!err);
}

void sim_look_up(struct sim_node *n, const struct sim_node *other)
{
    if (!other->record)
        return;
    const struct mesh_record said = signed_record(other->record);
    n->kept += mesh_on_record(n->mesh, &said, n->sim->now_us);
    sim_do_outputs(n);
}

void sim_look_up_older(struct sim_node *n, const struct sim_node *other)
{
    if (!other->older)
        return;
    const struct mesh_record said = signed_record(other->older);
    if (mesh_on_record(n->mesh, &said, n->sim->now_us))
        sim_fail(n->sim, "node %u takes a record of node %u that is older than what it has", n->number,
                 other->number);
    sim_do_outputs(n);
}
