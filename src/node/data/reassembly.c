/* SPDX-License-Identifier: Apache-2.0 */
/* Fragment tables behind a lock each. The kernel steers a lane to one worker, so the locks are all but always
 * free (worker_in.c tells when not). docs/PROTOCOL.md §5. */

#include "node/data/reassembly.h"

#include "proto/session/fragment.h"
#include <pthread.h>
#include <stdalign.h>
#include <stdlib.h>

struct part {
    alignas(64) pthread_mutex_t held;
    struct fragment_table *table;
};

struct reassembly {
    unsigned workers;
    struct part *parts; /* one for each worker */
};

int reassembly_new(unsigned workers, struct reassembly **out)
{
    struct reassembly *r = malloc(sizeof(*r));
    struct part *list = aligned_alloc(alignof(struct part), workers * sizeof(*list));
    if (!r || !list) {
        free(r);
        free(list);
        return ERR_NOMEM;
    }
    *r = (struct reassembly){workers, list};
    int err = 0;
    for (unsigned i = 0; i < workers; i++) {
        list[i] = (struct part){.table = NULL};
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
    for (unsigned i = 0; i < r->workers; i++) {
        fragment_table_free(r->parts[i].table);
        pthread_mutex_destroy(&r->parts[i].held);
    }
    free(r->parts);
    free(r);
}

struct fragment_table *reassembly_enter(struct reassembly *r, unsigned worker)
{
    pthread_mutex_lock(&r->parts[worker].held);
    return r->parts[worker].table;
}

void reassembly_leave(struct reassembly *r, unsigned worker)
{
    pthread_mutex_unlock(&r->parts[worker].held);
}
