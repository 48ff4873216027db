/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A handshake from TLS's end to keys that carry: admission, HELLO, and the choice between two links. */

#include <stdbool.h>
#include <stdint.h>

struct link;
struct mesh;

/* TLS has told who is there: admits or refuses whoever dialled us, and greets; in a network it may have to show a certificate
 * first. False: the link is gone. */
bool mesh_on_identified(struct mesh *m, struct link *l, uint64_t now_us);

/* Its certificate holds: admits and greets whoever dialled us. False: the link is gone. */
bool mesh_on_entered(struct mesh *m, struct link *l, uint64_t now_us);

/* Its HELLO has come: the keys are agreed upon. False: the link is gone. */
bool mesh_on_keyable(struct mesh *m, struct link *l, uint64_t now_us);

/* It is ready to carry: both ends choose between it and the one that carries now by the same rule. */
void mesh_on_live(struct mesh *m, struct link *l, uint64_t now_us);
