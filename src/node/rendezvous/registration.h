/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One attempt at a time to be registered with the backbone: its name, what it is, a challenge, our signature, the
 * record. Control thread; helpers and the pool do the work. */

#include "base/addr.h"
#include "base/err.h"
#include "node/helper/helper_message.h"
#include "proto/message/record.h"
#include <stdbool.h>
#include <uv.h>

#define REGISTRATION_LIFETIME_S 600 /* of a record */

struct helper_client;
struct identity;
struct name_client;
struct registration;
struct ways;

struct registration_outcome {
    enum backbone_verdict verdict;
    char cause[HELPER_TEXT_MAX]; /* of any verdict but OK: one phrase */
    bool registered;             /* anew, at present */
    struct addr udp;             /* where the backbone answers STUN requests; family 0 when it did not say */
    uint64_t date_s;             /* its clock, seconds since 1970; 0 when it did not tell */
};

struct registration_config {
    uv_loop_t *loop;
    const char *url;              /* borrowed, as the following */
    const char *proxy;            /* the URL of the one by which it is reached; NULL: none */
    struct helper_client *helper; /* that speaks with the backbone … */
    unsigned backbone;            /* … and knows it by this number */
    struct name_client *names;
    const struct identity *me;
    const struct ways *ways; /* out of this machine, as they are at present */
    void (*done)(void *context, const struct registration_outcome *outcome);
    /* Of the instances that share its store it told these, as backbone_api's answer has them. */
    void (*instances)(void *context, struct slice list);
    void *context;
};

int registration_new(const struct registration_config *config, struct registration **out) must_check;

/* Begins one, which ends with done; not before that may another begin. record describes us; the rest of it is filled
 * here. Where neither wanted nor is the backbone another process than the one that has our record, the record is not
 * sent. done may come in here. */
void registration_start(struct registration *r, const struct record *record, bool wanted);

/* As registration_start, but ends once the backbone has said that it is there; what else it says is not told. */
void registration_look(struct registration *r);

/* The backbone is at that URL from now on, another instance's; empty: where it was given. Borrowed until the next. An attempt
 * is given up without a word: true. One that cannot be given up now ends with done, which says nothing of the new place:
 * false. */
bool registration_move(struct registration *r, const char *url);

/* That URL; empty: where it was given. */
const char *registration_instance(const struct registration *r);

/* By which way out it was asked last; 0: the kernel's choice, which each attempt begins with. A standby is asked by when nothing
 * answers by those before. */
uint32_t registration_interface(const struct registration *r);

/* Where the backbone, or the proxy, is, as far as its name was looked up. Returns how many; borrowed. */
unsigned registration_addresses(const struct registration *r, const struct addr **out);

/* No done comes any more. The memory is released once the loop has closed our handles. */
void registration_close(struct registration *r);
