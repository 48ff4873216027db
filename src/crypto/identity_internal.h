/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Between identity.c, keyfile.c, tls.c and cert_rules.c: identities as OpenSSL keys and as DER. */

#include "crypto/identity.h"
#include <stdbool.h>

/* Takes pkey, also on error. ERR_FORMAT when it is no ML-DSA-87 key. */
int identity_from_pkey(struct evp_pkey_st *pkey, struct identity **out) must_check;

/* The DER SubjectPublicKeyInfo of a key. ERR_FORMAT when it is no ML-DSA-87 key. */
int identity_spki_of_pkey(struct evp_pkey_st *pkey, uint8_t out[IDENTITY_SPKI_LEN]) must_check;

/* True when this is the SubjectPublicKeyInfo of an ML-DSA-87 key. */
bool identity_is_spki(const uint8_t *spki, size_t len);
