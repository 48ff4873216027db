/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to peers, as lines for the person who runs the node. Control thread. */

#include "node/report/report.h"

#include "base/clock.h"
#include "base/hex.h"
#include "net/udp.h"
#include "node/data/worker.h"
#include "node/report/warnings.h"
#include "node/report/who.h"
#include "proto/switch/switch.h"
#include <stdio.h>

#define LIMIT_US         1000000ull               /* between lines that a stranger can cause */
#define EXCESS_LIMIT_US  10000000ull              /* … of peers that ask too much … */
#define CLOCK_OFF_S      300                      /* half the life of a record */
#define SHARED_LIMIT_US  60000000ull              /* … of a peer's key on two hosts … */
#define CIRCLE_LIMIT_US  600000000ull             /* … of a tunnel inside itself … */
#define CLAIM_LIMIT_US   10000000ull              /* … and of addresses that two peers use */
#define SHARED_STANDS_US (20 * 60 * USEC_PER_SEC) /* hosts with one key take turns at least as often */

static void limited(struct log_limit *limit, uint64_t now_us, uint64_t interval_us, const char *line)
{
    uint64_t withheld;
    if (!log_limit_pass(limit, now_us, interval_us, &withheld))
        return;
    if (withheld)
        log_warn("%s (and %llu like it)", line, (unsigned long long)withheld);
    else
        log_warn("%s", line);
}

void report_init(struct report *r, const struct mesh *mesh, struct warnings *warnings)
{
    *r = (struct report){.mesh = mesh, .warnings = warnings};
}

void report_queue(struct report *r, size_t bytes)
{
    char line[WARNING_TEXT_MAX];
    if (bytes >= UDP_QUEUE / 2)
        return;
    snprintf(line, sizeof(line),
             "a UDP socket holds %zu KiB of what comes in instead of %d: fast streams lose datagrams; as "
             "root, sysctl "
             "net.core.rmem_max=%d, and start the node again",
             bytes / 1024, UDP_QUEUE / 1024, UDP_QUEUE);
    warnings_set(r->warnings, WARNING_QUEUE, line, TIME_NEVER);
    log_warn("%s", line);
}

static void report_shared_key(struct report *r, const char *peer, const char *where, uint64_t now_us)
{
    char line[WARNING_TEXT_MAX];
    snprintf(
        line, sizeof(line),
        "peer %s: two hosts use its key, in turns, at %s: give one of the two a key of its own (-keydir)",
        peer, where);
    warnings_set(r->warnings, WARNING_SHARED_KEY, line, now_us + SHARED_STANDS_US);
    limited(&r->shared_limit, now_us, SHARED_LIMIT_US, line);
}

/* Rare: we leave our place to the other for 30 s and more. */
static void report_own_key(struct report *r, const char *peer, const char *where, uint64_t now_us)
{
    char line[WARNING_TEXT_MAX];
    snprintf(line, sizeof(line),
             "another host uses our key: it took over the session with peer %s%s; give one of the two a key "
             "of its "
             "own (-keydir)",
             peer, where);
    warnings_set(r->warnings, WARNING_OWN_KEY, line, now_us + SHARED_STANDS_US);
    log_error("%s", line);
}

void report_notice(struct report *r, enum mesh_notice what, const struct node_id *id, const char *name,
                   const char *text, uint64_t now_us)
{
    char peer[WHO_TEXT_MAX], line[640];
    who_format(id, name, peer);
    switch (what) {
    case MESH_NOTICE_CONNECTED:
        log_info("peer %s: connected, %s", peer, text);
        break;
    case MESH_NOTICE_NO_PATH:
        log_warn("peer %s: no path: %s", peer, text);
        break;
    case MESH_NOTICE_PATH:
        log_info("peer %s: path %s", peer, text);
        break;
    case MESH_NOTICE_LOST:
        log_warn("peer %s: disconnected: %s", peer, text);
        break;
    case MESH_NOTICE_FAILED:
        log_warn("peer %s: not reached: %s; retrying", peer, text);
        break;
    case MESH_NOTICE_UNHEARD:
        log_warn("peer %s: its control connection is lost: %s; data goes on over UDP; retrying", peer, text);
        break;
    case MESH_NOTICE_REACHED:
        log_info("peer %s: reached, %s", peer, text);
        break;
    case MESH_NOTICE_REFUSED_US:
        log_error("peer %s: refused us: %s", peer, text);
        break;
    case MESH_NOTICE_REFUSED:
        snprintf(line, sizeof(line), "peer %s: refused, at %s", peer, text);
        limited(&r->refused_limit, now_us, LIMIT_US, line);
        break;
    case MESH_NOTICE_HANDSHAKE:
        log_debug("peer %s: new handshake, %s", peer, text);
        break;
    case MESH_NOTICE_SHARED_KEY:
        report_shared_key(r, peer, text, now_us);
        break;
    case MESH_NOTICE_OWN_KEY:
        report_own_key(r, peer, text, now_us);
        break;
    case MESH_NOTICE_EXCESS:
        snprintf(line, sizeof(line),
                 "peer %s: %s: the connection is closed; if it goes on, update it or take it off the lists",
                 peer, text);
        limited(&r->excess_limit, now_us, EXCESS_LIMIT_US, line);
        break;
    case MESH_NOTICE_STALE:
        log_warn("peer %s: has not proven its key for %s, though asked to: update or restart it, or take it "
                 "off the lists",
                 peer, text);
        break;
    }
}

/* "2 days", "3 h", "7 min". */
static const char *format_span(uint64_t s, char out[32])
{
    if (s >= 2 * 86400)
        snprintf(out, 32, "%llu days", (unsigned long long)(s / 86400));
    else if (s >= 2 * 3600)
        snprintf(out, 32, "%llu h", (unsigned long long)(s / 3600));
    else
        snprintf(out, 32, "%llu min", (unsigned long long)(s / 60));
    return out;
}

void report_clock(struct report *r, int64_t ahead_s)
{
    char line[WARNING_TEXT_MAX], span[32];
    uint64_t off_s = ahead_s < 0 ? -(uint64_t)ahead_s : (uint64_t)ahead_s;
    bool off = off_s > CLOCK_OFF_S;
    snprintf(line, sizeof(line),
             "this machine's clock is %s %s, by the backbone's: set it (timedatectl set-ntp true), or the "
             "backbone may "
             "not take our record",
             format_span(off_s, span), ahead_s < 0 ? "slow" : "fast");
    warnings_set(r->warnings, WARNING_CLOCK, line, off ? TIME_NEVER : 0);
    if (off && !r->clock_off)
        log_warn("%s", line);
    else if (!off && r->clock_off)
        log_info("this machine's clock agrees with the backbone's again");
    r->clock_off = off;
}

void report_conflict(struct report *r, const struct addr *ours, const uint8_t mac[6], int slot,
                     uint64_t now_us)
{
    char address[ADDR_TEXT_MAX], text[MAC_TEXT_MAX], peer[WHO_TEXT_MAX], line[512];
    bool known = slot >= 0;
    snprintf(line, sizeof(line), "our address %s is also used by %s%s%s: give one of them another",
             addr_format(ours, address), mac_format(mac, text), known ? ", at peer " : "",
             known ? who_is_in(r->mesh, slot, peer) : "");
    limited(&r->conflict_limit, now_us, LIMIT_US, line);
}

void report_circle(struct report *r, const char *device, uint64_t now_us)
{
    char line[256];
    snprintf(line, sizeof(line),
             "a route leads our own datagrams into %s: they are dropped; give the peers' underlay addresses "
             "routes outside of it (ip route add ADDRESS via GATEWAY)",
             device);
    limited(&r->circle_limit, now_us, CIRCLE_LIMIT_US, line);
}

void report_unpinned(struct report *r, uint32_t slot, const struct switch_pin *pin, uint64_t now_us)
{
    char peer[WHO_TEXT_MAX], owner[WHO_TEXT_MAX], mac[MAC_TEXT_MAX], line[640];
    who_is_in(r->mesh, (int)slot, peer);
    mac_format(pin->mac, mac);
    if (pin->err == ERR_EXISTS)
        snprintf(
            line, sizeof(line),
            "peer %s: announces the MAC address %s, which peer %s announced first and keeps: give one of "
            "them another",
            peer, mac, who_is_in(r->mesh, (int)pin->owner, owner));
    else
        snprintf(line, sizeof(line), "peer %s: announces the MAC address %s, which is %s: give it another",
                 peer, mac, pin->err == ERR_PERMISSION ? "our device's" : "no station's");
    limited(&r->unpinned_limit, now_us, LIMIT_US, line);
}

void report_claim(struct report *r, const struct worker_event *claim, uint64_t now_us)
{
    char peer[WHO_TEXT_MAX], holder[WHO_TEXT_MAX], mac[MAC_TEXT_MAX], line[640];
    who_is_in(r->mesh, (int)claim->slot, peer);
    who_is_in(r->mesh, claim->claim.holder, holder);
    mac_format(claim->claim.mac, mac);
    if (claim->claim.why == DROP_PINNED)
        snprintf(
            line, sizeof(line),
            "peer %s: sends with the MAC address %s (VLAN %u) of peer %s, which announced it: dropped; look "
            "for a loop or a forger there",
            peer, mac, claim->claim.vlan, holder);
    else
        snprintf(
            line, sizeof(line),
            "peer %s: the MAC address %s (VLAN %u) moves between it and peer %s, more than %d times in %d s: "
            "it stays there; look for a loop, or for two machines with one address",
            peer, mac, claim->claim.vlan, holder, SWITCH_MOVES_MAX, SWITCH_MOVES_S);
    limited(&r->claim_limit, now_us, CLAIM_LIMIT_US, line);
}
