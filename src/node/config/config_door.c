/* SPDX-License-Identifier: Apache-2.0 */
/* Parts between colons, of which those in brackets are none. Pure functions of their text. */
#include "node/config/config_door.h"

#include "node/config/config_value.h"
#include "proto/doors/destination.h"

#include <string.h>

#define PARTS_MAX 5
#define TEXT_MAX  512

#define FORWARD_HINT                                                                                         \
    "no door: give tcp:PORT:HOST:PORT, such as tcp:8080:10.10.10.3:80, an IPv6 address in brackets"
#define LISTEN_HINT                                                                                          \
    "no door: give tcp:PORT:HOST:PORT, such as tcp:80:localhost:8080, an IPv6 address in brackets"

struct parts {
    unsigned count; /* 0: it is not made so */
    char *at[PARTS_MAX];
    char text[TEXT_MAX];
};

/* Ends the part that begins at text. NULL: it was the last, or what follows it is no colon (then *bad). */
static char *cut(char *text, bool *bad)
{
    char *end = text[0] == '[' ? strchr(text, ']') : text + strcspn(text, ":[]");
    if (text[0] == '[' && end)
        *end++ = '\0';
    *bad |= !end || (*end && *end != ':');
    if (*bad || !*end)
        return NULL;
    *end = '\0';
    return end + 1;
}

static void split(const char *text, struct parts *out)
{
    bool bad = strlen(text) >= sizeof(out->text);
    out->count = 0;
    if (bad)
        return;
    strcpy(out->text, text);
    for (char *at = out->text, *next; at && !bad && out->count < PARTS_MAX; at = next) {
        next = cut(at, &bad);
        out->at[out->count++] = at + (at[0] == '[');
        bad |= next && out->count == PARTS_MAX;
    }
    if (bad)
        out->count = 0;
}

static const char *read_protocol(const char *text, bool *udp)
{
    *udp = strcmp(text, "udp") == 0;
    return *udp || strcmp(text, "tcp") == 0 ? NULL : "its protocol is unknown: give tcp or udp";
}

static const char *read_loopback(const char *text, struct addr *out)
{
    if (addr_parse(text, 0, out) != 0 || out->port)
        return FORWARD_HINT;
    return addr_is_loopback(out)
               ? NULL
               : "listens beyond this machine, where anybody could use it: give 127.0.0.1 or ::1";
}

static const char *read_host(const char *host, const char *port, const char *hint, struct config_host *out)
{
    struct destination t;
    if (destination_from_text(host, strlen(host), 0, &t))
        return hint;
    if (t.address.family && addr_is_unspecified(&t.address))
        return "leads to no host: give its address";
    strcpy(out->name, t.address.family ? host : t.name);
    return config_read_port(port, &out->port);
}

/* A host that is this machine: by name, or by a loopback address. */
static bool is_here(const char *host)
{
    struct addr a;
    return strcmp(host, CONFIG_LOCALHOST) == 0 || (addr_parse(host, 0, &a) == 0 && addr_is_loopback(&a));
}

const char *config_read_forward(const char *text, struct config_door *out)
{
    struct parts p;
    struct config_door door = {.at = {.family = 4, .ip = {127, 0, 0, 1}}};
    split(text, &p);
    if (p.count < 4)
        return FORWARD_HINT;
    const char *wrong = read_protocol(p.at[0], &door.udp);
    if (!wrong && p.count == 5)
        wrong = read_loopback(p.at[1], &door.at);
    if (!wrong)
        wrong = config_read_port(p.at[p.count - 3], &door.at.port);
    if (!wrong)
        wrong = read_host(p.at[p.count - 2], p.at[p.count - 1], FORWARD_HINT, &door.to);
    if (!wrong && is_here(door.to.name))
        wrong = "leads to this machine itself: give an address of the mesh, or a member's name";
    struct addr a;
    if (!wrong && door.udp && addr_parse(door.to.name, 0, &a) != 0)
        wrong = "leads to a name: udp leads to an address alone";
    if (!wrong)
        *out = door;
    return wrong;
}

const char *config_read_listen(const char *text, struct config_door *out)
{
    struct parts p;
    struct config_door door = {0};
    split(text, &p);
    if (p.count != 4)
        return LISTEN_HINT;
    const char *wrong = strcmp(p.at[0], "tcp") == 0 ? NULL : "its protocol is unknown: give tcp";
    if (!wrong)
        wrong = config_read_port(p.at[1], &door.at.port);
    if (!wrong)
        wrong = read_host(p.at[2], p.at[3], LISTEN_HINT, &door.to);
    struct addr a;
    if (!wrong && strcmp(door.to.name, CONFIG_LOCALHOST) != 0 && addr_parse(door.to.name, 0, &a) != 0)
        wrong = "leads to a name: give localhost, or an address";
    if (!wrong)
        *out = door;
    return wrong;
}

const char *config_read_local(const char *text, struct addr *out)
{
    static const char hint[] = "no port: give PORT or ADDR:PORT, an IPv6 address in brackets";
    struct parts p;
    struct addr a = {.family = 4, .ip = {127, 0, 0, 1}};
    split(text, &p);
    if (p.count != 1 && p.count != 2)
        return hint;
    if (p.count == 2 && (addr_parse(p.at[0], 0, &a) != 0 || a.port))
        return hint;
    const char *wrong = config_read_port(p.at[p.count - 1], &a.port);
    if (!wrong)
        *out = a;
    return wrong;
}
