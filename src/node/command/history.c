/* SPDX-License-Identifier: Apache-2.0 */
#include "node/command/history.h"

#include "node/api/api.h"
#include "node/command/describe.h"
#include "node/command/rosters.h"
#include "node/network/change_log.h"
#include "node/network/registry.h"
#include "proto/network/rolls.h"
#include <stdlib.h>

/* What is left to be told: a copy, as there are more meanwhile. */
struct telling {
    const struct rosters *rosters;
    size_t count, next;
    struct change changes[];
};

/* An issuer by its name, the CA as such; null: it has none any more. */
static json_t *describe_signer(const struct rosters *r, const struct node_id *signer)
{
    const struct rolls *rolls = registry_rolls(r->registry);
    const struct rolls_member *m = rolls_find(rolls, signer);
    if (rolls_is_ca(rolls, signer))
        return json_string("CA");
    return m && m->is.name[0] ? json_string(m->is.name) : json_null();
}

static json_t *describe_change(const struct rosters *r, const struct change *c)
{
    return json_pack("{s:I, s:s, s:s, s:o, s:o, s:o, s:s, s:o}", "time", (json_int_t)c->time, "change",
                     change_kind_name(c->kind), "name", c->name, "id", describe_id(&c->id), "signer",
                     describe_signer(r, &c->signer), "signer_id", describe_id(&c->signer), "by", c->by,
                     "until", c->until ? json_integer((json_int_t)c->until) : json_null());
}

static json_t *next_change(void *context)
{
    struct telling *t = context;
    return t->next < t->count ? describe_change(t->rosters, &t->changes[t->next++]) : NULL;
}

void history_list(const struct rosters *r, struct api_call *call)
{
    struct telling *t;
    if (!rosters_log_is_here(r, call))
        return;
    const struct changes *changes = change_log_changes(r->changes);
    size_t count = changes_count(changes);
    t = malloc(sizeof(*t) + count * sizeof(*t->changes));
    if (!t) {
        api_fail(call, "out of memory");
        return;
    }
    *t = (struct telling){.rosters = r, .count = count};
    for (size_t i = 0; i < count; i++)
        t->changes[i] = *changes_at(changes, i);
    api_reply_list(call, &(struct api_list){"entries", next_change, free, t});
}
