/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A network's CA: its key, which no node has, and its certificate, which every member has. */

#include "crypto/cert.h"
#include <stdbool.h>

struct cli_options;
struct identity;
struct place;

struct authority {
    struct identity *key;
    struct cert cert;
};

/* The CA of a network by the key of -ca FILE, for whose passphrase it asks, or else by the one that is in the network's folder. The
 * key is the certificate's. False when it complained, in the words of verb; else the caller frees out->key. */
bool authority_open(const struct cli_options *options, const char *verb, const struct place *place,
                    struct authority *out);

/* True when its key is in the network's folder. */
bool authority_is_here(const struct place *place);

/* Only the key, from a file that a person names. */
bool authority_read_key(const char *verb, const char *file, struct identity **out);
