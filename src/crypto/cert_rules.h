/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a certificate's values may be, whoever made them: the same rules when it is signed and when it is read. */

#include <stdbool.h>
#include <stddef.h>

struct addr;
struct cert;

/* True when the value, with its id, keeps every rule of the profile. Any thread. */
bool cert_rules_hold(const struct cert *cert);

/* Of those, the rule for a member's addresses. */
bool cert_addresses_hold(const struct addr *list, size_t count);
