/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and lists of uplinks. An uplink that is gone is freed at the end of a turn, since an event may still name it, and
 * not before its turn in the list of proofs. */

#include "backbone/uplink_hub.h"

#include "backbone/uplink.h"
#include "backbone/uplink_places.h"
#include "backbone/uplink_rates.h"
#include "base/table.h"
#include "crypto/secret.h"
#include <string.h>

int uplink_hub_open(struct uplink_hub *hub, const struct uplinks_config *config,
                    struct uplink_metrics *metrics)
{
    hub->config = config;
    hub->metrics = metrics;
    secret_random(&hub->seed, sizeof(hub->seed));
    hub->relays = config->relay_mbit > 0;
    int err = table_new(&hub->by_id);
    if (!err)
        err = table_new(&hub->legs);
    if (!err)
        err = uplink_places_new(config->max, &secret_source, &hub->places);
    if (!err)
        err = uplink_rates_new(hub->relays ? config->relay_mbit : 1, config->source_mbit, &secret_source,
                               &hub->rates);
    return err;
}

void uplink_hub_close(struct uplink_hub *hub)
{
    while (hub->all)
        uplink_lose(hub->all);
    while (uplink_hub_verify(hub))
        ;
    while (uplink_hub_take_unsent(hub))
        ;
    uplink_hub_bury(hub);
    table_free(hub->by_id);
    table_free(hub->legs);
    uplink_places_free(hub->places);
    uplink_rates_free(hub->rates);
    heap_fini(&hub->deadlines);
}

uint64_t uplink_hub_key(const struct uplink_hub *hub, const struct node_id *id)
{
    uint64_t head;
    memcpy(&head, id->bytes, sizeof(head));
    return head ^ hub->seed;
}

void uplink_hub_present(const struct uplink *u, bool on)
{
    const struct uplinks_config *config = u->hub->config;
    if (config->present && !u->visits)
        config->present(config->present_context, &u->id, on);
}

struct uplink *uplink_hub_find(const struct uplink_hub *hub, const struct node_id *id)
{
    struct uplink *u = table_get(hub->by_id, uplink_hub_key(hub, id));
    return u && id_compare(&u->id, id) == 0 ? u : NULL;
}

void uplink_hub_join(struct uplink *u)
{
    u->after = u->hub->all;
    if (u->after)
        u->after->before = u;
    u->hub->all = u;
}

void uplink_hub_list(struct uplink *u)
{
    if (u->listed)
        return;
    u->listed = true;
    u->next_unsent = u->hub->unsent;
    u->hub->unsent = u;
}

void uplink_hub_list_proof(struct uplink *u)
{
    struct uplink_hub *hub = u->hub;
    if (hub->first_proof)
        hub->last_proof->next_proof = u;
    else
        hub->first_proof = u;
    hub->last_proof = u;
    u->proof_listed = true;
}

void uplink_hub_leave(struct uplink *u)
{
    if (u->before)
        u->before->after = u->after;
    else
        u->hub->all = u->after;
    if (u->after)
        u->after->before = u->before;
    u->after = u->hub->gone;
    u->hub->gone = u;
}

bool uplink_hub_verify(struct uplink_hub *hub)
{
    struct uplink *u = hub->first_proof;
    if (!u)
        return false;
    hub->first_proof = u->next_proof;
    u->proof_listed = false;
    if (u->state == UPLINK_WAITING)
        uplink_verify(u);
    return true;
}

void uplink_hub_fire(struct uplink_hub *hub)
{
    struct heap_node *n;
    while ((n = heap_first(&hub->deadlines)) && n->at_us <= hub->now_us)
        uplink_on_deadline((struct uplink *)(void *)((char *)n - offsetof(struct uplink, deadline)));
}

struct uplink *uplink_hub_take_unsent(struct uplink_hub *hub)
{
    struct uplink *u = hub->unsent;
    if (!u)
        return NULL;
    hub->unsent = u->next_unsent;
    u->listed = false;
    return u;
}

void uplink_hub_bury(struct uplink_hub *hub)
{
    struct uplink *kept = NULL;
    while (hub->gone) {
        struct uplink *u = hub->gone;
        hub->gone = u->after;
        if (!u->proof_listed && !u->listed) {
            uplink_free(u);
            continue;
        }
        u->after = kept;
        kept = u;
    }
    hub->gone = kept;
}
