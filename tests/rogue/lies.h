/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a rogue does with its session, one lie at a time. */

#include "puppet.h"

struct rogue {
    struct puppet puppet;
    struct hello hello;      /* what it says of itself at each connection */
    uint8_t source[6];       /* whose frames it sends */
    uint8_t destination[6];  /* to whom */
    struct addr bystander;   /* whom it names as itself */
    uint64_t random;         /* a cheap generator's state: payloads differ, that is all */
    unsigned dials, refused; /* connections that were made, and that the node did not go along with */
    char refusal[MESSAGE_TEXT_MAX + 1];
};

struct lie {
    const char *name, *help;
    bool redials; /* it lives by its connections: a closed one is made anew before each */
    bool is_deaf; /* it takes nothing that comes: no path to it answers */
    /* Tells the lie once, or a batch of it; returns how many messages, frames or connections that was. */
    unsigned (*tell)(struct rogue *r);
};

/* NULL when there is no lie of that name. */
const struct lie *lie_find(const char *name);
void lies_list(void);

/* Connects with a fresh HELLO. False, and counted, when the node does not go along. */
bool rogue_dial(struct rogue *r);
