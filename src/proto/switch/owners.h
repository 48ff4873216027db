/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who says by HELLO that it has an address: a hint whom to ask, and no more. One that several claim is nobody's, and so is
 * one that is asked for again at once: a claim that is wrong or out of date costs no more than one question. Looking up takes no lock and one step, whatever peers claim. docs/PROTOCOL.md §13. Used by switch.c alone.
 *
 *   cell, by a keyed hash   63            32 31       16 15        0
 *                         +----------------+-----------+-----------+
 *                         | tags, XOR      | slots,XOR | claims    |
 *                         +----------------+-----------+-----------+   with one claim: that one's
 */

#include "base/addr.h"
#include "base/err.h"
#include "base/random.h"
#include <stdint.h>

#define OWNERS_PER_PEER 8

struct owners;

int owners_new(unsigned peers, const struct random_source *random, struct owners **out) must_check;
void owners_free(struct owners *o);

/* An address, without its port, as the table's key. */
uint64_t owners_key(const struct owners *o, const struct addr *a);

/* The peer in slot claims these keys, OWNERS_PER_PEER at most, and those of before no longer. Control thread. */
void owners_claim(struct owners *o, uint32_t slot, const uint64_t *list, unsigned count);

/* The slot of the only one who claims the key of a question that is about to be sent. SWITCH_PORT_FLOOD: nobody does, or
 * several, or one for the same key came in the last SWITCH_ASK_AGAIN_S. Any thread. */
int owners_ask(struct owners *o, uint64_t key, uint64_t now_us);
