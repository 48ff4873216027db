/* SPDX-License-Identifier: Apache-2.0 */
/* JSON bodies by jansson. */

#include "backbone/answer.h"

#include "crypto/base64.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_UNAVAILABLE_S 5

void answer_json(struct response *out, unsigned status, json_t *value)
{
    out->status = status;
    out->type = "application/json";
    out->body = value ? json_dumps(value, JSON_COMPACT) : NULL;
    out->len = out->body ? strlen(out->body) : 0;
    if (!out->body)
        out->status = 500;
    json_decref(value);
}

void answer_error(struct response *out, unsigned status, const char *why)
{
    answer_json(out, status, json_pack("{ss}", "error", why));
}

void answer_error_later(struct response *out, unsigned status, unsigned retry_after_s, const char *why)
{
    out->retry_after_s = retry_after_s;
    answer_error(out, status, why);
}

void answer_unavailable(struct response *out)
{
    answer_error_later(out, 503, RETRY_UNAVAILABLE_S,
                       "the directory cannot reach its store now: try again later");
}

json_t *answer_base64(const struct slice *data)
{
    char *text = malloc(BASE64_LEN(data->len) + 1);
    if (!text)
        return NULL;
    base64_encode(data->data, data->len, text);
    json_t *value = json_stringn_nocheck(text, BASE64_LEN(data->len));
    free(text);
    return value;
}
