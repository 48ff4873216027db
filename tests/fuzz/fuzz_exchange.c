/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that announce lists, send parts and vanish, in any order: nobody's key signs here, so nothing may ever be held; and no more
 * may be asked at once than there are places. */

#include "base/clock.h"
#include "crypto/cert.h"
#include "proto/network/exchange.h"
#include <stdlib.h>

#define SLOTS 12

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static struct exchange *x;
static struct rolls *rolls;
static uint64_t now_us;

/* One of few signers, so that parts may be of what was announced; the first is the CA. */
static struct node_id signer(struct reader *r)
{
    return (struct node_id){{reader_u8(r) % 4}};
}

static void say_lists(struct reader *r, uint32_t slot)
{
    struct message_list lists[MESSAGE_LISTS_MAX];
    unsigned count = reader_u8(r) % (MESSAGE_LISTS_MAX + 1);
    for (unsigned i = 0; i < count; i++) {
        lists[i] = (struct message_list){.kind = reader_u8(r) % 5};
        lists[i].signer = signer(r);
        lists[i].number = reader_u8(r);
    }
    exchange_on_lists(x, slot, lists, count, now_us);
}

static void send_part(struct reader *r, uint32_t slot)
{
    struct list_part part = {.kind = reader_u8(r) % 5};
    struct message_list list;
    enum rolls_verdict why = ROLLS_FALSE;
    part.signer = signer(r);
    part.number = reader_u8(r);
    part.total = reader_u16(r);
    part.offset = reader_u8(r);
    part.bytes.len = reader_u8(r);
    part.bytes.data = reader_take(r, part.bytes.len);
    if (!part.bytes.data)
        return;
    enum exchange_event event = exchange_on_part(x, slot, &part, now_us, &list, &why);
    check(event != EXCHANGE_TAKEN && (event != EXCHANGE_REFUSED || why != ROLLS_NEWER));
}

/* No slot twice before time passes, nor more than there are places; and the next time is not past. */
static void ask_all(void)
{
    struct list_part ask;
    uint32_t slot;
    unsigned asked = 0;
    while (exchange_next(x, now_us, &slot, &ask))
        check(slot < SLOTS && ++asked <= EXCHANGE_FETCHES_MAX);
    check(exchange_deadline(x) > now_us);
}

static void act(struct reader *r)
{
    uint8_t what = reader_u8(r);
    uint32_t slot = reader_u8(r) % SLOTS;
    switch (what % 8) {
    case 0:
        exchange_forget(x, slot);
        break;
    case 1:
        now_us += (uint64_t)reader_u16(r) * 1000;
        break;
    case 2:
    case 3:
        say_lists(r, slot);
        break;
    default:
        send_part(r, slot);
    }
    ask_all();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cert nobody = {.kind = CERT_CA};
    struct message_list lists[ROLLS_LISTS_MAX];
    struct reader r = reader_init(data, size);
    now_us = USEC_PER_SEC;
    if (rolls_new(&nobody, &rolls) || exchange_new(rolls, &x))
        abort();
    while (reader_left(&r))
        act(&r);
    check(rolls_lists(rolls, lists) == 0);
    exchange_free(x);
    rolls_free(rolls);
    return 0;
}
