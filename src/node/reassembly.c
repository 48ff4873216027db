/* SPDX-License-Identifier: Apache-2.0 */
/* Fragment tables behind a lock each. The kernel steers a lane to one worker, so the locks are all but always
 * free (worker_in.c tells when not). docs/PROTOCOL.md §5. */

#include "node/reassembly.h"

#include "proto/fragment.h"
#include <pthread.h>
#include <stdalign.h>
#include <stdlib.h>

struct lane {
    alignas(64) pthread_mutex_t held;
    struct fragment_table *table;
};

struct reassembly {
    unsigned lanes;
    struct lane *lane;
};

int reassembly_new(unsigned lanes, struct reassembly **out)
{
    struct reassembly *r = malloc(sizeof *r);
    struct lane *list = aligned_alloc(alignof(struct lane), lanes * sizeof *list);
    if (!r || !list) {
        free(r);
        free(list);
        return ERR_NOMEM;
    }
    *r = (struct reassembly){lanes, list};
    int err = 0;
    for (unsigned i = 0; i < lanes; i++) {
        list[i] = (struct lane){.table = NULL};
        pthread_mutex_init(&list[i].held, NULL);
        if (!err)
            err = fragment_table_new(FRAGMENT_SLOTS, &list[i].table);
    }
    if (err) {
        reassembly_free(r);
        return err;
    }
    *out = r;
    return 0;
}

void reassembly_free(struct reassembly *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < r->lanes; i++) {
        fragment_table_free(r->lane[i].table);
        pthread_mutex_destroy(&r->lane[i].held);
    }
    free(r->lane);
    free(r);
}

struct fragment_table *reassembly_enter(struct reassembly *r, unsigned lane)
{
    struct lane *l = &r->lane[lane % r->lanes];
    pthread_mutex_lock(&l->held);
    return l->table;
}

void reassembly_leave(struct reassembly *r, unsigned lane)
{
    pthread_mutex_unlock(&r->lane[lane % r->lanes].held);
}
