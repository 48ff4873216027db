/* SPDX-License-Identifier: Apache-2.0 */
/* From JSON and Base64 to a record's bytes and its signature's. */

#include "backbone/registration.h"

#include "crypto/base64.h"
#include <jansson.h>

static int take_base64(const json_t *object, const char *key, uint8_t *out, size_t cap, size_t *len)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return ERR_FORMAT;
    return base64_decode(json_string_value(value), json_string_length(value), out, cap, len);
}

int registration_decode(const char *body, size_t len, struct registration *out, const char **why)
{
    int ret = ERR_FORMAT;
    size_t signature_len;
    json_t *object = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object))
        *why = "the body is not a JSON object";
    else if (take_base64(object, "record", out->record, sizeof(out->record), &out->record_len) != 0 ||
             out->record_len == 0)
        *why = "\"record\" must be the Base64 of a record of at most 8192 bytes";
    else if (take_base64(object, "signature", out->signature, sizeof(out->signature), &signature_len) != 0 ||
             signature_len != sizeof(out->signature))
        *why = "\"signature\" must be the Base64 of an ML-DSA-87 signature, 4627 bytes";
    else
        ret = 0;
    json_decref(object);
    return ret;
}
