/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How many bytes may pass in a second, of each source and of all together. Any thread; time comes in. docs/PROTOCOL.md §15 and
 * §17. */

#include "base/addr.h"
#include "base/err.h"
#include "base/random.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BYTE_RATES_MOST 66048 /* of one message: more than any has */

struct byte_rates;

int byte_rates_new(unsigned all_mbit, unsigned source_mbit, const struct random_source *random,
                   struct byte_rates **out) must_check;
void byte_rates_free(struct byte_rates *r); /* NULL is allowed */

enum byte_rates_verdict { BYTE_RATES_PASS, BYTE_RATES_SOURCE, BYTE_RATES_ALL }; /* which rate is exhausted */

/* Whether so many, BYTE_RATES_MOST at most, may pass now: then they are counted. Urgent ones have a sixteenth besides: a path that is used to
 * its rate still answers. */
enum byte_rates_verdict byte_rates_take(struct byte_rates *r, const struct addr *source, size_t bytes,
                                        bool urgent, uint64_t now_us);
