/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is wrong with this node as long as it is so: told once in the log, and standing in `status` for who looks
 * later. One of a kind, the newest. Pure; control thread. */

#include <stdint.h>

#define WARNING_TEXT_MAX 512

enum warning {
    WARNING_CLOCK,       /* ours is far from the backbone's */
    WARNING_OWN_KEY,     /* another host uses our key */
    WARNING_SHARED_KEY,  /* two hosts use a peer's key */
    WARNING_LISTS,       /* what is known of revoked keys is old */
    WARNING_CERTIFICATE, /* ours is not renewed, and it is time */
    WARNING_ISSUER,      /* ours as an issuer nears its end */
    WARNING_CLOCKS,      /* ours is far from the members', or before what was signed */
    WARNING_QUEUE,       /* sockets hold little of what comes in */
    WARNING_COUNT
};

struct warnings {
    struct {
        char text[WARNING_TEXT_MAX];
        uint64_t until_us; /* it is taken to be over from then on */
    } list[WARNING_COUNT];
};

void warnings_set(struct warnings *w, enum warning what, const char *text, uint64_t until_us);

/* NULL when there is none of this kind. Borrowed until it is set again. */
const char *warnings_text(const struct warnings *w, enum warning what, uint64_t now_us);
