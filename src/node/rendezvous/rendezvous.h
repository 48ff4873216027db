/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The node's dealings with the backbone: registers the signed record, refreshes it at half-life, looks up ids. A helper
 * process speaks HTTP (node/helper); results arrive on the control thread.
 * A backbone that answers is asked every 8 s whether it still is there; one that does not, after 0.25 s to
 * 2 s in the first minute, then up to 15 s. The log tells the first failure,
 * changes of cause, and recovery. */

#include "base/err.h"
#include "base/id.h"
#include "crypto/identity.h"
#include "proto/message/record.h"
#include <stdbool.h>
#include <uv.h>

struct helper_client;
struct name_client;
struct rendezvous;
struct ways;

struct rendezvous_config {
    uv_loop_t *loop;
    const char *url;              /* borrowed */
    const char *proxy;            /* as registration_config's; borrowed */
    struct helper_client *helper; /* that speaks with the backbone; borrowed until rendezvous_close … */
    unsigned backbone;            /* … and knows it by this number */
    struct name_client *names;    /* likewise */
    const struct identity *me;    /* borrowed until the loop has closed our handles … */
    const struct ways *ways;      /* … as are the ways out of this machine, which others change */
    /* Fills candidates, name, network and is_public of our record; the rest is set by rendezvous. */
    void (*describe)(void *context, struct record *record);
    /* A verified record of an id that was asked for, and its bytes. */
    void (*found)(void *context, const struct record *record, const struct record_bytes *bytes);
    /* There is no record of an id that was asked for, or no answer; why is the end of a sentence, told when it changes
     * and at each look-up. */
    void (*missing)(void *context, const struct node_id *id, const char *why);
    /* The backbone told its clock: ours is so many seconds ahead of it. */
    void (*clock)(void *context, int64_t ahead_s);
    /* The backbone became reachable or went away, or moved. udp is the address for STUN requests (that at
     * which HTTP reached it, with the port that it names), family 0 when it is unreachable, or not known. */
    void (*state)(void *context, bool reachable, const struct addr *udp);
    /* An attempt has ended: it answers, by that way out (0: the kernel's choice), or is not reached. Later than what else is told
     * of it. */
    void (*tried)(void *context, bool reachable, uint32_t interface);
    /* A wanted id, which its owner is said to be linked at: that URL, which is anybody's word. */
    void (*linked)(void *context, const struct node_id *id, const char *url);
    /* As registration_config's. */
    void (*instances)(void *context, struct slice list);
    void *context;
};

/* Callbacks may call any function below, rendezvous_close too. */
int rendezvous_new(const struct rendezvous_config *config, struct rendezvous **out) must_check;

/* Begins; and stops: unregisters nothing (the record expires), cancels requests. No callback comes after
 * rendezvous_close. The memory is released once the loop has closed its handles. */
void rendezvous_start(struct rendezvous *r);
void rendezvous_close(struct rendezvous *r);

/* It is at that URL from now on, another instance's; empty: where it was given. Asked at once. The URL is borrowed until the
 * next. */
void rendezvous_move(struct rendezvous *r, const char *url);

/* Whether it answered when it was last asked. */
bool rendezvous_is_reachable(const struct rendezvous *r);

/* Whether it has our record; if not, *why is the cause, empty while there is none yet. Borrowed until the next turn of
 * the loop. */
bool rendezvous_is_registered(const struct rendezvous *r, const char **why);

/* Where it, or its proxy, is, as far as its name was looked up. Returns how many; borrowed. */
unsigned rendezvous_addresses(const struct rendezvous *r, const struct addr **out);

/* Our description changed: register anew soon (coalesced over 200 ms). */
void rendezvous_changed(struct rendezvous *r);

/* Look id up, now and again until rendezvous_forget: every 1 s for the first 10 s and after the backbone came
 * back, then every 4 s, more slowly when many ids are wanted (8 requests a second in all). Wanting an id
 * twice starts its first 10 s anew. Ids beyond WANTS_WANTED_MAX are not looked up. A record older than one that
 * was seen of its id in this run is not handed on, also when the id was forgotten meanwhile. */
void rendezvous_want(struct rendezvous *r, const struct node_id *id);
void rendezvous_forget(struct rendezvous *r, const struct node_id *id);
