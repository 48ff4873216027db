/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Version 2 of the PROXY protocol (HAProxy's proxy-protocol.txt): what a proxy of ours says in front of a connection about
 * who it comes from. Pure. */

#include "base/addr.h"
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

#define PROXY_HEADER_LEAST 16   /* bytes after which its length is known */
#define PROXY_HEADER_MAX   2048 /* … of one that is taken: addresses, and extensions that are skipped */

/* What a connection begins with. 0: one of *len bytes; source is who it names, family 0 when it names nobody (the proxy's
 * own check). ERR_AGAIN: the beginning of one; *len bytes are needed to go on. ERR_UNSUPPORTED: something else.
 * ERR_FORMAT: one that is malformed or too long. */
int proxy_header_decode(const uint8_t *bytes, size_t have, struct addr *source, size_t *len) must_check;
