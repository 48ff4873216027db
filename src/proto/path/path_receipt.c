/* SPDX-License-Identifier: Apache-2.0 */
/* What has arrived of what we send. Pure; control thread. docs/PROTOCOL.md §9. */

#include "proto/path/path_receipt.h"

#include "base/bytes.h"

#define FLAG_PRESSED 1

void path_receipt_encode(const struct path_receipt *r, uint8_t out[PATH_RECEIPT_LEN])
{
    struct writer w = writer_init(out, PATH_RECEIPT_LEN);
    writer_u64(&w, r->received);
    writer_u8(&w, r->pressed ? FLAG_PRESSED : 0);
}

void path_receipt_decode(const uint8_t *data, uint64_t len, struct path_receipt *out)
{
    *out = (struct path_receipt){0};
    if (len < PATH_RECEIPT_LEN)
        return;
    struct reader r = reader_init(data, PATH_RECEIPT_LEN);
    out->there = true;
    out->received = reader_u64(&r);
    out->pressed = reader_u8(&r) & FLAG_PRESSED;
}

void path_receipts_begin(struct path_receipts *r)
{
    *r = (struct path_receipts){0};
}

/* More arrived than was sent when what the peer counts was on its way already. */
static uint64_t missing(uint64_t sent, uint64_t received)
{
    return sent > received ? sent - received : 0;
}

/* Since data last passed, is it still too soon to tell, or has it been swallowed? */
static enum path_verdict judge_silence(struct path_receipts *r, const struct path_mark *now)
{
    uint64_t gone = now->sent - r->passed.sent, here = now->received - r->passed.received;
    if (here * PATH_RECEIPTS_SHARE >= gone) {
        r->passed = *now;
        return PATH_VERDICT_CARRIES;
    }
    if (gone < PATH_RECEIPTS_SWALLOWED)
        return PATH_VERDICT_NONE;
    return now->at_us - r->passed.at_us >= PATH_RECEIPTS_SILENT_US ? PATH_VERDICT_SWALLOWS
                                                                   : PATH_VERDICT_SUSPECTS;
}

static enum path_verdict judge_losses(struct path_receipts *r, const struct path_mark *now)
{
    uint64_t gone = now->sent - r->window.sent, here = now->received - r->window.received;
    if (now->at_us - r->window.at_us < PATH_RECEIPTS_WINDOW_US)
        return PATH_VERDICT_NONE;
    r->window = *now;
    if (gone < PATH_RECEIPTS_LEAST)
        return PATH_VERDICT_NONE;
    return missing(gone, here) * PATH_RECEIPTS_LOSS > gone ? PATH_VERDICT_LOSES : PATH_VERDICT_CARRIES;
}

void path_receipts_ask(struct path_receipts *r, uint64_t token, uint64_t sent)
{
    r->asked[r->next_asked++ % PATH_RECEIPTS_ASKED] = (struct path_asked){token, sent};
}

/* Each probe is answered once. */
static bool take_asked(struct path_receipts *r, uint64_t token, uint64_t *sent)
{
    for (unsigned i = 0; i < PATH_RECEIPTS_ASKED; i++) {
        if (!token || r->asked[i].token != token)
            continue;
        *sent = r->asked[i].sent;
        r->asked[i].token = 0;
        return true;
    }
    return false;
}

enum path_verdict path_receipts_judge(struct path_receipts *r, uint64_t token,
                                      const struct path_receipt *receipt, uint64_t now_us)
{
    struct path_mark now = {.received = receipt->received, .at_us = now_us};
    if (!receipt->there || !take_asked(r, token, &now.sent))
        return PATH_VERDICT_NONE;
    if (r->begun && now.sent < r->newest)
        return PATH_VERDICT_NONE; /* overtaken by a newer answer */
    bool anew = !r->begun || receipt->pressed || receipt->received < r->passed.received;
    r->newest = now.sent;
    /* The peer counts anew after a restart; and what it had no time for, the path has not lost. */
    if (anew) {
        r->begun = true;
        r->window = r->passed = now;
        return receipt->pressed ? PATH_VERDICT_CARRIES : PATH_VERDICT_NONE;
    }
    enum path_verdict silence = judge_silence(r, &now);
    return silence == PATH_VERDICT_CARRIES ? judge_losses(r, &now) : silence;
}
