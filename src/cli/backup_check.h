/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whether a backup is whole: a node would start with it. */

#include "crypto/backup.h"
#include <stdbool.h>

/* What a backup brings back. */
struct backup_content {
    struct cert member; /* this node's certificate, which may have expired */
    bool issuer, ca;    /* it has what makes an issuer, and the CA's key */
};

/* Judges it: each key is its certificate's, and the certificates lead to the network's CA. NULL, or what is wrong, as the end of a
 * sentence. */
const char *backup_check(const struct backup *b, struct backup_content *out);
