/* SPDX-License-Identifier: Apache-2.0 */
/* One source gets half of the rate at most. */

#include "node/data/relaying.h"

#include "crypto/secret.h"
#include "proto/admission/byte_rates.h"
#include "proto/relay/relay_desk.h"

#define MBIT_BYTES  125000ull
#define SOURCE_PART 2

int relaying_init(unsigned mbit, struct relaying *out)
{
    unsigned source_mbit = mbit > SOURCE_PART ? mbit / SOURCE_PART : 1;
    int err = byte_rates_new(mbit, source_mbit, &secret_source, &out->rates);
    const struct relay_desk_config config = {{mbit * MBIT_BYTES, RELAYING_CHANNELS_MAX, secret_source},
                                             out->rates};
    out->mbit = mbit;
    return err ? err : relay_desk_new(&config, &out->desk);
}

void relaying_fini(struct relaying *r)
{
    relay_desk_free(r->desk);
    byte_rates_free(r->rates);
    *r = (struct relaying){0};
}
