/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a shared store answers, which may be anything: others write to it, too. Pure. */

#include "backbone/store.h"

struct redisReply;

/* The element of an array; NULL when it is none, or has not so many. */
const struct redisReply *redis_reply_at(const struct redisReply *r, size_t index);
/* A string of at most size - 1 bytes without NUL in it, that a person may see. ERR_FORMAT. */
int redis_reply_text(const struct redisReply *r, char *out, size_t size) must_check;
/* A number up to STORE_NUMBER_MAX: an integer, or a string of digits. ERR_FORMAT. */
int redis_reply_number(const struct redisReply *r, uint64_t *out) must_check;
/* Exactly len bytes. ERR_FORMAT. */
int redis_reply_bytes(const struct redisReply *r, void *out, size_t len) must_check;

/* The fields that scripts return of an entry, from index first on: id, seq, expiry, public, name, network, and where it is
 * whole, record and signature, which are borrowed. ERR_FORMAT. */
int redis_reply_entry(const struct redisReply *r, bool is_whole, struct store_entry *out) must_check;

/* Where a listing goes on: an array of an id alone. ERR_FORMAT. */
int redis_reply_cursor(const struct redisReply *r, struct node_id *out) must_check;

/* A URL of http or https. ERR_FORMAT. */
int redis_reply_url(const struct redisReply *r, char out[STORE_URL_MAX]) must_check;
/* Generation, keys, URLs. hour is the one asked for. ERR_FORMAT. */
int redis_reply_heard(const struct redisReply *r, uint64_t hour, struct store_heard *out) must_check;
