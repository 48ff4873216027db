/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What -forward and -listen say, from text. Every reader returns NULL, or what is wrong as the end of a sentence
 * (config_value.h). Any thread. */

#include "node/config/config.h"

/* "tcp:[ADDR:]PORT:HOST:PORT", or udp, whose HOST is an address: ADDR is a loopback address, 127.0.0.1 when it is missing, HOST an address of the mesh or
 * a member's name. An IPv6 address stands in brackets. */
const char *config_read_forward(const char *text, struct config_door *out) must_check;

/* "tcp:PORT:HOST:PORT": HOST is an address that this machine reaches, or localhost. */
const char *config_read_listen(const char *text, struct config_door *out) must_check;

/* "[ADDR:]PORT": 127.0.0.1 without an address, which is one of this machine's. */
const char *config_read_local(const char *text, struct addr *out) must_check;
