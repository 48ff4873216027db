/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The control streams over the sessions with one peer: a few, made at first use. docs/PROTOCOL.md §16. Pure; control thread. */

#include "proto/stream/session_stream.h"

#define STREAM_SET_OURS   4 /* streams that we opened … */
#define STREAM_SET_THEIRS 4 /* … and that the peer did */

struct stream_set;

/* NULL when out of memory. */
struct stream_set *stream_set_new(void);
/* NULL is allowed, here and below, for a set of nothing. */
void stream_set_free(struct stream_set *set);
bool stream_set_is_empty(const struct stream_set *set);

/* Takes s. False: there are as many already. */
bool stream_set_add(struct stream_set *set, struct session_stream *s) must_check;
/* Whether one more that the peer opens has room. */
bool stream_set_has_room(const struct stream_set *set);
/* Frees s. */
void stream_set_remove(struct stream_set *set, struct session_stream *s);

/* NULL: there is none. */
struct session_stream *stream_set_any(const struct stream_set *set);
struct session_stream *stream_set_by_number(const struct stream_set *set, uint32_t number);
struct session_stream *stream_set_by_conn(const struct stream_set *set, uint64_t conn);

/* The next segment that is to be sent, as stream_sender_next; one that is over, or NULL; when to ask again. */
bool stream_set_next(struct stream_set *set, size_t room, uint64_t now_us, struct segment *out);
struct session_stream *stream_set_over(const struct stream_set *set, uint64_t now_us);
uint64_t stream_set_deadline(const struct stream_set *set);
