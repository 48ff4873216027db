# SPDX-License-Identifier: Apache-2.0
"""Routers between a site and the internet, of the kinds that people have: which port a socket has outside, and what comes in.

    site 192.168.x.2 ──── router ──────────────────────── inet ──── server 203.0.113.2 and .3
                          router ──── carrier ────        (double NAT)
                          router ──── wire ────           (30 ms and loss, when asked for)
                          router ──┐
                          router ──┴─ carrier ────        (shared_carrier: one for several sites)

KINDS names them. What a kind does to IPv4 it does by nftables; IPv6 is not translated: behind a router that translates
IPv4, it has a firewall that lets in answers alone, as routers do. Rules stand beside what they do to UDP, which
tests/netns/test_routers.py measures, and from which oracle.py computes what is possible.
"""

from dataclasses import dataclass

from wires import SlowWire

DELAY_S = 0.015  # one way
LOSS = 0.01      # one way
PROXY_PORT = 3128
BACKBONE_PORT = 8080

SERVER6 = "2001:db8:113"

# What comes to the router itself unasked is dropped in silence, as home routers do. Where it is not, a datagram that comes
# too early takes the port of a mapping, and the socket inside gets another.
GUARD = """
table inet guard {
    chain to-us { type filter hook input priority 0; iifname "eth0" meta l4proto { tcp, udp } ct state new drop; }
}"""

ANSWERS_ALONE = """
table {family} firewall {{
    chain passing {{ type filter hook forward priority 0; {rule}
                     iifname "eth0" ct state established,related accept ; iifname "eth0" drop ; }}
}}"""

NO_UDP = 'oifname "eth0" meta l4proto udp drop ;'
BACKBONE_ALONE = f'oifname "eth0" tcp dport != {BACKBONE_PORT} drop ; oifname "eth0" meta l4proto udp drop ;'
NOTHING = 'oifname "eth0" drop ;'

# What rules do to UDP, in the words of RFC 4787: the port that a socket gets outside, and who may send to it.
NOT_MAPPED, BY_SOCKET, IN_SEQUENCE, AT_RANDOM = "not mapped", "by socket", "in sequence", "at random"
ANYBODY, ASKED_HOSTS, ASKED_PORTS = "anybody", "asked hosts", "asked ports"


@dataclass(frozen=True)
class Rules:
    """What nft gets, given the router's outer address (None: nothing), and what it does to UDP."""
    text: object
    mapping: str
    filtering: str
    udp: bool = True                  # UDP passes at all

    def __call__(self, wan):
        return self.text(wan)


NO_RULES = Rules(None, NOT_MAPPED, ANYBODY)

SNAT = """
table ip nat {{
    chain out {{ type nat hook postrouting priority 100; {udp} oifname "eth0" snat to {wan} ; }}
}}"""

# Any mapped port leads to the socket that has it, whoever sends.
CONE = """
table ip nat {{
    map fullcone {{ type inet_service : ipv4_addr . inet_service; flags dynamic, timeout; timeout 5m; size 4096; }}
    chain out {{ type nat hook postrouting priority 100;
                 oifname "eth0" meta l4proto udp update @fullcone {{ udp sport : ip saddr . udp sport }} snat to {wan} ;
                 oifname "eth0" snat to {wan} ; }}
    chain in {{ type nat hook prerouting priority -100; iifname "eth0" meta l4proto udp dnat to udp dport map @fullcone ; }}
}}"""

FULL_CONE = CONE + """
table ip firewall {{
    chain passing {{ type filter hook forward priority 0; iifname "eth0" ct state established,related accept ;
                     iifname "eth0" meta l4proto != udp drop ; }}
}}"""

# Only from hosts that the socket has sent to, from whatever port of theirs.
ADDRESS_RESTRICTED = CONE + """
table ip firewall {{
    set contacted {{ type ipv4_addr . inet_service; flags dynamic, timeout; timeout 5m; size 4096; }}
    chain passing {{ type filter hook forward priority 0;
                     oifname "eth0" meta l4proto udp update @contacted {{ ip daddr . udp sport }}
                     iifname "eth0" ct state established,related accept ;
                     iifname "eth0" meta l4proto udp ip saddr . udp dport @contacted accept ; iifname "eth0" drop ; }}
}}"""

# One NAT in front of several sites, which do not reach each other inside. A full cone, also from inside where it leads
# back (hairpin). Each site's sockets need other ports than those of the others.
SHARED = """
table ip nat {{
    map inside {{ type inet_service : ipv4_addr . inet_service; flags dynamic, timeout; timeout 5m; size 4096; }}
    chain out {{ type nat hook postrouting priority 100;
                 oifname "eth0" meta l4proto udp update @inside {{ udp sport : ip saddr . udp sport }} snat to {wan} ;
                 oifname "eth0" snat to {wan} ;
                 ct status dnat snat to {wan} ; }}
    chain in {{ type nat hook prerouting priority -100; {led} meta l4proto udp dnat to udp dport map @inside ; }}
}}
table ip firewall {{
    chain passing {{ type filter hook forward priority 0; ct status dnat accept ;
                     iifname != "eth0" oifname != "eth0" drop ; }}
    chain to-us {{ type filter hook input priority 0; meta l4proto {{ tcp, udp }} ct state new drop ; }}
}}"""

SEQUENTIAL_FIRST, SEQUENTIAL_COUNT = 30000, 512


def _sequential(wan):
    ports = ", ".join(f"{n} : {SEQUENTIAL_FIRST + n}" for n in range(SEQUENTIAL_COUNT))
    return f'oifname "eth0" meta l4proto udp snat to {wan} : numgen inc mod {SEQUENTIAL_COUNT} map {{ {ports} }} ;'


def _random(_wan):
    return 'oifname "eth0" meta l4proto udp masquerade random,fully-random ;'


def _translated(udp=lambda _wan: "", mapping=BY_SOCKET, closed="", guard=GUARD):
    """A router that lets in answers alone. udp: how it translates UDP; closed: what does not pass it, UDP included."""
    firewall = ANSWERS_ALONE.format(family="ip", rule=closed)
    return Rules(lambda wan: SNAT.format(wan=wan, udp=udp(wan)) + guard + firewall, mapping, ASKED_PORTS, not closed)


def _cone(rules, filtering):
    return Rules(lambda wan: rules.format(wan=wan) + GUARD, BY_SOCKET, filtering)


def _firewall6(closed=""):
    text = GUARD + ANSWERS_ALONE.format(family="ip6", rule=closed)
    return Rules(lambda _wan: text, NOT_MAPPED, ASKED_PORTS, not closed)


@dataclass(frozen=True)
class Kind:
    name: str
    rules4: Rules
    rules6: Rules = _firewall6()
    own6: bool = False                # its IPv6 is not like other kinds'
    carrier: bool = False             # another NAT of its own behind the router, with the same rules
    proxy: bool = False               # the router has an HTTP proxy, and passes nothing else

    @property
    def translates(self):
        return self.rules4.mapping != NOT_MAPPED


KINDS = {kind.name: kind for kind in (
    Kind("none", NO_RULES, NO_RULES, own6=True),
    Kind("full cone", _cone(FULL_CONE, ANYBODY)),
    Kind("address-restricted", _cone(ADDRESS_RESTRICTED, ASKED_HOSTS)),
    Kind("port-restricted", _translated(), own6=True),
    # The same without a guard, as many routers are.
    Kind("port-restricted, unguarded", _translated(guard="")),
    Kind("symmetric, random", _translated(_random, AT_RANDOM)),
    Kind("symmetric, sequential", _translated(_sequential, IN_SEQUENCE)),
    Kind("double NAT", _translated(), carrier=True),
    Kind("UDP blocked", _translated(closed=NO_UDP), _firewall6(NO_UDP), own6=True),
    Kind("backbone's port alone", _translated(closed=BACKBONE_ALONE), _firewall6(BACKBONE_ALONE), own6=True),
    Kind("HTTP proxy alone", _translated(closed=NOTHING), _firewall6(NOTHING), own6=True, proxy=True),
)}
TINYPROXY = """User root
Group root
Port {port}
{listen}
Timeout 600
MaxClients 100
ConnectPort {backbone}
"""


def has(family, version):
    return family == "dual" or family == version


class Site:
    """A host behind a router of a kind: `host` runs the node, `flags` are what it is told besides, `backbone` is the URL."""

    def __init__(self, lab, inet, name, kind, family="IPv4", subnet="192.168.1", net=0, slow=False, shared=False):
        """inet is what the router leads to: the internet, or a shared carrier."""
        self.lab, self.inet, self.kind, self.family = lab, inet, kind, family
        self.net, self.shared = net, shared
        self.flags = []
        self.router = without_waiting(lab.router(f"{name}-router"))
        outer = self.router
        if kind.carrier:
            outer = lab.router(f"{name}-carrier")
            lab.attach(self.router, outer, "100.64.0")
        self._connect_outside(name, outer, slow)
        self.host = without_waiting(lab.host(name))
        self._connect_inside(name, subnet)
        self._translate(outer)
        if kind.proxy:
            self._start_proxy()

    def _connect_outside(self, name, outer, slow):
        subnet = f"100.64.{self.net}" if self.shared else f"198.51.{100 + self.net}"
        subnet6 = f"2001:db8:{0x100 + self.net:x}"
        if not slow:
            self.lab.link(outer, "eth0", self.inet, name)
        else:
            wire = self.lab.host(f"{name}-wire")
            self.lab.link(outer, "eth0", wire, "left")
            self.lab.link(wire, "right", self.inet, name)
            for end, device in ((outer, "eth0"), (self.inet, name)):
                # What is lost is a packet, as on a real wire, and not a train of them.
                end.run("ethtool", "-K", device, "tso", "off", "gso", "off", "tx-udp-segmentation", "off")
            SlowWire(wire, "left", "right", DELAY_S, LOSS, seed=self.net)
        self.wan = f"{subnet}.2"
        outer.ip("addr", "add", f"{self.wan}/24", "dev", "eth0")
        self.inet.ip("addr", "add", f"{subnet}.1/24", "dev", name)
        outer.ip("route", "add", "default", "via", f"{subnet}.1")
        if has(self.family, "IPv6"):
            routes6(outer)
            outer.ip("addr", "add", f"{subnet6}::2/64", "dev", "eth0", "nodad")
            self.inet.ip("addr", "add", f"{subnet6}::1/64", "dev", name, "nodad")
            outer.ip("route", "add", "default", "via", f"{subnet6}::1")
            self.inet.ip("route", "add", f"2001:db8:{0xa00 + self.net:x}::/64", "via", f"{subnet6}::2")

    def _connect_inside(self, name, subnet):
        if not self.kind.translates:
            subnet = f"198.18.{self.net}"
            self.inet.ip("route", "add", f"{subnet}.0/24", "via", self.wan)
        self.lab.link(self.host, "eth0", self.router, name)
        if has(self.family, "IPv4"):
            self.host.ip("addr", "add", f"{subnet}.2/24", "dev", "eth0")
            self.router.ip("addr", "add", f"{subnet}.1/24", "dev", name)
            self.host.ip("route", "add", "default", "via", f"{subnet}.1")
            self.host.address = f"{subnet}.2"
            self.gateway = f"{subnet}.1"
        if has(self.family, "IPv6"):
            subnet6 = f"2001:db8:{0xa00 + self.net:x}"
            self.host.ip("addr", "add", f"{subnet6}::2/64", "dev", "eth0", "nodad")
            self.router.ip("addr", "add", f"{subnet6}::1/64", "dev", name, "nodad")
            self.host.ip("route", "add", "default", "via", f"{subnet6}::1")
            self.host.address6 = f"{subnet6}::2"
            if self.family == "IPv6":
                self.host.address = self.host.address6
                self.gateway = f"{subnet6}::1"

    def _translate(self, outer):
        if has(self.family, "IPv4") and self.kind.translates:
            outer.nft(self.kind.rules4(self.wan))
            if outer is not self.router:
                self.router.nft(self.kind.rules4(self.router.address))
        if has(self.family, "IPv6") and self.kind.rules6.text:
            outer.nft(self.kind.rules6(self.wan))

    def _start_proxy(self):
        config = self.router.dir / "tinyproxy.conf"
        config.write_text(TINYPROXY.format(port=PROXY_PORT, listen=f"Listen {self.gateway}", backbone=BACKBONE_PORT))
        proxy = self.router.start("tinyproxy", "-d", "-c", config, name="tinyproxy")
        proxy.wait_log("Starting main loop|Accepting connections")
        host = f"[{self.gateway}]" if ":" in self.gateway else self.gateway
        self.flags = ["-proxy", f"http://{host}:{PROXY_PORT}"]


def without_waiting(host):
    """Its IPv6 addresses, link-local ones included, are in use at once."""
    for scope in ("all", "default"):
        host.sysctl(f"net.ipv6.conf.{scope}.accept_dad", 0)
    return host


def routes6(host):
    host.sysctl("net.ipv6.conf.all.forwarding", 1)


def internet(lab):
    """The internet (one router), and a server on it with two addresses of each family."""
    inet, server = without_waiting(lab.router("inet")), without_waiting(lab.host("server"))
    routes6(inet)
    lab.attach(server, inet, "203.0.113")
    server.ip("addr", "add", "203.0.113.3/24", "dev", "eth0")
    server.ip("addr", "add", f"{SERVER6}::2/64", "dev", "eth0", "nodad")
    inet.ip("addr", "add", f"{SERVER6}::1/64", "dev", "server", "nodad")
    server.ip("route", "add", "default", "via", f"{SERVER6}::1")
    return inet, server


def shared_carrier(lab, inet, hairpin):
    """A provider's NAT for IPv4 between several sites (shared=True) and the internet."""
    carrier = lab.router("provider")
    lab.attach(carrier, inet, "198.51.100")
    led = f"ip daddr {carrier.address}" if hairpin else 'iifname "eth0"'
    carrier.nft(SHARED.format(wan=carrier.address, led=led))
    return carrier


def backbone_url(family, server):
    host = f"[{SERVER6}::2]" if family == "IPv6" else server.address
    return f"http://{host}:{BACKBONE_PORT}"
