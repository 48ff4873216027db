/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where one backbone is used: at the URL that we were given, or at another instance that shares its store, which it named.
 * An instance is only a place: whatever is said of one decides where we knock, and how often at most. Time and randomness
 * come in; one thread. docs/PROTOCOL.md §20. */

#include "base/bucket.h"
#include "base/bytes.h"
#include "node/helper/helper_message.h"
#include <stdbool.h>
#include <stdint.h>

#define INSTANCES_MAX      16              /* that are remembered of one backbone */
#define INSTANCES_URL_MAX  HELPER_TEXT_MAX /* with its NUL; longer ones are not remembered */
#define INSTANCES_KNOCK_US (10 * USEC_PER_SEC)
#define INSTANCES_KNOCKS   16 /* at instances at once, then one each INSTANCES_KNOCK_US */

struct instances {
    const char *home;             /* as it was given; borrowed */
    char away[INSTANCES_URL_MAX]; /* another instance that is used in its place; empty: none */
    unsigned count;
    bool tried[INSTANCES_MAX]; /* since something answered */
    char list[INSTANCES_MAX][INSTANCES_URL_MAX];
    bool home_tried;
    bool heard_here; /* the list came from where we are, which is the first in it */
    struct bucket knocks;
};

void instances_init(struct instances *i, const char *home);

/* The URL that is used. Borrowed until it changes. */
const char *instances_at(const struct instances *i);
bool instances_is_away(const struct instances *i);

/* Whether that may be another instance's URL, and out as it is used: a plain one of the scheme that we were given, or https. */
bool instances_take(const struct instances *i, const char *text, char out[INSTANCES_URL_MAX]);

/* Whether it is that of the place that is used, as far as we know its names, or of the one that was given. */
bool instances_is_here(const struct instances *i, const char *url);

/* A list of URLs, a line each, as the place that is used has told it, itself first. What instances_take does not take is
 * passed over. True when the list is another one than before. */
bool instances_learn(struct instances *i, struct slice list);

/* Likewise, as it was told before this start, by whatever place. */
void instances_remember(struct instances *i, struct slice list);

/* This one serves nobody of ours until something answers: another backbone of ours is used there. */
void instances_pass_over(struct instances *i, const char *url);

/* The place that is used answers no more: takes another one. False when there is none, or none may be tried now: then the one
 * that was given is used, and retried. */
bool instances_move_on(struct instances *i, uint32_t random, uint64_t now_us);

/* The one that was given is used again. */
void instances_return(struct instances *i);

/* It answers. */
void instances_answered(struct instances *i);
