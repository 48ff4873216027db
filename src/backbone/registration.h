/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The body of POST /v1/nodes. Pure. */

#include "base/err.h"
#include "proto/message/record.h"
#include <stddef.h>
#include <stdint.h>

struct registration {
    size_t record_len;
    uint8_t record[RECORD_MAX];
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
};

/* Decodes {"record":BASE64,"signature":BASE64}; other members are passed over. On ERR_FORMAT *why is a
 * sentence for the sender. The record's own contents are not looked at. */
int registration_decode(const char *body, size_t len, struct registration *out, const char **why) must_check;
