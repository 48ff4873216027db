/* SPDX-License-Identifier: Apache-2.0 */
/* First those who bring new work, then the words to peers and callers, then the workers, then what all of them used. */

#include "node/control/control_stop.h"

#include "base/clock.h"
#include "net/notify.h"
#include "node/control/control_loop.h"
#include "node/control/control_outputs.h"
#include "node/control/control_state.h"
#include <stdlib.h>
#include <unistd.h>

void control_stop(struct node *n, int code)
{
    notify_stopping();
    key_draft_drop(&n->key);
    addresses_map_by(&n->addresses, NULL);
    addresses_register_by(&n->addresses, NULL);
    addresses_tell(&n->addresses, NULL);
    portmap_close(n->portmap); /* its helper ends the mappings while all else stops */
    backbones_leave_directories(n->backbones);
    doors_close(n->doors);
    door_sockets_close(&n->door_sockets);
    neighbours_close(n->neighbours);
    n->neighbours = NULL;
    checks_end(&n->checks);
    reloads_end(&n->reloads);
    if (n->opener >= 0)
        close(n->opener);
    nat_watch_close(&n->nat_watch);
    names_close(n->names);
    registry_stop(n->registry);
    records_close(n->records); /* while the mesh has them */
    n->records = NULL;
    name_client_free(n->name_client);
    helper_client_close(n->name_helper);
    renewal_close(n->renewal);
    n->renewal = NULL;
    if (n->mesh) {
        mesh_shutdown(n->mesh, clock_monotonic_us());
        control_do_outputs(n);
    }
    handshake_pool_close(n->handshakes);
    backbones_close(
        n->backbones); /* the last words are in their channels: the helper reads them before it ends */
    helper_client_close(n->backbone_helper);
    if (n->streams)
        streams_close_all(n->streams);
    if (n->api) {
        pings_end(&n->pings);
        api_close(n->api);
    }
    workers_stop(&n->workers);
    trunks_close(n->trunks); /* the last words are in its channels, too; workers read those until they stop */
    helpers_close(&n->helpers);
    snapshot_unwatch(&n->snapshot);
    survey_close(n->survey);
    draw_close(n->draw);
    control_loop_run_out(n);
    mesh_free(n->mesh);
    change_log_close(n->changes);
    registry_close(n->registry);
    network_close(n->network);
    tables_fini(&n->tables);
    hosts_fini(&n->hosts);
    workers_fini(&n->workers);
    shim_free(n->shim);
    relaying_fini(&n->relaying);
    device_close(n->device);
    broker_close(&n->broker);
    sides_fini(&n->sides);
    udp_close(n->sockets, n->socket_count);
    if (n->overdue)
        quick_exit(code); /* exit() would join the pool, which still reads the identity */
    uv_loop_close(&n->loop);
}
