/* SPDX-License-Identifier: Apache-2.0 */
/* After each round of events what the mesh wants done is done, the workers' table is made to agree with it, and the timer is
 * set to its next deadline. docs/ARCHITECTURE.md, "Control". */

#include "node/control/control_loop.h"

#include "base/clock.h"
#include "base/vault.h"
#include "net/notify.h"
#include "net/process.h"
#include "node/control/control_doors.h"
#include "node/control/control_events.h"
#include "node/control/control_network.h"
#include "node/control/control_outputs.h"
#include "node/control/control_state.h"
#include "node/control/control_watch.h"
#include "node/control/plain_loop.h"
#include "node/data/fwd.h"
#include "node/network/issuer.h"
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define SLOW_MS      1000
#define STOP_MS      1300 /* for what waits for others, at the end */
#define TRIM_US      (5 * USEC_PER_SEC)
#define SLEPT_US     (5 * USEC_PER_SEC) /* between two looks at the clock, of which there is one a second */
#define GIVE_BACK_US (10 * USEC_PER_SEC)

/* Most of the resident pages after a start are libraries' code that ran once: self-tests, handshakes. */
static void trim_once(struct node *n, uint64_t now_us)
{
    if (n->trimmed || now_us - n->started_us < TRIM_US)
        return;
    n->trimmed = true;
    process_trim();
}

/* Handshakes need much for a moment, and connections as long as they last. */
static void give_back(struct node *n, uint64_t now_us)
{
    if (now_us - n->gave_back_us < GIVE_BACK_US)
        return;
    n->gave_back_us = now_us;
    if (mesh_streams_ended(n->mesh))
        process_give_back();
}

static void tell_unlocked(struct node *n)
{
    struct vault_stats keys;
    vault_stats(&keys);
    if (n->unlocked_told || !keys.unlocked)
        return;
    n->unlocked_told = true;
    log_warn("%zu kB of memory with keys may not be locked, so swap may hold them: allow it with `ulimit -Hl "
             "unlimited`, or LimitMEMLOCK=infinity of the service",
             keys.unlocked / 1000);
}

static void on_underlay_changed(struct node *n)
{
    struct addr_prefix overlay[MESSAGE_ADDRS_MAX];
    mesh_set_overlay(n->mesh, overlay, device_addresses(n->device, overlay, MESSAGE_ADDRS_MAX));
    control_doors_tell(n);
    standbys_on_change(&n->standbys, clock_monotonic_us());
    addresses_on_change(&n->addresses, clock_monotonic_us());
    survey_forget(n->survey);
    hosts_forget_failures(&n->hosts);
    neighbours_on_change(n->neighbours, clock_monotonic_us());
    stun_hosts_forget(&n->stun_hosts);
    nat_watch_changed(&n->nat_watch, clock_monotonic_us());
    streams_drop_homeless(n->streams);
    backbones_network_changed(n->backbones);
    mesh_network_changed(n->mesh, device_underlay_max(n->device), clock_monotonic_us());
}

/* Meanwhile NATs have forgotten us, peers have given us up, and connections are dead. */
static void notice_sleep(struct node *n, uint64_t now_us)
{
    uint64_t away_us = now_us - n->looked_us;
    n->looked_us = now_us;
    if (away_us < SLEPT_US)
        return;
    log_info("this machine slept, or stopped this node, for %llu s: all peers are asked anew",
             (unsigned long long)(away_us / USEC_PER_SEC));
    on_underlay_changed(n);
}

/* From the first second on in which there is a certificate. */
static void renew_certificate(struct node *n, uint64_t now_us)
{
    struct membership *ms = network_membership(n->network);
    const struct renewal_config config = {.network = n->config->network,
                                          .keydir = network_keydir(n->network),
                                          .me = n->identity,
                                          .membership = ms,
                                          .rolls = n->registry ? registry_rolls(n->registry) : NULL,
                                          .mesh = n->mesh};
    if (!ms || (!n->renewal && renewal_open(&config, &n->renewal)))
        return;
    renewal_tick(n->renewal, network_issuer(n->network), now_us);
    network_tell(n->network, renewal_text(n->renewal));
}

/* Others meet whom we let in by our roster. */
static void publish_members(struct node *n, uint64_t now_us)
{
    struct issuer *is = network_issuer(n->network);
    if (is)
        issuer_learn(is, registry_rolls(n->registry), now_us);
    int err = is && issuer_has_changed(is) ? registry_publish(n->registry, issuer_ledger(is), now_us) : 0;
    if (err)
        log_warn("the members that this issuer let in are not known to others yet: %s", err_str(err));
}

static void on_timer(uv_timer_t *timer)
{
    struct node *n = timer->data;
    uint64_t now_us = clock_monotonic_us();
    notice_sleep(n, now_us);
    mesh_tick(n->mesh, now_us);
}

static void count_lost(struct node *n)
{
    const struct trunks_lost lost = trunks_lost(n->trunks);
    n->drops[DROP_BACKLOG] += lost.backlog;
    n->drops[DROP_OVERLOAD] += lost.overload;
    n->drops[DROP_TYPE] += lost.malformed;
}

static void tell_manager(const struct node *n, uint64_t now_us)
{
    size_t peers = fwd_ready_count(n->workers.fwd);
    notify_status("%s on %s: frames flow to %zu peer%s", n->config->called, device_tap(n->device)->name,
                  peers, peers == 1 ? "" : "s");
    notify_alive(now_us);
}

static void look_for_shim(struct node *n)
{
    struct shim_machine now;
    if (!n->shim)
        return;
    control_events_machine(n, &now);
    shim_look(n->shim, &now);
}

static void on_slow(uv_timer_t *timer)
{
    struct node *n = timer->data;
    uint64_t now_us = clock_monotonic_us();
    notice_sleep(n, now_us);
    workers_tick(&n->workers, device_mac(n->device), now_us);
    addresses_tick(&n->addresses, now_us);
    if (n->portmap)
        portmap_tick(n->portmap, now_us);
    standbys_tick(&n->standbys, addresses_stun_server(&n->addresses), now_us);
    pings_tick(&n->pings, now_us);
    hosts_tick(&n->hosts);
    neighbours_tick(n->neighbours, now_us);
    stun_hosts_tick(&n->stun_hosts, now_us);
    if (n->network) {
        network_tick(n->network, now_us);
        renew_certificate(n, now_us);
    }
    if (n->registry) {
        publish_members(n, now_us);
        registry_tick(n->registry, n->mesh, now_us);
        control_network_tick(n, now_us);
        control_watch(n, now_us);
        if (n->names)
            names_tick(n->names);
    }
    nat_watch_tick(&n->nat_watch, now_us);
    if (n->trunks)
        count_lost(n);
    if (device_tick(n->device, now_us))
        on_underlay_changed(n);
    look_for_shim(n);
    if (n->shim)
        n->drops[DROP_NO_NEIGHBOUR] += shim_tick(n->shim, now_us);
    trim_once(n, now_us);
    give_back(n, now_us);
    tell_unlocked(n);
    tell_manager(n, now_us);
    if (n->config->profile)
        workers_profile_log(&n->workers);
}

/* After every round of events: what the mesh wants done, workers' tables, then the mesh's next deadline. */
static void on_settle(uv_prepare_t *handle)
{
    struct node *n = handle->data;
    control_do_outputs(n);
    tables_publish(&n->tables);
    uint64_t now_us = clock_monotonic_us();
    uint64_t at_us = mesh_next_deadline(n->mesh, now_us);
    if (at_us == TIME_NEVER) {
        uv_timer_stop(&n->timer);
        return;
    }
    uint64_t wait_ms = at_us > now_us ? (at_us - now_us + USEC_PER_MSEC - 1) / USEC_PER_MSEC : 0;
    uv_update_time(&n->loop);
    uv_timer_start(&n->timer, on_timer, wait_ms, 0);
}

static void on_monitor(uv_poll_t *handle, int status, int events)
{
    (void)status, (void)events;
    struct node *n = handle->data;
    if (device_on_change(n->device, clock_monotonic_us()))
        on_underlay_changed(n);
    look_for_shim(n);
}

/* The device is what its namespace holds together for others, too: without it there is nothing to stay for. */
static void on_namespace(uv_poll_t *handle, int status, int events)
{
    struct node *n = handle->data;
    (void)status, (void)events;
    if (!broker_gone(n->broker.channel))
        return;
    log_error("the process that holds the namespace of device %s has ended: stopping",
              device_tap(n->device)->name);
    n->broker_gone = true;
    uv_poll_stop(handle);
    uv_stop(&n->loop);
}

static void tell_ending(int number)
{
    log_info("SIG%s: stopping", sigabbrev_np(number));
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct node *n = handle->data;
    tell_ending(number);
    uv_stop(&n->loop);
}

static void on_hangup(uv_signal_t *handle, int number)
{
    struct node *n = handle->data;
    (void)number;
    reloads_start(&n->reloads, NULL);
}

static void on_wake(uv_async_t *handle)
{
    control_events_of_workers(handle->data);
}

/* ---- from start to stop ---- */

static const int endings[NODE_SIGNALS] = {SIGTERM, SIGINT};

static sigset_t ending_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (unsigned i = 0; i < NODE_SIGNALS; i++)
        sigaddset(&set, endings[i]);
    return set;
}

void control_loop_init(struct node *n)
{
    const sigset_t held = ending_signals();
    pthread_sigmask(SIG_BLOCK, &held, NULL);
    n->ending = signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK);
    plain_loop_init(&n->loop);
    uv_timer_init(&n->loop, &n->timer);
    uv_timer_init(&n->loop, &n->slow);
    uv_prepare_init(&n->loop, &n->settle);
    uv_async_init(&n->loop, &n->wake, on_wake);
    n->timer.data = n->slow.data = n->settle.data = n->wake.data = n->monitor.data = n->namespace.data = n;
    for (unsigned i = 0; i < NODE_SIGNALS; i++) {
        uv_signal_init(&n->loop, &n->signals[i]);
        n->signals[i].data = n;
        uv_signal_start(&n->signals[i], on_signal, endings[i]);
    }
    uv_signal_init(&n->loop, &n->hangup);
    n->hangup.data = n;
    uv_signal_start(&n->hangup, on_hangup, SIGHUP);
}

bool control_loop_listen(struct node *n)
{
    const sigset_t held = ending_signals();
    struct signalfd_siginfo first;
    bool ends = n->ending >= 0 && read(n->ending, &first, sizeof(first)) == sizeof(first);
    if (ends)
        tell_ending((int)first.ssi_signo);
    if (n->ending >= 0)
        close(n->ending);
    n->ending = -1;
    pthread_sigmask(SIG_UNBLOCK, &held, NULL);
    return !ends;
}

void control_loop_begin(struct node *n)
{
    n->looked_us = clock_monotonic_us();
    uv_timer_start(&n->slow, on_slow, SLOW_MS, SLOW_MS);
    uv_prepare_start(&n->settle, on_settle);
    uv_poll_init(&n->loop, &n->monitor, device_monitor_fd(n->device));
    uv_poll_start(&n->monitor, UV_READABLE, on_monitor);
    if (n->broker.channel >= 0) {
        uv_poll_init(&n->loop, &n->namespace, n->broker.channel);
        uv_poll_start(&n->namespace, UV_READABLE, on_namespace);
    }
    notify_ready();
    tell_manager(n, n->looked_us);
}

static void close_handle(uv_handle_t *handle, void *context)
{
    struct node *n = context;
    bool ours = handle->data == n &&
                (handle->type == UV_TIMER || handle->type == UV_PREPARE || handle->type == UV_ASYNC ||
                 handle->type == UV_POLL || handle->type == UV_SIGNAL);
    if (ours && !uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void on_overdue(uv_timer_t *timer)
{
    struct node *n = timer->data;
    n->overdue = true;
    uv_stop(&n->loop);
}

/* Until the last words are out and every handle is closed. Nothing should take longer than STOP_MS: what does is left to
 * itself. */
void control_loop_run_out(struct node *n)
{
    uv_walk(&n->loop, close_handle, n);
    uv_timer_init(&n->loop, &n->last);
    n->last.data = n;
    uv_timer_start(&n->last, on_overdue, STOP_MS, 0);
    uv_unref((uv_handle_t *)&n->last);
    uv_run(&n->loop, UV_RUN_DEFAULT);
    if (n->overdue)
        return;
    uv_close((uv_handle_t *)&n->last, NULL);
    uv_run(&n->loop, UV_RUN_DEFAULT);
}
