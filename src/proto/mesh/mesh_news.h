/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What connected peers tell each other between handshakes: CANDIDATES, WAKE, RENEW, ABOUT. On the stream of a link, or sealed. */

#include "proto/wire/drop.h"
#include <stdint.h>

struct link;
struct mesh;
struct message;

/* On l's stream; where there is none, in a datagram, which may be lost. */
void mesh_tell(struct mesh *m, struct link *l, const struct message *news);

/* What runs here and what time it is, to a member that wants to know. */
void mesh_tell_about(struct mesh *m, struct link *l, uint64_t now_us);

/* Datagrams pass no more: the peer is to open the way from its side. By whatever may still lead to it. */
void mesh_tell_to_wake(struct mesh *m, struct link *l);

/* The opener of l is to handshake anew when it should have, once a minute. */
void mesh_ask_to_renew(struct mesh *m, struct link *l, uint64_t now_us);

/* What it told is acted upon: it is within what it may say. */
void mesh_on_news(struct mesh *m, struct link *l, const struct message *news, uint64_t now_us);
/* In a datagram: if it is. */
enum drop mesh_on_sealed_news(struct mesh *m, struct link *l, const struct message *news, uint64_t now_us);
