/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a stored entry looks like in JSON, and pages of many: bounded in entries and in bytes. The directory's thread. */

#include "backbone/answer.h"
#include "backbone/directory.h"

/* {"record":…,"signature":…}; NULL without memory. */
struct json_t *listing_signed_record(const struct store_entry *e);

/* Answers with one page of a network's members, whole records, or (network NULL) of public nodes, in short: now or later,
 * then done is called. request and network are borrowed during the call alone, out until then. */
void listing_answer(struct directory *d, const char *network, const struct request *request,
                    struct response *out, answer_done *done, void *context);
