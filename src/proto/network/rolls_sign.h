/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the rolls sign by themselves. Internal to proto/network. */

#include "base/bytes.h"
#include "proto/network/rolls.h"

/* A list that lacks a key which is held of its signer. If that is us, one of both is signed, which is newer than either; else the
 * verdict stays ROLLS_CONTRARY. */
enum rolls_verdict rolls_unite(struct rolls *r, struct slice bytes);
