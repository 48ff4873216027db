/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The command ping, and those that wait for their answers. docs/PROTOCOL.md §11. Control thread. */

#include <jansson.h>
#include <stdint.h>

struct api_call;
struct backbones;
struct device;
struct mesh;

#define PINGS_MAX        16
#define PINGS_TIMEOUT_US 2000000ull

struct pings {
    struct mesh *mesh;                 /* sends them */
    const struct backbones *backbones; /* NULL without -backbone */
    const struct device *device;       /* names interfaces */
    struct ping {
        struct api_call *call; /* NULL: free */
        uint32_t slot;
        uint64_t token, deadline_us;
    } list[PINGS_MAX];
    uint64_t last_token;
};

/* Borrows all. */
void pings_init(struct pings *p, struct mesh *mesh, const struct backbones *backbones,
                const struct device *device);

/* Answers call when the peer does, or says why not. */
void pings_start(struct pings *p, const json_t *request, struct api_call *call);

/* The peer has answered the ping with this token: MESH_OUTPUT_PONG. */
void pings_pong(struct pings *p, uint64_t token, uint32_t rtt_us);

/* Tells those whose peers did not. */
void pings_tick(struct pings *p, uint64_t now_us);

/* The node ends: tells all. */
void pings_end(struct pings *p);
