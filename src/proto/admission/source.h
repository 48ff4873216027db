/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What stands for the address of who comes, where fairness goes by addresses: its own, or for one who comes by an uplink one
 * that is made of its id. All of a backbone lie in one /48, each id in a /64 of it; so do all that come over sessions. A value;
 * pure. */

#include "proto/wire/target.h"

struct addr source_of(const struct target *from);
