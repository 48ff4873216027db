/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of strangers: what is read is exactly what was written, keeps the rules, and no input can be a member
 * of a network whose keys nobody has. */

#include "crypto/cert_chain.h"

#include "crypto/cert_rules.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever stands in a certificate, the text of a verdict is there. */
static void expect_refusal(enum cert_verdict verdict)
{
    if (verdict == CERT_OK || !cert_verdict_str(verdict)[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t nobodys_key[IDENTITY_SPKI_LEN];
    static struct cert c, ca, out;
    struct slice der = {data, size};
    int err = cert_decode(data, size, &c);

    if (err) {
        static const struct cert none;
        if (memcmp(&c, &none, sizeof(c)) != 0)
            abort();
    } else if (!cert_rules_hold(&c) || size > CERT_MAX) {
        abort();
    }
    ca = c; /* the one that the input is to be of: a CA that it names, with a key that is nobody's */
    ca.id = c.issuer;
    memcpy(ca.spki, nobodys_key, sizeof(nobodys_key));
    expect_refusal(cert_chain_issuer(&ca, der, c.not_before, &out));
    expect_refusal(cert_chain_member(&ca, &ca, der, c.spki, c.not_before, &out));
    return 0;
}
