/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of revoked keys from strangers: without the signer's key nothing is newer, and what is refused leaves nothing. */

#include "crypto/revocations.h"

#include "crypto/cert.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The signer and the network are those that the input names; the key is nobody's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct revocations none;
    static struct cert signer;
    struct reader r = reader_init(data, size);
    struct revocations held = {.number = 1}, out;
    struct node_id network;

    reader_copy(&r, network.bytes, ID_LEN);
    reader_copy(&r, signer.id.bytes, ID_LEN);
    for (int with = 0; with < 2; with++) {
        enum revocations_verdict verdict =
            revocations_judge(&signer, &network, with ? &held : NULL, data, size, &out);
        if (verdict == REVOCATIONS_NEWER || memcmp(&out, &none, sizeof(out)) != 0 ||
            !revocations_verdict_str(verdict)[0])
            abort();
    }
    return 0;
}
