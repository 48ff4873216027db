/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who says by HELLO that it has an address, or a MAC: a hint whom to ask, and no more. One that several claim is nobody's,
 * and so is one that is asked for again at once: a claim that is wrong or out of date costs no more than one question.
 * Looking up takes no lock and one step, whatever peers claim. docs/PROTOCOL.md §13. Used by switch.c alone.
 *
 *   cell, by a keyed hash   63            32 31       16 15        0
 *                         +----------------+-----------+-----------+
 *                         | tags, XOR      | slots,XOR | claims    |   once for peers that are here, once for absent ones
 *                         +----------------+-----------+-----------+
 *                         with one claim: that one's
 */

#include "base/addr.h"
#include "base/err.h"
#include "base/random.h"
#include <stdint.h>

#define OWNERS_PER_PEER 12

struct owners;

int owners_new(unsigned peers, const struct random_source *random, struct owners **out) must_check;
void owners_free(struct owners *o);

/* An address, without its port, or a MAC, as the table's key. */
uint64_t owners_key(const struct owners *o, const struct addr *a);
uint64_t owners_key_mac(const struct owners *o, const uint8_t mac[6]);

/* The peer in slot claims these keys, OWNERS_PER_PEER at most, and those of before no longer. It is here, or it is absent:
 * somebody who may come back. Control thread. */
enum owners_state { OWNERS_HERE, OWNERS_ABSENT, OWNERS_STATES };
void owners_claim(struct owners *o, uint32_t slot, enum owners_state state, const uint64_t *list,
                  unsigned count);

/* What the peer in slot claims it claims as an absent one from now on. Control thread. */
void owners_leave(struct owners *o, uint32_t slot);

/* The slot of the only one in that state who claims the key; SWITCH_PORT_FLOOD: nobody does, or several. Any thread. */
int owners_find(const struct owners *o, enum owners_state state, uint64_t key);

/* As owners_find of those that are here, for a question that is about to be sent: SWITCH_PORT_FLOOD also when one for the
 * same key came in the last SWITCH_ASK_AGAIN_S. Any thread. */
int owners_ask(struct owners *o, uint64_t key, uint64_t now_us);
