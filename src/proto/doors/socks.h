/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* SOCKS 5 (RFC 1928) with a name and a password (RFC 1929), the server's side. Each reader takes the bytes from the beginning of one
 * message on and returns its length, 0 while more are needed, or ERR_FORMAT. Pure. */

#include "base/bytes.h"
#include "proto/doors/outcome.h"
#include "proto/doors/destination.h"

#define SOCKS_MESSAGE_MAX 513 /* the longest: a name and a password */
#define SOCKS_REPLY_MAX   22

/* RFC 1928 §3 */
enum socks_method { SOCKS_METHOD_NONE = 0x00, SOCKS_METHOD_WORDS = 0x02, SOCKS_METHOD_UNACCEPTABLE = 0xff };

/* RFC 1928 §4 */
enum socks_command { SOCKS_CONNECT = 1, SOCKS_BIND = 2, SOCKS_ASSOCIATE = 3 };

struct socks_request {
    uint8_t command; /* one of enum socks_command, or of the future */
    bool unknown;    /* the kind of its address is: there is no target */
    struct destination to;
};

/* Of a client. method returns the one that is taken: with words, or without. */
int socks_read_greeting(struct slice bytes, bool words, enum socks_method *method) must_check;

/* user and password lie in bytes. */
int socks_read_words(struct slice bytes, struct slice *user, struct slice *password) must_check;

/* A name that cannot be one is ERR_FORMAT. */
int socks_read_request(struct slice bytes, struct socks_request *out) must_check;

/* The answer to a request: bound is our address towards the target, or NULL. Returns its length. */
size_t socks_write_reply(enum outcome outcome, const struct addr *bound, uint8_t out[SOCKS_REPLY_MAX]);
