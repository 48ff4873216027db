/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Bytes as hex digits. Any thread. */

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

/* Reads exactly 2 * len digits, of either case, up to the NUL. ERR_ARGUMENT otherwise; then out is untouched. */
int hex_decode(const char *text, uint8_t *out, size_t len) must_check;

/* Writes 2 * len lower-case digits and a NUL. Returns out. */
char *hex_encode(const uint8_t *bytes, size_t len, char *out);

/* A MAC address as 02:1f:…, and its NUL. Returns out. */
#define MAC_TEXT_MAX 18
char *mac_format(const uint8_t mac[6], char out[MAC_TEXT_MAX]);
