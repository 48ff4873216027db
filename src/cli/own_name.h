/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What this machine's node is called in a network. */

#include "crypto/cert.h"

/* chosen, or a name made of the host's when it is NULL. Returns out, or NULL when chosen can be no name: it complained. */
const char *own_name_choose(const char *chosen, char out[CERT_LABEL_MAX]);
