/* SPDX-License-Identifier: Apache-2.0 */
/* So few that a walk is cheap. docs/PROTOCOL.md §16. */

#include "proto/stream/stream_set.h"

#include "base/clock.h"
#include <stdlib.h>

#define STREAMS_MAX (STREAM_SET_OURS + STREAM_SET_THEIRS)

struct stream_set {
    struct session_stream *list[STREAMS_MAX];
    unsigned count;
};

struct stream_set *stream_set_new(void)
{
    return calloc(1, sizeof(struct stream_set));
}

void stream_set_free(struct stream_set *set)
{
    for (unsigned i = 0; set && i < set->count; i++)
        session_stream_free(set->list[i]);
    free(set);
}

bool stream_set_is_empty(const struct stream_set *set)
{
    return !set || set->count == 0;
}

static unsigned count_of(const struct stream_set *set, bool ours)
{
    unsigned count = 0;
    for (unsigned i = 0; set && i < set->count; i++)
        count += set->list[i]->ours == ours;
    return count;
}

bool stream_set_has_room(const struct stream_set *set)
{
    return count_of(set, false) < STREAM_SET_THEIRS;
}

bool stream_set_add(struct stream_set *set, struct session_stream *s)
{
    if (count_of(set, s->ours) >= (s->ours ? STREAM_SET_OURS : STREAM_SET_THEIRS))
        return false;
    set->list[set->count++] = s;
    return true;
}

void stream_set_remove(struct stream_set *set, struct session_stream *s)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < set->count; i++)
        if (set->list[i] != s)
            set->list[kept++] = set->list[i];
    set->count = kept;
    session_stream_free(s);
}

struct session_stream *stream_set_any(const struct stream_set *set)
{
    return stream_set_is_empty(set) ? NULL : set->list[0];
}

struct session_stream *stream_set_by_number(const struct stream_set *set, uint32_t number)
{
    for (unsigned i = 0; set && i < set->count; i++)
        if (set->list[i]->number == number)
            return set->list[i];
    return NULL;
}

struct session_stream *stream_set_by_conn(const struct stream_set *set, uint64_t conn)
{
    for (unsigned i = 0; set && i < set->count; i++)
        if (set->list[i]->conn == conn)
            return set->list[i];
    return NULL;
}

bool stream_set_next(struct stream_set *set, size_t room, uint64_t now_us, struct segment *out)
{
    for (unsigned i = 0; set && i < set->count; i++) {
        if (!stream_sender_next(&set->list[i]->out, room, now_us, out))
            continue;
        out->stream = set->list[i]->number;
        return true;
    }
    return false;
}

struct session_stream *stream_set_over(const struct stream_set *set, uint64_t now_us)
{
    for (unsigned i = 0; set && i < set->count; i++)
        if (session_stream_is_over(set->list[i], now_us))
            return set->list[i];
    return NULL;
}

uint64_t stream_set_deadline(const struct stream_set *set)
{
    uint64_t at = TIME_NEVER;
    for (unsigned i = 0; set && i < set->count; i++) {
        uint64_t one = session_stream_deadline(set->list[i]);
        at = one < at ? one : at;
    }
    return at;
}
