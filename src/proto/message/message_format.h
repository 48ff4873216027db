/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What each message holds, as tables: message.c encodes and decodes by them. Internal to proto/message; pure. */

#include "base/bytes.h"
#include "proto/message/message.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A kind of value; value points to it inside a struct message. */
struct message_kind {
    bool (*empty)(const void *value, size_t size);
    void (*put)(struct writer *w, const void *value, size_t size);
    void (*take)(struct reader *r, void *value, size_t size); /* one that is out of range makes r bad */
};

struct message_field {
    uint8_t key;   /* ascending in a message */
    bool optional; /* not written when empty, and may be missing */
    size_t offset, size;
    const struct message_kind *kind;
};

struct message_format {
    const struct message_field *fields;
    unsigned count;
    bool known;
};

/* Of message_lists.c: value is the whole message; a struct slice. */
extern const struct message_kind message_lists_kind, message_part_kind;

/* NULL when the type is not known here. */
const struct message_format *message_format(uint64_t type);
