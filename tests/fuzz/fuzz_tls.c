/* SPDX-License-Identifier: Apache-2.0 */
/* What a stranger sends to the control port: bytes for a TLS server, cut in two where the first byte says, so
 * that records also arrive in halves. */

#include "crypto/tls.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tls_context *context_once(void)
{
    static struct tls_context *context;
    static struct identity *me;

    if (!context && (identity_generate(&me) || tls_context_new(me, &context)))
        abort();
    return context;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t out[4096];
    struct tls *tls;
    size_t cut;
    int err;

    if (size == 0)
        return 0;
    if (tls_new(context_once(), true, NULL, &tls))
        abort();
    cut = data[0] * (size - 1) / 255;
    err = tls_feed(tls, data + 1, cut);
    if (!err)
        err = tls_feed(tls, data + 1 + cut, size - 1 - cut);
    while (tls_take_output(tls, out, sizeof(out)) > 0)
        ;
    if (tls_established(tls) || (err && tls_reason(tls)[0] == '\0')) /* nobody gets in without a key */
        abort();
    tls_free(tls);
    return 0;
}
