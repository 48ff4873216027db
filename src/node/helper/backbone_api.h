/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The backbone's HTTP API: what of it is asked for a node, and what of its answers the node is told. docs/PROTOCOL.md
 * §8. Pure functions. */

#include "crypto/identity.h"
#include "node/helper/helper_message.h"
#include "node/helper/http_client.h"
#include "proto/message/record.h"

struct backbone_request {
    char path[64];
    char *json; /* NULL: GET; the caller frees it */
};

/* ask is one of HELPER_ASK_INFO to HELPER_ASK_RECORD. ERR_FORMAT for an id of a wrong length, ERR_NOMEM. */
int backbone_api_request(const struct helper_message *ask, struct backbone_request *out) must_check;

#define BACKBONE_INSTANCES_MAX 16   /* that are told of those that share a store … */
#define BACKBONE_LIST_MAX      4096 /* … and bytes of their URLs */

struct backbone_bytes {
    uint8_t data[RECORD_MAX > BACKBONE_LIST_MAX ? RECORD_MAX : BACKBONE_LIST_MAX];
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
};

/* The answer to what was asked; its data and signature lie in bytes. */
void backbone_api_answer(enum helper_kind asked, const struct http_answer *answer, struct helper_message *out,
                         struct backbone_bytes *bytes);
