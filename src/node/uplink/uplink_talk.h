/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the backbone says on an uplink's channel, as the line's events (uplink_line.h). context: the uplink. Control thread. */

struct uplink_message;

void uplink_on_message(void *context, const struct uplink_message *m);
void uplink_on_malformed(void *context);
