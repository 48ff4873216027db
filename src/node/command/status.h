/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The command status: all that a node tells of itself. The JSON is a promise to scripts: it only grows.
 * docs/PROTOCOL.md §11. Control thread. */

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

struct addresses;
struct backbones;
struct config;
struct device;
struct doors;
struct identity;
struct mesh;
struct names;
struct overlay;
struct portmap;
struct relay_desk;
struct sandbox;
struct warnings;
struct workers;

/* Who knows it; all borrowed. */
struct status {
    const struct config *config;
    const struct identity *identity;
    const struct device *device;
    const struct mesh *mesh;
    const struct workers *workers;
    struct relay_desk *desk;           /* NULL: it relays for nobody … */
    unsigned relay_mbit;               /* … else so much */
    const uint64_t *drops;             /* DROP_COUNT: of datagrams that the control thread took */
    const struct backbones *backbones; /* NULL without -backbone */
    const struct addresses *addresses;
    const struct portmap *portmap; /* NULL with -portmap off */
    const struct doors *doors;     /* NULL where there is none */
    const struct network *network; /* NULL without -network */
    const struct names *names;     /* NULL while it joins, with -dns off, or without -network */
    const struct sandbox *sandbox;
    const struct warnings *warnings;
    struct overlay *overlay;
    uint64_t started_us;
    pid_t broker; /* of -rootless; 0 without */
};

/* For the caller to decref. */
json_t *status_describe(const struct status *s, uint64_t now_us);
