/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Base64 (RFC 4648 §4, padded, no line breaks) as the HTTP API carries binary values. */

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

#define BASE64_LEN(n) (((n) + 2) / 3 * 4) /* characters for n bytes, without a NUL */

/* Writes BASE64_LEN(len) characters and a NUL. */
void base64_encode(const uint8_t *data, size_t len, char *out);

/* Decodes text_len characters into at most cap bytes. ERR_FORMAT, ERR_SPACE. */
int base64_decode(const char *text, size_t text_len, uint8_t *out, size_t cap, size_t *len) must_check;
