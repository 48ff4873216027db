/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Node ids: the first 20 bytes of SHA-384 over a node's DER SubjectPublicKeyInfo. Ids name; only whole
 * keys are compared once they are known. */

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

#define ID_LEN      20
#define ID_HEX_LEN  40
#define ID_TEXT_MAX (ID_HEX_LEN + 1)

struct node_id {
    uint8_t bytes[ID_LEN];
};

/* Reads exactly 40 hex digits (either case). ERR_ARGUMENT otherwise. */
int id_parse(const char *text, struct node_id *out) must_check;

/* Writes 40 lower-case hex digits and a NUL. Returns out. */
char *id_format(const struct node_id *id, char out[ID_TEXT_MAX]);

/* memcmp order: below zero when a is the lower id. */
int id_compare(const struct node_id *a, const struct node_id *b);

/* The MAC address of a device that we create: unicast, locally administered (IEEE 802-2014 §8.4), the rest as random as
 * the id. Whoever wants another's makes 2⁴⁶ keys. */
void id_mac(const struct node_id *id, uint8_t mac[6]);
