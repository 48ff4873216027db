/* SPDX-License-Identifier: Apache-2.0 */
#include "node/uplink/uplink_proof.h"

void uplink_proof_sign(uv_work_t *work)
{
    struct uplink_proof *p = work->data;
    p->err = identity_sign(p->me, UPLINK_PROOF_CONTEXT, p->text, p->len, p->signature);
}
