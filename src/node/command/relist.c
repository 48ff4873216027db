/* SPDX-License-Identifier: Apache-2.0 */
/* What is new comes first, since only that can fail: it is then taken back. */

#include "node/command/relist.h"

#include "base/clock.h"
#include "node/command/lists.h"
#include "node/config/config.h"
#include "node/underlay/hosts.h"
#include "proto/mesh/mesh.h"
#include <string.h>

static bool allows(const struct config *c, const struct node_id *id)
{
    for (unsigned i = 0; i < c->allow_count; i++)
        if (id_compare(&c->allow[i], id) == 0)
            return true;
    return false;
}

static const struct config_connect *find_connect(const struct config *c, const struct node_id *id)
{
    for (unsigned i = 0; i < c->connect_count; i++)
        if (id_compare(&c->connect[i].id, id) == 0)
            return &c->connect[i];
    return NULL;
}

static void tell(json_t *changes, const char *flag, const struct node_id *id, const char *change)
{
    char hex[ID_TEXT_MAX];
    json_array_append_new(
        changes, json_pack("{s:s, s:s, s:s}", "flag", flag, "id", id_format(id, hex), "change", change));
}

/* ---- what is new ---- */

struct additions {
    const struct lists *lists;
    const struct config *fresh;
    unsigned allowed, connected; /* of its lists: as far as the mesh has them */
};

static bool is_new_allow(const struct additions *a, unsigned i)
{
    return !allows(a->lists->config, &a->fresh->allow[i]);
}

static bool is_new_connect(const struct additions *a, unsigned i)
{
    return !find_connect(a->lists->config, &a->fresh->connect[i].id);
}

/* That we admit ourselves goes without saying. */
static int allow(const struct additions *a, const struct node_id *id)
{
    return id_compare(id, a->lists->me) == 0 ? 0 : mesh_allow(a->lists->mesh, id);
}

static int dial(const struct additions *a, const struct config_connect *c)
{
    int err = mesh_connect(a->lists->mesh, &c->id);
    return err || !c->host[0] ? err : hosts_add(a->lists->hosts, c);
}

static int add(struct additions *a, const char **flag)
{
    int err = find_connect(a->fresh, a->lists->me) ? ERR_EXISTS : 0;
    *flag = "-connect";
    for (; !err && a->connected < a->fresh->connect_count; a->connected++)
        err = is_new_connect(a, a->connected) ? dial(a, &a->fresh->connect[a->connected]) : 0;
    if (err)
        return err;
    *flag = "-allow";
    for (; !err && a->allowed < a->fresh->allow_count; a->allowed++)
        err = is_new_allow(a, a->allowed) ? allow(a, &a->fresh->allow[a->allowed]) : 0;
    return err;
}

static void take_back(const struct additions *a, uint64_t now_us)
{
    for (unsigned i = 0; i < a->allowed; i++)
        if (is_new_allow(a, i))
            (void)!mesh_withdraw(a->lists->mesh, &a->fresh->allow[i], now_us);
    for (unsigned i = 0; i < a->connected; i++) {
        const struct node_id *id = &a->fresh->connect[i].id;
        if (!is_new_connect(a, i))
            continue;
        (void)!mesh_disconnect(a->lists->mesh, id, now_us);
        hosts_remove(a->lists->hosts, id);
    }
}

static void tell_added(const struct additions *a, json_t *changes)
{
    for (unsigned i = 0; i < a->connected; i++)
        if (is_new_connect(a, i))
            tell(changes, "connect", &a->fresh->connect[i].id, "added");
    for (unsigned i = 0; i < a->allowed; i++)
        if (is_new_allow(a, i))
            tell(changes, "allow", &a->fresh->allow[i], "added");
}

/* ---- what is there no more ---- */

/* In a full mesh one that is still admitted is dialled in its turn again; without memory for that it comes by itself. */
static void stop_dialling(const struct lists *l, const struct config *fresh, const struct node_id *id,
                          uint64_t now_us)
{
    (void)!mesh_disconnect(l->mesh, id, now_us); /* a command may have */
    hosts_remove(l->hosts, id);
    if (allows(fresh, id))
        (void)!mesh_allow(l->mesh, id);
    else
        mesh_enroll_again(l->mesh, id);
}

/* A session lasts; where it is dialled next has changed. Its first host finds room, as the others are gone. */
static void move(const struct lists *l, const struct config_connect *to, uint64_t now_us)
{
    hosts_remove(l->hosts, &to->id);
    mesh_set_given_addresses(l->mesh, &to->id, NULL, 0, now_us);
    if (to->host[0])
        (void)!hosts_add(l->hosts, to);
}

static void remove_connects(const struct lists *l, const struct config *fresh, json_t *changes,
                            uint64_t now_us)
{
    for (unsigned i = 0; i < l->config->connect_count; i++) {
        const struct config_connect *old = &l->config->connect[i], *new = find_connect(fresh, &old->id);
        if (!new) {
            stop_dialling(l, fresh, &old->id, now_us);
            tell(changes, "connect", &old->id, "removed");
        } else if (new->port != old->port || strcmp(new->host, old->host) != 0) {
            move(l, new, now_us);
            tell(changes, "connect", &old->id, "moved");
        }
    }
}

static void remove_allows(const struct lists *l, const struct config *fresh, json_t *changes, uint64_t now_us)
{
    for (unsigned i = 0; i < l->config->allow_count; i++) {
        const struct node_id *id = &l->config->allow[i];
        if (allows(fresh, id))
            continue;
        (void)!mesh_withdraw(l->mesh, id, now_us); /* a command may have */
        tell(changes, "allow", id, "removed");
    }
}

int relist(const struct lists *l, const struct config *fresh, json_t *changes, const char **flag)
{
    struct additions a = {.lists = l, .fresh = fresh};
    uint64_t now_us = clock_monotonic_us();
    int err = add(&a, flag);
    if (err) {
        take_back(&a, now_us);
        return err;
    }
    tell_added(&a, changes);
    remove_connects(l, fresh, changes, now_us);
    remove_allows(l, fresh, changes, now_us);
    return 0;
}
