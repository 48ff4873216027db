/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Doors as the command status tells of them. Control thread. */

#include <jansson.h>

struct config;
struct doors;

/* null: there is none. */
json_t *status_doors(const struct config *config, const struct doors *doors);
