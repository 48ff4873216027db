/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the peer says has arrived of our data, in its answers to probes: whether the path that carries carries. Probes may
 * pass where data does not: they are of other sizes, and whoever sends our datagrams on may choose. docs/PROTOCOL.md §9.
 *
 * All data takes the path that carries. So what was sent since it was chosen, and what has arrived meanwhile, are of
 * that path, whatever it is: both ends count in all, and nobody counts by path. A probe is sent behind the data that is
 * counted with it. A peer that lies moves its own traffic. Pure; control thread. */

#include <stdbool.h>
#include <stdint.h>

/* Behind an answer's PATH_PROBE_LEN bytes:
 *
 *   32  datagrams of data that arrived, in all (8)
 *   40  flags: 1 PRESSED
 */
#define PATH_RECEIPT_LEN 9
struct path_receipt {
    bool there;        /* older peers give none */
    uint64_t received; /* datagrams of data that arrived from the asker, since the peer knows it */
    bool pressed;      /* of late its node dropped datagrams because it had no time for them */
};
void path_receipt_encode(const struct path_receipt *r, uint8_t out[PATH_RECEIPT_LEN]);
/* Not there when it is too short. Flags of later versions mean nothing. */
void path_receipt_decode(const uint8_t *data, uint64_t len, struct path_receipt *out);

#define PATH_RECEIPTS_WINDOW_US 1000000ull /* losses are judged over so long at least … */
#define PATH_RECEIPTS_LEAST     20         /* … and over so many datagrams: */
#define PATH_RECEIPTS_LOSS      20         /* one in so many is too much */
#define PATH_RECEIPTS_SILENT_US 600000ull  /* a path that swallows has for so long … */
#define PATH_RECEIPTS_AGAIN_US  100000ull  /* (until then it is asked so often) */
#define PATH_RECEIPTS_SWALLOWED 8          /* … taken so many … */
#define PATH_RECEIPTS_SHARE     4          /* … and delivered less than one in so many */

enum path_verdict {
    PATH_VERDICT_NONE,     /* nothing is known yet */
    PATH_VERDICT_SUSPECTS, /* nothing has passed of late: the next answer is wanted soon */
    PATH_VERDICT_CARRIES,  /* what was sent has arrived */
    PATH_VERDICT_LOSES,    /* more than one in PATH_RECEIPTS_LOSS has not */
    PATH_VERDICT_SWALLOWS, /* next to nothing has */
};

/* Probes of the path that carries, and how many datagrams of data had been sent before each. */
#define PATH_RECEIPTS_ASKED 8
struct path_asked {
    uint64_t token, sent;
};

/* Both counts at one moment. */
struct path_mark {
    uint64_t sent, received, at_us;
};

struct path_receipts {
    bool begun;
    struct path_asked asked[PATH_RECEIPTS_ASKED]; /* token 0: none */
    unsigned next_asked;
    struct path_mark window; /* when the one began in which losses are judged … */
    struct path_mark passed; /* … and when data last passed */
    uint64_t newest;         /* sent, of the newest answer */
};

/* Another path carries from now on. */
void path_receipts_begin(struct path_receipts *r);

/* A probe is sent by it, behind so many datagrams of data in all. */
void path_receipts_ask(struct path_receipts *r, uint64_t token, uint64_t sent);

/* The answer to it. */
enum path_verdict path_receipts_judge(struct path_receipts *r, uint64_t token,
                                      const struct path_receipt *receipt, uint64_t now_us);
