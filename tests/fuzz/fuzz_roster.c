/* SPDX-License-Identifier: Apache-2.0 */
/* Rosters from strangers: without the signer's key nothing is newer, and what is refused leaves nothing. Of members that an issuer
 * may sign, each keeps the profile's rules and takes its bytes away. */

#include "crypto/roster.h"

#include "crypto/cert_rules.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void walk(struct slice members)
{
    struct roster_member m;
    size_t before = members.len;

    while (roster_next(&members, &m)) {
        check(members.len < before && cert_name_ok(m.name) &&
              cert_addresses_hold(m.addresses, m.address_count));
        before = members.len;
    }
}

/* The signer and the network are those that the input names; the key is nobody's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct roster_view none;
    static struct cert signer;
    struct reader r = reader_init(data, size);
    struct roster held = {.number = 1};
    struct roster_view out;
    struct node_id network;

    reader_copy(&r, network.bytes, ID_LEN);
    reader_copy(&r, signer.id.bytes, ID_LEN);
    for (int with = 0; with < 2; with++) {
        enum roster_verdict verdict = roster_judge(&signer, &network, with ? &held : NULL, data, size, &out);
        check(verdict != ROSTER_NEWER && memcmp(&out, &none, sizeof(out)) == 0 &&
              roster_verdict_str(verdict)[0]);
    }
    walk((struct slice){data, size});
    return 0;
}
