/* SPDX-License-Identifier: Apache-2.0 */
/* A router that answers anything at any time: nothing is held that cannot be, questions keep their pace, and the end
 * comes. Input: what happens, each with a length, a pause and that many bytes. */

#include "base/clock.h"
#include "proto/portmap/mapper.h"
#include <stdlib.h>
#include <string.h>

#define UNIT_US 50000 /* of a pause */

static void check(bool ok)
{
    if (!ok)
        abort();
}

struct life {
    struct mapper m;
    uint64_t begun_us, now_us;
    unsigned asked;
};

static void check_held(const struct life *l)
{
    for (unsigned i = 0; i < MAPPER_PORTS; i++) {
        const struct addr *a = &l->m.held[i].external;
        check(!a->family || (a->family == l->m.config.client.family && a->port && !addr_is_unspecified(a)));
        check(!a->family || l->m.held[i].until_us > l->now_us || l->m.next_us <= l->now_us ||
              mapper_next_us(&l->m) <= l->now_us);
    }
}

/* Rounds begin a second apart: at most four questions of three tries each. */
static void ask(struct life *l)
{
    uint8_t out[PCP_MAP_LEN];
    size_t len;
    while ((len = mapper_poll(&l->m, l->now_us, out)) > 0) {
        check(len <= sizeof(out));
        l->asked++;
        check(l->asked <= 12 * ((l->now_us - l->begun_us) / MAPPER_PAUSE_US + 2));
    }
    check(mapper_next_us(&l->m) > l->now_us);
}

/* What the router says under the nonce and port that it was asked with. */
static void hear(struct life *l, const uint8_t *data, size_t len, bool genuine)
{
    uint8_t said[UINT8_MAX];
    memcpy(said, data, len);
    if (genuine && len >= PCP_MAP_LEN) {
        bool tcp = l->m.step == MAPPER_ASKS_TCP;
        memcpy(said + 24, l->m.config.nonce, PCP_NONCE_LEN);
        said[24] ^= tcp;
        said[36] = tcp ? PCP_TCP : PCP_UDP;
        said[40] = (uint8_t)(l->m.config.ports[tcp] >> 8);
        said[41] = (uint8_t)l->m.config.ports[tcp];
    }
    int err = mapper_input(&l->m, said, len, l->now_us);
    check(err == 0 || err == ERR_FORMAT || err == ERR_UNSUPPORTED);
}

/* What is said to everybody, under its name: nothing is had or lost by it. */
static void overhear(struct life *l, const uint8_t *data, size_t len)
{
    bool held = mapper_holds(&l->m);
    int err = mapper_heard(&l->m, data, len, l->now_us);
    check(err == 0 || err == ERR_FORMAT || err == ERR_UNSUPPORTED);
    check(held == mapper_holds(&l->m));
}

static void happen(struct life *l, uint8_t what, const uint8_t *data, size_t len)
{
    switch (what % 8) {
    case 0:
        mapper_refused(&l->m, l->now_us);
        break;
    case 1:
        mapper_restart(&l->m, l->now_us);
        break;
    case 2:
        l->now_us += 3600 * USEC_PER_SEC;
        break;
    case 3:
        overhear(l, data, len);
        break;
    case 4:
        hear(l, data, len, false);
        break;
    case 5:
    case 6:
    case 7:
        hear(l, data, len, true);
        break;
    }
}

static void end(struct life *l)
{
    mapper_release(&l->m, l->now_us);
    for (unsigned i = 0; i < 100 && !mapper_released(&l->m); i++) {
        uint8_t out[PCP_MAP_LEN];
        while (mapper_poll(&l->m, l->now_us, out) > 0)
            continue;
        l->now_us += MAPPER_RELEASE_US;
    }
    check(mapper_released(&l->m));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mapper_config config = {.ports = {9443, 8443}, .nonce = {1, 2, 3}};
    config.client.family = size && data[0] & 1 ? 6 : 4;
    config.client.ip[0] = 10;
    struct life l = {.begun_us = USEC_PER_SEC, .now_us = USEC_PER_SEC};
    mapper_init(&l.m, &config, l.now_us);
    while (size >= 3) {
        size_t len = data[1] < size - 3 ? data[1] : size - 3;
        l.now_us += data[2] * UNIT_US;
        ask(&l);
        happen(&l, data[0], data + 3, len);
        check_held(&l);
        ask(&l);
        data += 3 + len;
        size -= 3 + len;
    }
    end(&l);
    return 0;
}
