/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What backbones.c (all of them) and backbone.c (one) share; nobody else includes this. Control thread. */

#include "node/backbones/backbones.h"
#include "node/backbones/instances.h"

#include <stdbool.h>

struct homing;
struct instance_cache;
struct rendezvous;
struct uplink;
struct visits;

struct backbone {
    struct backbones *all;
    unsigned number;
    const struct proxy *proxy;
    struct instances instances;    /* where it is used */
    bool up;                       /* our uplink is */
    struct rendezvous *rendezvous; /* NULL once it is closed, … */
    struct homing *homing;         /* … as this is */
    struct uplink *uplink;
    struct addr at; /* where its UDP was last reached; without family: not yet */
};

struct backbones {
    struct backbones_config config;
    struct visits *visits;
    struct instance_cache *cache; /* NULL: nothing is kept on disk */
    unsigned count;               /* of those that are made */
    struct backbone list[UPLINKS_MAX];
};

/* Makes the next of them; its registration begins with rendezvous_start. Takes the place's end, also on an error. */
int backbones_open(struct backbones *all, const struct backbones_place *place) must_check;
