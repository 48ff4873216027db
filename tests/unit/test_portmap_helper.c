/* SPDX-License-Identifier: Apache-2.0 */
/* The helper for port mappings, really forked, between this test as a node and as a router: what is asked by PCP and by UPnP, what
 * of it reaches the node, and how it ends. Needs root for a network namespace. */

#include "base/clock.h"
#include "node/helper/helper_cage.h"
#include "node/helper/helper_channel.h"
#include "node/helper/helper_keeper.h"
#include "net/sandbox.h"
#include "node/helper/portmap_helper.h"
#include "node/helper/portmap_side.h"
#include "proto/portmap/mapper.h"

#include "net_lab.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define WAIT_MS   20000
#define UDP_PORT  9443
#define TCP_PORT  8443
#define REQUEST   4096
#define HTTP_PORT 5000
#define CHANGES   16
#define ROUTER    "192.168.77.1"
#define BESIDE    "192.168.77.3"
#define OUTER     "198.51.100.7"

enum { NODE, PCP, SSDP, HTTP, SOCKETS };

/* A router as the test wants it, and what it was asked. */
struct fixture {
    int fds[SOCKETS];
    bool pcp, forged; /* forged: the first question has an answer that is said to everybody, and no other */
    const char *location, *control; /* of the description, and what that says; location NULL: no UPnP */
    unsigned locations;             /* so many answer the search, if not one: "location?0" … */
    int taken;                      /* so many first AddPortMapping meet a port that is taken */
    bool permanent_only;            /* leases */
    unsigned pcp_asked, pcp_ended, http_asked;
    unsigned added, deleted;
    char outer[CHANGES][8], lease[CHANGES][12]; /* of those that were added */
};

static const struct addr ours = {.family = 4, .ip = {192, 168, 77, 2}},
                         router = {.family = 4, .ip = {192, 168, 77, 1}};

/* ---- the router: PCP ---- */

/* That the router knows no PCP. */
static void forge_answer(int fd)
{
    static const uint8_t no_pcp[8] = {NATPMP_VERSION, 0x80 | PCP_MAP, 0, NATPMP_UNSUPP_VERSION};
    struct sockaddr_in everybody = {.sin_family = AF_INET, .sin_port = htons(PCP_ANNOUNCE_PORT)};
    inet_pton(AF_INET, "224.0.0.1", &everybody.sin_addr);
    ssize_t n = sendto(fd, no_pcp, sizeof(no_pcp), 0, (struct sockaddr *)&everybody, sizeof(everybody));
    assert_int_equal(n, sizeof(no_pcp));
}

static void on_pcp(struct fixture *f)
{
    uint8_t m[PCP_MESSAGE_MAX];
    struct sockaddr_in from;
    socklen_t size = sizeof(from);
    ssize_t len = recvfrom(f->fds[PCP], m, sizeof(m), 0, (struct sockaddr *)&from, &size);
    assert_int_equal(len, PCP_MAP_LEN);
    f->pcp_asked++;
    f->pcp_ended += m[4] == 0 && m[5] == 0 && m[6] == 0 && m[7] == 0;
    m[1] |= 0x80;
    inet_pton(AF_INET, OUTER, m + 56);
    if (f->forged && f->pcp_asked == 1)
        forge_answer(f->fds[PCP]);
    else if (f->pcp)
        assert_int_equal(sendto(f->fds[PCP], m, (size_t)len, 0, (struct sockaddr *)&from, size), len);
}

/* ---- the router: UPnP ---- */

static void on_search(struct fixture *f)
{
    char text[REQUEST];
    struct sockaddr_in from;
    socklen_t size = sizeof(from);
    ssize_t len = recvfrom(f->fds[SSDP], text, sizeof(text) - 1, 0, (struct sockaddr *)&from, &size);
    assert_true(len > 0);
    text[len] = '\0';
    assert_non_null(strstr(text, "M-SEARCH * HTTP/1.1"));
    for (unsigned i = 0; f->location && i < (f->locations ? f->locations : 1); i++) {
        len = snprintf(
            text, sizeof(text),
            "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
            "USN: uuid:%u::urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLOCATION: %s?%u\r\n\r\n",
            i, f->location, i);
        assert_int_equal(sendto(f->fds[SSDP], text, (size_t)len, 0, (struct sockaddr *)&from, size), len);
    }
}

static void take_value(const char *request, const char *name, char *out, size_t size)
{
    const char *at = strstr(request, name);
    assert_non_null(at);
    at += strlen(name) + 1;
    snprintf(out, size, "%.*s", (int)strcspn(at, "<"), at);
}

static int judge_mapping(struct fixture *f, const char *request)
{
    char lease[12];
    take_value(request, "NewLeaseDuration", lease, sizeof(lease));
    if (f->taken > 0 && f->taken--)
        return 718;
    if (f->permanent_only && strcmp(lease, "0") != 0)
        return 725;
    assert_true(f->added < CHANGES && strstr(request, "<NewInternalClient>192.168.77.2<"));
    take_value(request, "NewExternalPort", f->outer[f->added], sizeof(f->outer[0]));
    snprintf(f->lease[f->added++], sizeof(f->lease[0]), "%s", lease);
    return 0;
}

static void describe(const struct fixture *f, char *out, size_t size)
{
    snprintf(
        out, size,
        "<?xml version=\"1.0\"?><root xmlns=\"urn:schemas-upnp-org:device-1-0\"><device>"
        "<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><deviceList><device>"
        "<deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><serviceList><service>"
        "<serviceType>urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1</serviceType>"
        "<controlURL>/common</controlURL></service></serviceList><deviceList><device>"
        "<deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><serviceList><service>"
        "<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>"
        "<controlURL>%s</controlURL></service></serviceList></device></deviceList></device></deviceList>"
        "</device></root>",
        f->control);
}

/* Returns the error of UPnP's, or 0. */
static int act(struct fixture *f, const char *request, char *body, size_t size)
{
    int error = 0;
    body[0] = '\0';
    if (strncmp(request, "GET ", 4) == 0) {
        describe(f, body, size);
    } else if (strstr(request, "#GetExternalIPAddress")) {
        snprintf(body, size,
                 "<s:Envelope><s:Body><u:GetExternalIPAddressResponse><NewExternalIPAddress>" OUTER
                 "</NewExternalIPAddress></u:GetExternalIPAddressResponse></s:Body></s:Envelope>");
    } else if (strstr(request, "#AddPortMapping")) {
        error = judge_mapping(f, request);
        snprintf(body, size, "<s:Envelope><s:Body><u:AddPortMappingResponse/></s:Body></s:Envelope>");
    } else {
        assert_non_null(strstr(request, "#DeletePortMapping"));
        f->deleted++;
    }
    if (error)
        snprintf(body, size,
                 "<s:Envelope><s:Body><s:Fault><detail><UPnPError><errorCode>%d</errorCode>"
                 "</UPnPError></detail></s:Fault></s:Body></s:Envelope>",
                 error);
    return error;
}

/* Head, and as much of a body as it says. */
static bool is_whole(const char *request)
{
    const char *head = strstr(request, "\r\n\r\n"), *length = strcasestr(request, "content-length:");
    return head && strlen(head + 4) >= (length ? strtoul(length + 15, NULL, 10) : 0);
}

static void on_http(struct fixture *f)
{
    char request[REQUEST] = "", body[REQUEST], head[128];
    int fd = accept(f->fds[HTTP], NULL, NULL);
    f->http_asked++;
    for (size_t len = 0; !is_whole(request);) {
        assert_true(lab_readable(fd) && len < sizeof(request) - 1);
        ssize_t n = recv(fd, request + len, sizeof(request) - 1 - len, 0);
        assert_true(n > 0);
        len += (size_t)n;
        request[len] = '\0';
    }
    int error = act(f, request, body, sizeof(body));
    int len = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                       error ? "500 Internal Server Error" : "200 OK", strlen(body));
    assert_int_equal(send(fd, head, (size_t)len, MSG_NOSIGNAL | MSG_MORE), len);
    assert_int_equal(send(fd, body, strlen(body), MSG_NOSIGNAL), (ssize_t)strlen(body));
    close(fd);
}

/* One round of the router's; true when the node has something to read, or its end is closed. */
static bool serve(struct fixture *f)
{
    struct pollfd fds[SOCKETS];
    for (unsigned i = 0; i < SOCKETS; i++)
        fds[i] = (struct pollfd){.fd = f->fds[i], .events = POLLIN};
    assert_true(poll(fds, SOCKETS, WAIT_MS) > 0);
    if (fds[PCP].revents)
        on_pcp(f);
    if (fds[SSDP].revents)
        on_search(f);
    if (fds[HTTP].revents)
        on_http(f);
    return fds[NODE].revents != 0;
}

/* ---- the node ---- */

static const struct helper_message *hear(struct fixture *f)
{
    static struct helper_packet packet;
    while (!serve(f))
        continue;
    assert_int_equal(helper_channel_receive(f->fds[NODE], &packet), 0);
    return &packet.message;
}

static void ask(struct fixture *f)
{
    const struct helper_message m = {
        .kind = HELPER_PORTMAP_ASK, .address_count = 2, .addresses = {ours, router}};
    assert_int_equal(helper_channel_send(f->fds[NODE], &m), 0);
}

static void assert_nothing_had(const struct helper_message *m, const char *why)
{
    assert_int_equal(m->kind, HELPER_PORTMAP);
    assert_true(m->address_count == 1 && addr_equal(&m->addresses[0], &router) && m->number == 0);
    assert_string_equal(m->text, why);
}

static void assert_had(const struct helper_message *m, const char *protocol)
{
    struct addr outer;
    assert_int_equal(m->kind, HELPER_PORTMAP);
    assert_string_equal(m->text, protocol);
    assert_int_equal(m->address_count, 3);
    assert_int_equal(addr_parse(OUTER, UDP_PORT, &outer), 0);
    assert_true(addr_equal(&m->addresses[0], &router) && addr_same_host(&m->addresses[1], &outer) &&
                addr_same_host(&m->addresses[2], &outer));
    assert_int_equal(m->number, MAPPER_LIFETIME_S);
    assert_int_equal(m->data.len, 0);
}

/* ---- life ---- */

static int udp_at(const char *ip, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, ip, &at.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static int ssdp_socket(void)
{
    struct ip_mreq group;
    int fd = udp_at("0.0.0.0", 1900);
    inet_pton(AF_INET, "239.255.255.250", &group.imr_multiaddr);
    inet_pton(AF_INET, ROUTER, &group.imr_interface);
    assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)), 0);
    return fd;
}

static int http_socket(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(HTTP_PORT)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static struct fixture *new_fixture(void **state)
{
    static struct fixture f;
    static const struct portmap_helper_config config = {
        .caged = SANDBOX_DEFAULT, .port = UDP_PORT, .control_port = TCP_PORT, .nonce = {1, 2, 3}};
    struct helper_job job = {
        .title = "test: portmap", .name = "portmap", .run = portmap_helper_run, .context = &config};
    f = (struct fixture){.control = "/ctl"};
    *state = &f;
    lab_enter();
    lab_run("ip link set lo multicast on; ip addr add " ROUTER
            "/24 dev lo; ip addr add 192.168.77.2/24 dev lo; "
            "ip addr add " BESIDE "/24 dev lo; ip route add 224.0.0.0/4 dev lo");
    assert_int_equal(helper_channel_open(&f.fds[NODE], &job.fd), 0);
    assert_int_equal(helper_keeper_start(&job, 1, &f.fds[NODE], 1, config.caged), 0);
    f.fds[PCP] = udp_at(ROUTER, PCP_PORT); /* the helper has none of these */
    f.fds[SSDP] = ssdp_socket();
    f.fds[HTTP] = http_socket();
    assert_int_equal(hear(&f)->kind, HELPER_READY);
    return &f;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; f && i < SOCKETS; i++)
        if (f->fds[i] > 0)
            close(f->fds[i]);
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    return 0;
}

/* Nobody listens at the router's port: PCP's round ends at once. */
static struct fixture *begin_upnp(void **state)
{
    struct fixture *f = new_fixture(state);
    close(f->fds[PCP]);
    f->fds[PCP] = -1;
    f->location = "http://" ROUTER ":5000/root.xml";
    return f;
}

/* The node goes: served until what the helper ends is ended. */
static void leave(struct fixture *f, const unsigned *ended)
{
    close(f->fds[NODE]);
    f->fds[NODE] = -1;
    while (*ended < 2)
        (void)!serve(f);
}

/* ---- PCP ---- */

static void both_ports_are_mapped_by_pcp_and_ended_with_the_node(void **state)
{
    struct fixture *f = new_fixture(state);
    f->pcp = true;
    ask(f);
    assert_had(hear(f), "PCP");
    assert_int_equal(f->pcp_asked, 2);
    leave(f, &f->pcp_ended);
    assert_int_equal(f->pcp_asked, 4);
}

static void answer_said_to_everybody_is_none(void **state)
{
    struct fixture *f = new_fixture(state);
    f->pcp = f->forged = true;
    ask(f);
    assert_had(hear(f), "PCP");
    assert_int_equal(f->pcp_asked, 3);
}

static void changed_network_has_the_router_asked_again(void **state)
{
    struct fixture *f = new_fixture(state);
    f->pcp = true;
    ask(f);
    assert_had(hear(f), "PCP");
    ask(f);
    assert_had(hear(f), "PCP"); /* what is held meanwhile */
    while (f->pcp_asked < 4)
        (void)!serve(f);
}

static void router_that_is_no_more_ours_is_not_asked(void **state)
{
    struct fixture *f = new_fixture(state);
    const struct helper_message none = {.kind = HELPER_PORTMAP_ASK};
    f->pcp = true;
    ask(f);
    assert_had(hear(f), "PCP");
    assert_int_equal(helper_channel_send(f->fds[NODE], &none), 0);
    close(f->fds[NODE]);
    f->fds[NODE] = -1;
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    assert_int_equal(f->pcp_ended, 0);
}

static void helper_that_is_asked_nonsense_ends(void **state)
{
    struct fixture *f = new_fixture(state);
    struct helper_message m = {.kind = HELPER_PORTMAP_ASK, .address_count = 1, .addresses = {ours}};
    assert_int_equal(helper_channel_send(f->fds[NODE], &m), 0);
    assert_int_equal(hear(f)->kind, HELPER_ENDED);
    assert_int_equal(hear(f)->kind, HELPER_READY);
    m.kind = HELPER_ASK_NAME;
    assert_int_equal(helper_channel_send(f->fds[NODE], &m), 0);
    assert_int_equal(hear(f)->kind, HELPER_ENDED);
}

/* ---- UPnP ---- */

static void both_ports_are_mapped_by_upnp_and_ended_with_the_node(void **state)
{
    struct fixture *f = begin_upnp(state);
    ask(f);
    const struct helper_message *m = hear(f);
    assert_had(m, "UPnP");
    assert_int_equal(m->addresses[1].port, UDP_PORT);
    assert_int_equal(m->addresses[2].port, TCP_PORT);
    assert_int_equal(f->added, 2);
    assert_string_equal(f->lease[0], "1200");
    leave(f, &f->deleted);
}

static bool may_make_no_process(const char *pid)
{
    char path[300], line[200];
    bool none = false;
    snprintf(path, sizeof(path), "/proc/%s/limits", pid);
    FILE *limits = fopen(path, "re");
    while (limits && fgets(line, sizeof(line), limits)) {
        unsigned long soft = 1, hard = 1;
        none |= sscanf(line, "Max processes %lu %lu", &soft, &hard) == 2 && soft == 0 && hard == 0;
    }
    if (limits)
        fclose(limits);
    return none;
}

/* Processes in this test's network that may make no other. */
static unsigned childless(void)
{
    char ours_ns[64] = "", path[300], ns[64];
    unsigned count = 0;
    DIR *proc = opendir("/proc");
    assert_non_null(proc);
    assert_true(readlink("/proc/self/ns/net", ours_ns, sizeof(ours_ns) - 1) > 0);
    for (const struct dirent *d; (d = readdir(proc));) {
        snprintf(path, sizeof(path), "/proc/%s/ns/net", d->d_name);
        ssize_t len = readlink(path, ns, sizeof(ns) - 1);
        ns[len > 0 ? len : 0] = '\0';
        count += strcmp(ns, ours_ns) == 0 && may_make_no_process(d->d_name);
    }
    closedir(proc);
    return count;
}

static void process_that_reads_what_a_router_writes_makes_no_other(void **state)
{
    struct fixture *f = begin_upnp(state);
    struct pollfd http = {.fd = f->fds[HTTP], .events = POLLIN};
    assert_int_equal(childless(), 0);
    ask(f);
    on_search(f);
    assert_int_equal(poll(&http, 1, WAIT_MS), 1);
    assert_int_equal(childless(), 1);
    assert_had(hear(f), "UPnP");
}

/* Else one that was taken over would outlive the node. */
static void nobody_in_the_cage_can_ask_to_outlive_its_parent(void **state)
{
    char failed[HELPER_TEXT_MAX];
    int status;
    *state = NULL;
    if (!SANDBOX_DEFAULT)
        skip();
    pid_t pid = fork();
    if (pid == 0) {
        if (helper_cage_enter(HELPER_CAGE_PORTMAP, failed, sizeof(failed)))
            _exit(2);
        bool dies = prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0;
        _exit(dies && prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) != 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void ask_nobody(struct fixture *f)
{
    const struct helper_message none = {.kind = HELPER_PORTMAP_ASK};
    assert_int_equal(helper_channel_send(f->fds[NODE], &none), 0);
}

static void serve_until_ended(struct fixture *f)
{
    while (f->deleted < 2)
        (void)!serve(f);
    assert_int_equal(f->added, 2);
}

static void router_that_is_no_more_ours_gets_back_what_it_gave_by_upnp(void **state)
{
    struct fixture *f = begin_upnp(state);
    ask(f);
    assert_had(hear(f), "UPnP");
    ask_nobody(f);
    serve_until_ended(f);
}

static void router_that_is_left_while_it_is_asked_gets_back_what_it_then_gives(void **state)
{
    struct fixture *f = begin_upnp(state);
    ask(f);
    while (f->http_asked == 0)
        (void)!serve(f);
    ask_nobody(f);
    serve_until_ended(f);
}

static void node_that_goes_while_the_router_is_asked_leaves_nothing(void **state)
{
    struct fixture *f = begin_upnp(state);
    ask(f);
    while (f->http_asked == 0)
        (void)!serve(f);
    leave(f, &f->deleted);
    assert_int_equal(f->added, 2);
}

/* PCP is refused. True when UPnP is asked then. */
static bool fails_over(struct portmap_side *s, uint64_t now_us)
{
    struct pollfd fds[PORTMAP_SIDE_FDS];
    unsigned failures = s->mapper.failures;
    for (unsigned i = 0; i < 3; i++) {
        portmap_side_wants(s, fds);
        (void)!poll(fds, PORTMAP_SIDE_FDS, 0);
        portmap_side_turn(s, fds, now_us);
    }
    assert_int_equal(s->mapper.failures, failures + 1);
    return s->upnp.job.fd >= 0;
}

static void finish(struct portmap_side *s, uint64_t now_us)
{
    struct pollfd fds[PORTMAP_SIDE_FDS];
    portmap_side_wants(s, fds);
    assert_true(poll(fds, PORTMAP_SIDE_FDS, WAIT_MS) > 0);
    portmap_side_turn(s, fds, now_us);
    assert_int_equal(s->upnp.job.fd, -1);
}

/* An announcement, which anybody may forge, begins a round. */
static void forced_rounds_search_for_upnp_no_more_than_every_five_minutes(void **state)
{
    static const struct mapper_config config = {.ports = {UDP_PORT, TCP_PORT}};
    const uint64_t start_us = 1000 * USEC_PER_SEC, soon_us = start_us + 299 * USEC_PER_SEC;
    struct portmap_side s;
    char why[HELPER_TEXT_MAX];
    *state = NULL;
    lab_enter();
    lab_run("ip addr add " ROUTER "/24 dev lo; ip addr add 192.168.77.2/24 dev lo; "
            "ip route add 224.0.0.0/4 dev lo");
    portmap_side_init(&s, &config);
    portmap_side_ask(&s, &ours, &router, start_us);
    assert_true(fails_over(&s, start_us));
    finish(&s, start_us);
    snprintf(why, sizeof(why), "%s", s.why);
    for (uint64_t at_us = start_us + 2 * USEC_PER_SEC; at_us < soon_us; at_us += 2 * USEC_PER_SEC) {
        mapper_restart(&s.mapper, at_us);
        assert_false(fails_over(&s, at_us));
    }
    assert_string_equal(s.why, why);
    portmap_side_ask(&s, &ours, &router, soon_us); /* the network changed */
    assert_true(fails_over(&s, soon_us));
    finish(&s, soon_us);
    mapper_restart(&s.mapper, soon_us + 300 * USEC_PER_SEC);
    assert_true(fails_over(&s, soon_us + 300 * USEC_PER_SEC));
    portmap_side_ask(&s, &(struct addr){0}, &(struct addr){0}, soon_us);
}

static void port_that_is_taken_is_left_alone(void **state)
{
    struct fixture *f = begin_upnp(state);
    f->taken = 2;
    ask(f);
    const struct helper_message *m = hear(f);
    assert_had(m, "UPnP");
    assert_int_not_equal(m->addresses[1].port, UDP_PORT);
    assert_int_equal(m->addresses[1].port, atoi(f->outer[0]));
    assert_int_equal(m->addresses[2].port, TCP_PORT);
}

static void router_with_no_port_to_give_refuses(void **state)
{
    struct fixture *f = begin_upnp(state);
    f->taken = 100;
    ask(f);
    assert_nothing_had(hear(f), "has neither PCP nor NAT-PMP, and refuses (UPnP: error 718)");
}

static void router_that_knows_no_end_of_mappings_gets_one_without(void **state)
{
    struct fixture *f = begin_upnp(state);
    f->permanent_only = true;
    ask(f);
    assert_had(hear(f), "UPnP");
    assert_string_equal(f->lease[0], "0");
    leave(f, &f->deleted);
}

static void router_without_anything_is_told_so(void **state)
{
    struct fixture *f = begin_upnp(state);
    f->location = NULL;
    ask(f);
    assert_nothing_had(hear(f), "has neither PCP nor NAT-PMP, and offers no UPnP");
    assert_int_equal(f->http_asked, 0);
}

/* Whoever is on the network may answer the search. */
static void nobody_but_the_router_is_asked(void **state)
{
    struct fixture *f = begin_upnp(state);
    static const char *const elsewhere[] = {"http://" BESIDE ":5000/root.xml",
                                            "http://" ROUTER "0:5000/root.xml",
                                            "http://" ROUTER "@" BESIDE ":5000/", "file:///etc/passwd"};
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
        const struct helper_message none = {.kind = HELPER_PORTMAP_ASK};
        f->location = elsewhere[i];
        assert_int_equal(helper_channel_send(f->fds[NODE], &none), 0);
        ask(f);
        assert_nothing_had(hear(f), "has neither PCP nor NAT-PMP, and offers no UPnP");
    }
    assert_int_equal(f->http_asked, 0);
}

static void router_is_asked_for_three_descriptions_however_many_are_named(void **state)
{
    struct fixture *f = begin_upnp(state);
    f->locations = 10;
    f->control = "http://" BESIDE ":5000/ctl";
    ask(f);
    assert_nothing_had(hear(f),
                       "has neither PCP nor NAT-PMP, and describes no UPnP gateway that can be used");
    assert_int_equal(f->http_asked, 3);
}

static void control_url_elsewhere_is_not_asked(void **state)
{
    struct fixture *f = begin_upnp(state);
    f->control = "http://" BESIDE ":5000/ctl";
    ask(f);
    assert_nothing_had(hear(f),
                       "has neither PCP nor NAT-PMP, and describes no UPnP gateway that can be used");
    assert_int_equal(f->http_asked, 1);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_ports_are_mapped_by_pcp_and_ended_with_the_node),
        TEST(answer_said_to_everybody_is_none),
        TEST(changed_network_has_the_router_asked_again),
        TEST(router_that_is_no_more_ours_is_not_asked),
        TEST(helper_that_is_asked_nonsense_ends),
        TEST(both_ports_are_mapped_by_upnp_and_ended_with_the_node),
        TEST(process_that_reads_what_a_router_writes_makes_no_other),
        TEST(nobody_in_the_cage_can_ask_to_outlive_its_parent),
        TEST(router_that_is_no_more_ours_gets_back_what_it_gave_by_upnp),
        TEST(router_that_is_left_while_it_is_asked_gets_back_what_it_then_gives),
        TEST(node_that_goes_while_the_router_is_asked_leaves_nothing),
        TEST(forced_rounds_search_for_upnp_no_more_than_every_five_minutes),
        TEST(port_that_is_taken_is_left_alone),
        TEST(router_with_no_port_to_give_refuses),
        TEST(router_that_knows_no_end_of_mappings_gets_one_without),
        TEST(router_without_anything_is_told_so),
        TEST(nobody_but_the_router_is_asked),
        TEST(router_is_asked_for_three_descriptions_however_many_are_named),
        TEST(control_url_elsewhere_is_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
