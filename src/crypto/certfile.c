/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate's PEM text has one form: what is read is written again and compared. */

#include "crypto/certfile.h"

#include "base/folder.h"
#include "crypto/base64.h"
#include <assert.h>
#include <string.h>

#define HEAD     "-----BEGIN CERTIFICATE-----\n"
#define TAIL     "-----END CERTIFICATE-----\n"
#define COLUMNS  64
#define DIGITS   BASE64_LEN(CERT_MAX)
#define TEXT_MAX (sizeof(HEAD) + DIGITS + DIGITS / COLUMNS + 1 + sizeof(TAIL))

static_assert(TEXT_MAX <= CERTFILE_TEXT_MAX, "any certificate's text fits");

/* Returns the length of the text, which has no NUL. */
static size_t encode(const uint8_t *der, size_t len, uint8_t out[TEXT_MAX])
{
    char digits[DIGITS + 1];
    size_t count = BASE64_LEN(len);
    struct writer w = writer_init(out, TEXT_MAX);

    base64_encode(der, len, digits);
    writer_put(&w, HEAD, sizeof(HEAD) - 1);
    for (size_t at = 0; at < count; at += COLUMNS) {
        writer_put(&w, digits + at, count - at < COLUMNS ? count - at : COLUMNS);
        writer_put(&w, "\n", 1);
    }
    writer_put(&w, TAIL, sizeof(TAIL) - 1);
    return writer_len(&w);
}

int certfile_decode(const uint8_t *text, size_t len, uint8_t der[CERT_MAX], size_t *out)
{
    char digits[TEXT_MAX];
    uint8_t again[TEXT_MAX];
    size_t count = 0;

    if (len < sizeof(HEAD) + sizeof(TAIL) || len > TEXT_MAX)
        return ERR_FORMAT;
    for (size_t i = sizeof(HEAD) - 1; i < len - (sizeof(TAIL) - 1); i++)
        if (text[i] != '\n')
            digits[count++] = (char)text[i];
    if (base64_decode(digits, count, der, CERT_MAX, out))
        return ERR_FORMAT;
    return encode(der, *out, again) == len && memcmp(again, text, len) == 0 ? 0 : ERR_FORMAT;
}

int certfile_read(int dir_fd, const char *name, uint8_t der[CERT_MAX], size_t *len)
{
    uint8_t text[TEXT_MAX];
    size_t text_len = 0;
    int err = folder_read(dir_fd, name, OWN_FILE_SHOWN, text, sizeof(text), &text_len);

    if (!err)
        err = certfile_decode(text, text_len, der, len);
    if (err)
        *len = 0;
    return err;
}

int certfile_write(int dir_fd, const char *name, const uint8_t *der, size_t len)
{
    uint8_t text[TEXT_MAX];

    if (len > CERT_MAX)
        return ERR_SPACE;
    return folder_replace(dir_fd, name, OWN_FILE_SHOWN, text, encode(der, len, text));
}
