/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What lanes are made of, while they are used. */

struct session;

/* keychain_ops.cool, with the link as context. */
void mesh_cool_lanes(void *context, struct session *s);
