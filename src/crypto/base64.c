/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 over OpenSSL's block functions, made strict: they skip white space and count padding as bytes. */

#include "crypto/base64.h"

#include <openssl/evp.h>
#include <string.h>

void base64_encode(const uint8_t *data, size_t len, char *out)
{
    EVP_EncodeBlock((unsigned char *)out, data, (int)len);
}

static size_t padding_of(const char *text, size_t len)
{
    if (len == 0 || text[len - 1] != '=')
        return 0;
    return text[len - 2] == '=' ? 2 : 1;
}

int base64_decode(const char *text, size_t text_len, uint8_t *out, size_t cap, size_t *len)
{
    *len = 0;
    if (text_len % 4 != 0)
        return ERR_FORMAT;
    size_t padding = padding_of(text, text_len), whole = text_len / 4 * 3;
    if (whole - padding > cap)
        return ERR_SPACE;
    if (memchr(text, '=', text_len - padding))
        return ERR_FORMAT;
    /* By single groups: white space is then an error, and the zeros that stand for padding fall away. */
    for (size_t at = 0; at < text_len; at += 4) {
        unsigned char group[3];
        size_t n = at + 4 == text_len ? 3 - padding : 3;
        if (EVP_DecodeBlock(group, (const unsigned char *)text + at, 4) != 3)
            return ERR_FORMAT;
        memcpy(out + at / 4 * 3, group, n);
    }
    *len = whole - padding;
    return 0;
}
