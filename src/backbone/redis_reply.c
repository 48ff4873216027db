/* SPDX-License-Identifier: Apache-2.0 */
/* Types, lengths and characters are looked at before anything is believed. */

#include "backbone/redis_reply.h"

#include "base/text.h"
#include <hiredis/hiredis.h>
#include <string.h>

#define DIGITS_MAX 19 /* of STORE_NUMBER_MAX */

enum {
    FIELD_ID,
    FIELD_SEQ,
    FIELD_EXPIRY,
    FIELD_PUBLIC,
    FIELD_NAME,
    FIELD_NETWORK,
    FIELD_RECORD,
    FIELD_SIGNATURE
};

const struct redisReply *redis_reply_at(const struct redisReply *r, size_t index)
{
    return r && r->type == REDIS_REPLY_ARRAY && index < r->elements ? r->element[index] : NULL;
}

static int take_string(const struct redisReply *r, size_t max, struct slice *out)
{
    if (!r || r->type != REDIS_REPLY_STRING || r->len > max)
        return ERR_FORMAT;
    *out = (struct slice){(const uint8_t *)r->str, r->len};
    return 0;
}

int redis_reply_text(const struct redisReply *r, char *out, size_t size)
{
    struct slice s;
    if (take_string(r, size - 1, &s) != 0 || !text_ok((const char *)s.data, s.len))
        return ERR_FORMAT;
    memcpy(out, s.data, s.len);
    out[s.len] = '\0';
    return 0;
}

int redis_reply_number(const struct redisReply *r, uint64_t *out)
{
    struct slice s;
    uint64_t number = 0;
    if (r && r->type == REDIS_REPLY_INTEGER && r->integer >= 0) {
        *out = (uint64_t)r->integer;
        return 0;
    }
    if (take_string(r, DIGITS_MAX, &s) != 0 || s.len == 0)
        return ERR_FORMAT;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return ERR_FORMAT;
        number = number * 10 + (uint64_t)(s.data[i] - '0');
    }
    *out = number;
    return number <= STORE_NUMBER_MAX ? 0 : ERR_FORMAT;
}

int redis_reply_bytes(const struct redisReply *r, void *out, size_t len)
{
    struct slice s;
    if (take_string(r, len, &s) != 0 || s.len != len)
        return ERR_FORMAT;
    memcpy(out, s.data, len);
    return 0;
}

static int take_id(const struct redisReply *r, struct node_id *out)
{
    char text[ID_TEXT_MAX];
    return redis_reply_text(r, text, sizeof(text)) == 0 && id_parse(text, out) == 0 ? 0 : ERR_FORMAT;
}

int redis_reply_entry(const struct redisReply *r, bool is_whole, struct store_entry *out)
{
    uint64_t is_public = 0;
    *out = (struct store_entry){0};
    int err = take_id(redis_reply_at(r, FIELD_ID), &out->id);
    if (!err)
        err = redis_reply_number(redis_reply_at(r, FIELD_SEQ), &out->seq);
    if (!err)
        err = redis_reply_number(redis_reply_at(r, FIELD_EXPIRY), &out->expiry_s);
    if (!err)
        err = redis_reply_number(redis_reply_at(r, FIELD_PUBLIC), &is_public);
    if (!err)
        err = redis_reply_text(redis_reply_at(r, FIELD_NAME), out->name, sizeof(out->name));
    if (!err)
        err = redis_reply_text(redis_reply_at(r, FIELD_NETWORK), out->network, sizeof(out->network));
    out->is_public = is_public == 1;
    if (err || !is_whole)
        return err;
    err = take_string(redis_reply_at(r, FIELD_RECORD), RECORD_MAX, &out->record);
    return err ? err
               : take_string(redis_reply_at(r, FIELD_SIGNATURE), IDENTITY_SIGNATURE_LEN, &out->signature);
}

int redis_reply_cursor(const struct redisReply *r, struct node_id *out)
{
    return r->type == REDIS_REPLY_ARRAY && r->elements == 1 ? take_id(r->element[0], out) : ERR_FORMAT;
}

int redis_reply_url(const struct redisReply *r, char out[STORE_URL_MAX])
{
    if (redis_reply_text(r, out, STORE_URL_MAX) != 0)
        return ERR_FORMAT;
    return strncmp(out, "http://", 7) == 0 || strncmp(out, "https://", 8) == 0 ? 0 : ERR_FORMAT;
}

int redis_reply_heard(const struct redisReply *r, uint64_t hour, struct store_heard *out)
{
    *out = (struct store_heard){.hour = hour};
    int err = redis_reply_text(redis_reply_at(r, 0), out->generation, sizeof(out->generation));
    for (size_t i = 0; !err && i < STORE_KEYS; i++)
        err = redis_reply_bytes(redis_reply_at(r, 1 + i), out->keys[i], STORE_KEY_LEN);
    for (size_t i = 1 + STORE_KEYS; !err && i < r->elements && out->count < STORE_INSTANCES; i++)
        err = redis_reply_url(redis_reply_at(r, i), out->urls[out->count++]);
    return err;
}
