/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a client says at a door that asks it where to: read from its socket up to the end of its request and not beyond, and answered.
 * One thread. */

#include "node/config/words.h"
#include "node/doors/door.h"
#include "proto/doors/outcome.h"
#include "proto/doors/destination.h"
#include <stddef.h>

#define DOOR_REQUEST_MAX 8192 /* bytes of a message */

enum door_asked {
    DOOR_ASKED_MORE,        /* the rest has to come */
    DOOR_ASKED_TARGET,      /* it wants to go there */
    DOOR_ASKED_REFUSED,     /* outcome says why not, which it has to be told */
    DOOR_ASKED_WRONG_WORDS, /* or none: refused, too */
    DOOR_ASKED_NOTHING,     /* it is gone, or speaks something else */
};

struct door_request {
    enum door_kind kind;       /* DOOR_SOCKS or DOOR_HTTP */
    const struct words *words; /* that it has to know; NULL: none. Borrowed */
    int fd;
    enum { DOOR_STEP_GREETING, DOOR_STEP_WORDS, DOOR_STEP_REQUEST } step;
    struct destination to;
    enum outcome outcome;
    size_t len;
    uint8_t bytes[DOOR_REQUEST_MAX];
};

/* Reads what is there. */
enum door_asked door_request_turn(struct door_request *r);

/* Answers what was asked at a door of that kind: with bound, our address towards the target, where there is one. Wrong words have an
 * answer of their own. ERR_CLOSED: the client is gone. */
int door_request_answer(enum door_kind kind, int fd, enum outcome outcome,
                        const struct addr *bound) must_check;
void door_request_refuse_words(enum door_kind kind, int fd);
