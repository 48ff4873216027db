/* SPDX-License-Identifier: Apache-2.0 */
/* The one use of SHA-1, which the protocol of WebSockets asks for. */
#include "crypto/websocket.h"

#include "crypto/base64.h"
#include "crypto/library.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

#define GUID     "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define SHA1_LEN 20

static_assert(BASE64_LEN(SHA1_LEN) == WEBSOCKET_ACCEPT_LEN, "the digest in base64");

int websocket_accept(const char *key, char out[WEBSOCKET_ACCEPT_LEN + 1])
{
    char text[WEBSOCKET_KEY_LEN + sizeof(GUID) - 1];
    uint8_t digest[SHA1_LEN];
    memcpy(text, key, WEBSOCKET_KEY_LEN);
    memcpy(text + WEBSOCKET_KEY_LEN, GUID, sizeof(GUID) - 1);
    if (EVP_Q_digest(library_context(), "SHA1", NULL, text, sizeof(text), digest, NULL) != 1)
        return ERR_CRYPTO;
    base64_encode(digest, sizeof(digest), out);
    return 0;
}
