/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Asks now and then whether a backbone that was left for another instance answers again where it was given.
 * docs/PROTOCOL.md §20. Control thread. */

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define HOMING_WAIT_MS (5 * 60 * 1000) /* between two questions; less up to an eighth */
#define HOMING_DOUBLED 4               /* times, when returns fail one after the other */

struct homing;
struct registration_config;

struct homing_config {
    unsigned wait_ms;
    void (*answers)(void *context); /* it may be returned to */
    void *context;
};

/* Where it asks, by whom and by which ways stands in `at`, of which done and all behind it is not looked at. What both have is
 * borrowed until homing_close, themselves not. */
int homing_new(const struct homing_config *config, const struct registration_config *at,
               struct homing **out) must_check;

/* No event comes any more; the memory is released once the loop has closed our handles. NULL is allowed. */
void homing_close(struct homing *h);

/* It was left: asked after a wait, and again until it answers. One that was returned to in vain has a longer wait. */
void homing_begin(struct homing *h);

/* It is used where it was given, for want of another. */
void homing_end(struct homing *h);

/* It was returned to, and serves. */
void homing_arrived(struct homing *h);

/* Whether it was returned to and has not yet served. */
bool homing_is_returning(const struct homing *h);
