/* SPDX-License-Identifier: Apache-2.0 */
#include "node/control/control_doors.h"

#include "base/log.h"
#include "crypto/secret.h"
#include "node/control/control_state.h"
#include "node/control/resources.h"
#include "node/doors/doors_process.h"
#include "node/helper/helper_keeper.h"
#include "proto/network/rolls.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static struct doors_process_config process; /* until it is forked */

static bool read_words(const struct config *config)
{
    const char *wrong = config->socks_auth[0] ? words_read(config->socks_auth, &process.words) : NULL;
    if (!wrong && config->socks_auth[0] && !process.words.password[0])
        wrong = "its password is empty";
    process.authenticates = config->socks_auth[0];
    if (wrong)
        log_error("-socks-auth %.120s: %s", config->socks_auth, wrong);
    return !wrong;
}

/* Of a node without root: the process asks the broker for sockets, which is forked behind it. */
static bool open_broker_channel(struct node *n)
{
    int ends[2] = {-1, -1};
    if (n->config->rootless && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        log_error("cannot open a channel from the doors' process to the broker: %s", strerror(errno));
        return false;
    }
    process.broker = ends[0];
    n->broker_also = ends[1];
    return true;
}

bool control_doors_open(struct node *n, struct helper_job *out)
{
    static int sockets[DOORS_MAX + 1];
    unsigned socket_count = 0;
    if (!open_broker_channel(n))
        return false;
    int count =
        read_words(n->config) ? door_sockets_open(n->config, process.doors, &n->door_sockets) : ERR_IO;
    if (count < 0)
        return false;
    for (int i = 0; i < count; i++)
        if (process.doors[i].fd >= 0)
            sockets[socket_count++] = process.doors[i].fd;
    if (process.broker >= 0)
        sockets[socket_count++] = process.broker;
    process.caged = n->config->sandbox;
    process.direct = n->config->socks_direct;
    process.count = (unsigned)count;
    process.max = resources_doors();
    *out = (struct helper_job){.title = "shadowmesh-l2: doors",
                               .name = DOORS_TITLE,
                               .fd = -1,
                               .more = sockets,
                               .more_count = socket_count,
                               .run = doors_process_run,
                               .context = &process};
    return true;
}

void control_doors_forget_words(void)
{
    secret_wipe(&process.words, sizeof(process.words));
}

/* "db", "db.office.internal" or "db.office": a member of the network office. */
static bool take_label(const char *name, const char *network, char *out, size_t size)
{
    const char *dot = strchr(name, '.');
    size_t len = dot ? (size_t)(dot - name) : strlen(name), network_len = strlen(network);
    if (len >= size)
        return false;
    memcpy(out, name, len);
    out[len] = '\0';
    if (!dot)
        return true;
    return strncmp(dot + 1, network, network_len) == 0 &&
           (!dot[1 + network_len] || strcmp(dot + 1 + network_len, ".internal") == 0);
}

static unsigned find(const void *context, const char *name, struct addr *out)
{
    const struct node *n = context;
    char label[64];
    if (!n->registry || !take_label(name, n->config->network, label, sizeof(label)))
        return 0;
    const struct rolls_member *m = rolls_find_name(registry_rolls(n->registry), label);
    unsigned count = m ? m->is.address_count : 0;
    if (count > MESH_SIDE_PREFIXES_MAX)
        count = MESH_SIDE_PREFIXES_MAX;
    if (count)
        memcpy(out, m->is.addresses, count * sizeof(*out));
    return count;
}

static void describe_mesh(const struct node *n, struct mesh_side *out)
{
    *out = (struct mesh_side){.broker = n->config->rootless ? n->broker.channel : -1,
                              .interface = device_tap(n->device)->ifindex};
    out->prefix_count = device_addresses(n->device, out->prefixes, MESH_SIDE_PREFIXES_MAX);
}

bool control_doors_listen(struct node *n)
{
    struct mesh_side m;
    describe_mesh(n, &m);
    return door_sockets_listen(&n->door_sockets, n->config, &m);
}

bool control_doors_start(struct node *n)
{
    struct doors_config config = {.loop = &n->loop,
                                  .sockets = &n->door_sockets,
                                  .names = n->config->socks_direct ? n->name_client : NULL,
                                  .find = find,
                                  .context = n};
    if (n->helpers.doors < 0)
        return true;
    describe_mesh(n, &config.mesh);
    int err = doors_new(&config, n->helpers.doors, &n->doors);
    n->helpers.doors = -1;
    if (err)
        log_error("cannot start the client of the doors' process: %s", err_str(err));
    return err == 0;
}

void control_doors_tell(struct node *n)
{
    struct mesh_side m;
    describe_mesh(n, &m);
    doors_tell_mesh(n->doors, &m);
}
