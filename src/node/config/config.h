/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the flags of shadowmesh-l2 say: DESIGN's names, `-flag` and `--flag` alike. While a node runs it changes by
 * node/command/reloads.h alone, on the control thread. */

#include "base/addr.h"
#include "base/err.h"
#include "base/flags_again.h"
#include "base/id.h"
#include "crypto/aead_policy.h"
#include "node/config/resolver_mode.h"
#include "proto/path/endpoint.h"
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_CONNECT_MAX     256
#define CONFIG_HOST_ROUTES_MAX 64
#define CONFIG_STUN_MAX        8
#define CONFIG_PORT_STUN       3478 /* RFC 8489 §18.6 */
#define CONFIG_PORT_DATA       9443
#define CONFIG_PORT_CONTROL    8443
#define CONFIG_PORT_LAN        9444
#define CONFIG_MTU_DEFAULT     1500
#define CONFIG_MTU_MIN         576
#define CONFIG_MTU_MAX         9000
#define CONFIG_WORKERS_MAX     8
#define CONFIG_PROXY_OFF       "off"
#define CONFIG_TUN_AUTO        "auto"
#define CONFIG_TUN_FD_MIN      3 /* the others are the standard streams */
#define CONFIG_TUN_FD_MAX      1048575
#define CONFIG_URL_MAX         512
#define CONFIG_RELAY_MBIT      100
#define CONFIG_RELAY_MBIT_MAX  100000
#define CONFIG_DOORS_MAX       16 /* of each kind */
#define CONFIG_LOCALHOST       "localhost"

/* Who hears of us on the local network. */
enum config_lan {
    CONFIG_LAN_SOUGHT, /* those of -connect without a host */
    CONFIG_LAN_ALL,    /* everybody of -connect and -allow */
    CONFIG_LAN_OFF,
};

struct config_connect {
    struct node_id id;
    char host[256]; /* empty when the backbone is to be asked */
    uint16_t port;  /* TCP control port at host */
};

struct config_host {
    char name[256]; /* or an address */
    uint16_t port;
};

/* A port here that leads to one elsewhere. */
struct config_door {
    bool udp;              /* else TCP */
    struct addr at;        /* where it listens; family 0: at the addresses of the mesh's device */
    struct config_host to; /* an address, a member's name, or CONFIG_LOCALHOST */
};

struct config {
    struct flags_source source; /* where it came from, to be read again */
    char keydir[4096];
    bool generate_keys; /* make keys, print the id, exit */
    bool netcheck;      /* check the network, print JSON, exit */
    bool check;         /* only read the flags, exit */
    unsigned backbone_count;
    char backbones[UPLINKS_MAX][CONFIG_URL_MAX]; /* -backbone: URLs without trailing slash */
    char proxy[512];       /* -proxy: its URL, or CONFIG_PROXY_OFF; empty when not given (proxy.h) */
    char proxy_auth[4096]; /* -proxy-auth: a file; empty when not given */
    unsigned stun_count;
    struct config_host stun[CONFIG_STUN_MAX]; /* -stun */
    struct addr external;                     /* -ip; family 0 when it is to be found */
    uint16_t port, control_port;
    char tap_name[IFNAMSIZ];        /* -tap; empty when not given */
    char tun_name[IFNAMSIZ];        /* -tun, or CONFIG_TUN_AUTO; empty when not given: the device is a TAP */
    unsigned tun_fd;                /* -tun-fd; 0 when not given */
    struct addr_prefix tap_address; /* -tap-ip and -tap-netmask; family 0 when not given */
    unsigned tap_mtu;
    bool rootless;        /* -rootless: the device is in namespaces of its own */
    bool pass_bpdus;      /* -bpdu pass */
    bool host_routes_off; /* -host-route off: beside an overlapping interface, only those named */
    unsigned host_route_count;
    struct addr host_routes[CONFIG_HOST_ROUTES_MAX]; /* -host-route: a peer's, whoever else has them */
    unsigned workers;                                /* 0: one per CPU */
    char name[64];
    bool named;             /* by -name */
    char network[64];       /* -network; empty when not given */
    enum resolver_mode dns; /* -dns */
    char called[64];        /* what this node is called: -name, but in a network what its certificate says */
    bool is_public, verbose, profile;
    bool full_mesh; /* -mesh: those of -allow are dialled, too */
    enum aead_choice cipher_library;
    enum aead_policy aead;  /* -aead */
    enum carriers carriers; /* -carrier */
    unsigned relay_mbit; /* -relay, -relay-rate; 0: it relays for nobody, unless its certificate says so … */
    bool relay_off;      /* … and it was not told not to: -relay=false */
    bool portmap;        /* -portmap auto: the router is asked to map our ports */
    enum config_lan lan;    /* -lan */
    unsigned forward_count; /* -forward: from here to the mesh */
    struct config_door forward[CONFIG_DOORS_MAX];
    unsigned listen_count; /* -listen: from the mesh to here */
    struct config_door listen[CONFIG_DOORS_MAX];
    struct addr socks;      /* -socks: where it listens; family 0 when not given */
    struct addr http_proxy; /* -http-proxy: likewise */
    char socks_auth[4096];  /* -socks-auth: a file; empty when not given. Clients' of both … */
    bool socks_direct;      /* … as is -socks-direct: they reach what is not the mesh's, too */
    bool sandbox;           /* -sandbox */
    char run_dir[256];      /* of the API socket */
    unsigned connect_count;
    struct config_connect connect[CONFIG_CONNECT_MAX];
    unsigned allow_count;
    struct node_id allow[CONFIG_CONNECT_MAX];
    unsigned ratchet_s, rehandshake_s, control_idle_s, quiet_s,
        certificate_s; /* test options, not in --help; 0 when not given */
#ifdef SHADOWMESH_BENCH_NULL
    bool null_cipher; /* likewise */
#endif
};

/* The table: which flag a running node takes anew, and where it lies in struct config. */
const struct flags *config_flags(void);

/* Whether a process serves doors: -forward, -listen, -socks or -http-proxy. */
bool config_has_doors(const struct config *c);

/* Parses argv, as flags_parse does. */
enum flags_result config_parse(int argc, char **argv, struct config *out) must_check;

/* The same flags again, from where they came before. */
enum flags_result config_parse_again(const struct flags_again *again, struct config *out) must_check;
