/* SPDX-License-Identifier: Apache-2.0 */
/* HELLO and READY follow MEMBER at once, to save a round trip; they count when the certificate holds. docs/PROTOCOL.md §25.
 * Control thread. */

#include "proto/link/link_entry.h"

#include "proto/link/link_impl.h"
#include "proto/link/link_input.h"
#include <stdlib.h>

#define KEPT_MAX (sizeof(((struct link *)0)->kept) / sizeof(struct message *))

void link_enter(struct link *l, struct entry *e)
{
    l->entry = e;
    l->held = entry_state(e) != ENTRY_ADMITTED;
}

struct entry *link_entry(const struct link *l)
{
    return l->entry;
}

bool link_may_bring(struct link *l, size_t len)
{
    if (!l->held)
        return true;
    if (len > LINK_HELD_MAX - l->held_bytes) {
        link_fail(l, ERR_SPACE, "it sends more than a member has to say before it is admitted");
        return false;
    }
    l->held_bytes += len;
    return true;
}

bool link_holds(const struct link *l, enum message_type type)
{
    return l->held && (type == MESSAGE_HELLO || type == MESSAGE_READY);
}

bool link_keep(struct link *l)
{
    struct message *copy = l->kept_count < KEPT_MAX ? malloc(sizeof(*copy)) : NULL;
    if (!copy)
        return false;
    *copy = *l->message;
    l->kept[l->kept_count++] = copy;
    return true;
}

int link_next_message(struct link *l)
{
    if (l->held || !l->kept_count)
        return channel_next(l->channel, l->message);
    *l->message = *l->kept[0];
    free(l->kept[0]);
    l->kept[0] = l->kept[1];
    l->kept[1] = NULL;
    l->kept_count--;
    return 1;
}

enum link_event link_on_entry(struct link *l, uint64_t now_us)
{
    struct message answer;
    if (!l->entry)
        return LINK_EVENT_NONE;
    enum entry_state state = entry_on_message(l->entry, l->message, now_us);
    while (entry_take_answer(l->entry, &answer))
        link_send(l, &answer);
    if (state == ENTRY_REFUSED)
        return LINK_EVENT_UNFIT;
    if (!l->held || state != ENTRY_ADMITTED)
        return LINK_EVENT_NONE;
    l->held = false;
    return LINK_EVENT_ENTERED;
}

static void say_all(struct link *l)
{
    struct message m;
    while (asking_take_answer(l->asking, &m))
        link_send(l, &m);
}

int link_exporter(const struct link *l, uint8_t out[KDF_LEN])
{
    return l->channel ? channel_exporter(l->channel, out) : ERR_CRYPTO;
}

int link_ask(struct link *l, struct asking *a)
{
    uint8_t exporter[KDF_LEN];
    int err = link_exporter(l, exporter);
    if (err)
        return err;
    l->asking = a;
    asking_begin(a, link_peer_id(l), exporter);
    say_all(l);
    return 0;
}

struct asking *link_asking(const struct link *l)
{
    return l->asking;
}

enum link_event link_on_asking(struct link *l)
{
    enum asking_state before = asking_state(l->asking);
    enum asking_state after = asking_on_message(l->asking, l->message);
    say_all(l);
    return after == before ? LINK_EVENT_NONE : LINK_EVENT_ASKED;
}

void link_leave(struct link *l)
{
    entry_free(l->entry);
    l->entry = NULL;
    if (l->asking)
        asking_end(l->asking);
    l->asking = NULL;
    l->held = false;
    while (l->kept_count)
        free(l->kept[--l->kept_count]);
}
