# SPDX-License-Identifier: Apache-2.0
"""A router that maps ports: miniupnpd on B's, which is of the kind that nobody gets through otherwise.

    site-a 192.168.1.2 ── router (symmetric, random) ── inet ── 198.51.101.2 router (the same, miniupnpd) ── site-b 192.168.2.2
                                                          │
                                                       server

And routers of our own that lie, in a few lines of Python.
"""

import re
import socket
import time

import lab as labs
import pytest
import routers
from lab import A_OVERLAY, B_OVERLAY, wait_for
from routers import KINDS

DIRECT_WITHIN = 15
WAN = "198.51.101.2"
PORTS = [8443, 9443]

# What a router's firmware does around miniupnpd: its chains, in one table of both families, in front of the firewall's drop.
TABLE = """
table inet miniupnpd {
    chain forward { type filter hook forward priority 0; ct state established,related accept; jump leased; iifname "eth0" drop; }
    chain leased { }
    chain in { type nat hook prerouting priority -100; jump mapped; }
    chain out { type nat hook postrouting priority 99; jump masked; }
    chain mapped { }
    chain masked { }
}
"""
RANDOM = """
table ip nat {
    chain out { type nat hook postrouting priority 100; oifname "eth0" meta l4proto udp masquerade random,fully-random ;
                oifname "eth0" masquerade ; }
}"""
CONFIG = """
ext_ifname=eth0
ext_ip={ext}
listening_ip={inside}
http_port=0
enable_natpmp={pcp}
enable_upnp={upnp}
secure_mode=yes
lease_file={dir}/leases
min_lifetime=60
max_lifetime=86400
system_uptime=no
uuid=00000000-0000-0000-0000-000000000001
upnp_table_name=miniupnpd
upnp_nat_table_name=miniupnpd
upnp_forward_chain=leased
upnp_nat_chain=mapped
upnp_nat_postrouting_chain=masked
allow 1024-65535 0.0.0.0/0 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""
NO_PCP = """
table inet nopcp {
    chain in { type filter hook input priority -5; udp dport 5351 @th,64,8 2 drop ; }
}"""


class Upnpd:
    """miniupnpd on a site's router."""

    def __init__(self, site, protocol):
        self.router = site.router
        self.config = self.router.dir / "miniupnpd.conf"
        self.config.write_text(CONFIG.format(
            ext=WAN, inside=site.host.name, dir=self.router.dir,
            pcp="no" if protocol == "UPnP" else "yes", upnp="yes" if protocol == "UPnP" else "no"))
        if protocol == "NAT-PMP":
            self.router.nft(NO_PCP)
        self.process = None
        self.start()

    def start(self):
        self.process = self.router.start("miniupnpd", "-d", "-f", self.config, "-P", self.router.dir / "miniupnpd.pid", name="miniupnpd")
        wait_for(lambda: ":5351" in self.sockets() or ":1900" in self.sockets(), 10, "miniupnpd listens")

    def sockets(self):
        return self.router.run("ss", "-Hlnu", echo=False).stdout

    def rules(self):
        """The outer ports that the kernel leads inside."""
        text = self.router.run("nft", "list", "table", "inet", "miniupnpd", echo=False).stdout
        return sorted(map(int, re.findall(r" dport (\d+) dnat", text)))

    def restart(self):
        """As a router that lost its power: the kernel's rules and the leases are gone, too. Its clock tells of that only who saw
        it live for some seconds after the last answer."""
        answered = time.monotonic()
        wait_for(lambda: time.monotonic() > answered + 5, 10, "the router's clock tells")
        self.process.kill()
        for chain in ("leased", "mapped", "masked"):
            self.router.run("nft", "flush", "chain", "inet", "miniupnpd", chain)
        (self.router.dir / "leases").unlink(missing_ok=True)
        self.start()


def mapping(node, family="IPv4"):
    """What status says of the router of this family, {} for none."""
    found = (node.status(check=False) or {}).get("port_mappings") or []
    return next((m for m in found if (":" in m["gateway"]) == (family == "IPv6")), {})


def wait_mapped(node, seconds=10, family="IPv4"):
    return wait_for(lambda: (m := mapping(node, family)).get("external") and m, seconds, f"a mapping of {node.label}'s")


def two_sites(lab, b_rules=RANDOM + TABLE, family="IPv4"):
    inet, server = routers.internet(lab)
    a = routers.Site(lab, inet, "site-a", KINDS["symmetric, random"], family)
    b = routers.Site(lab, inet, "site-b", KINDS["none"] if family == "IPv6" else KINDS["symmetric, random"], family,
                     subnet="192.168.2", net=1)
    b.router.run("nft", "flush", "ruleset")
    b.router.nft(routers.GUARD + b_rules)
    return a, b, server


def node_at(site, backbone, overlay, *flags, **options):
    return site.host.node("-backbone", routers.backbone_url(site.family, backbone.host), "-tap-ip", overlay, *flags, **options)


def pair(lab, a, b, server, *b_flags):
    backbone = server.backbone()
    second = node_at(b, backbone, B_OVERLAY, "-public", *b_flags)
    first = node_at(a, backbone, A_OVERLAY, "-connect", second.id)
    return first, second


def goes_straight_to(node, peer, remote):
    path = node.peer(peer).get("path") or {}
    return path.get("kind") == "direct" and path.get("remote") == remote


@pytest.mark.parametrize("protocol", ["PCP", "NAT-PMP", "UPnP"])
def test_two_random_symmetric_nats_connect_straight_by_a_mapping_that_goes_with_the_node(lab, figure, protocol):
    a, b, server = two_sites(lab)
    router = Upnpd(b, protocol)
    first, second = pair(lab, a, b, server)
    begun = time.monotonic()
    found = wait_mapped(second)
    assert found["protocol"] == protocol
    assert found["external"] == f"{WAN}:9443" and found["control"] == f"{WAN}:8443" and found["announced"]
    assert 60 <= found["lifetime_s"] <= 86400
    wait_for(lambda: goes_straight_to(first, second, f"{WAN}:9443"), DIRECT_WITHIN, "the path by the mapped address")
    figure(f"two random symmetric NATs, one maps by {protocol}: straight after {time.monotonic() - begun:.1f} s")
    a.host.ping(B_OVERLAY, count=5)
    assert len(re.findall(r"port mapping: ", second.log())) == 1
    shown = [b.host.run(labs.program("shadowmesh"), verb, "-run", second.run_dir, check=False).stdout for verb in ("status", "netcheck")]
    assert all(re.search(rf"^  mapping +{WAN}:9443 and for TCP {WAN}:8443, by {protocol} of 192\.168\.2\.1 for ", text, re.MULTILINE)
               for text in shown), shown
    assert router.rules() == PORTS
    begun = time.monotonic()
    second.stop()
    assert time.monotonic() - begun < 2 * labs.PATIENCE
    wait_for(lambda: not router.rules(), 2, "the mappings are gone")


def test_without_a_mapping_the_same_pair_stays_on_the_relay(lab):
    """What makes the test above mean something."""
    a, b, server = two_sites(lab)
    Upnpd(b, "PCP")
    first, second = pair(lab, a, b, server, "-portmap", "off")
    a.host.wait_ping(B_OVERLAY, 10)
    assert second.status()["port_mappings"] is None
    assert "shadowmesh-l2: portmap" not in labs.helpers(second.process)
    stream = a.host.ping_stream(B_OVERLAY, interval=0.1)
    stream.wait_replies(80, 20)
    assert first.peer(second)["path"]["kind"] != "direct"


@pytest.mark.parametrize("protocol", ["PCP", "NAT-PMP"])
def test_router_that_restarts_is_asked_again_at_once(lab, protocol):
    _, b, server = two_sites(lab)
    router = Upnpd(b, protocol)
    second = node_at(b, server.backbone(), B_OVERLAY)
    wait_mapped(second)
    assert router.rules() == PORTS
    router.restart()
    wait_for(lambda: router.rules() == PORTS, 10, "the mappings are there again")
    assert "lost" not in second.log()


def test_upnp_router_that_forgot_is_asked_again_when_the_network_changes(lab):
    """By UPnP no router says that it restarted; its web server is at another port then, too."""
    _, b, server = two_sites(lab)
    router = Upnpd(b, "UPnP")
    second = node_at(b, server.backbone(), B_OVERLAY)
    wait_mapped(second)
    router.restart()
    assert not router.rules()
    b.host.ip("addr", "add", "192.168.2.3/24", "dev", "eth0")
    wait_for(lambda: router.rules() == PORTS, 30, "the mappings are there again")
    assert "lost" not in second.log()


def test_helper_that_is_killed_is_followed_by_one_that_has_the_same_mapping(lab):
    _, b, server = two_sites(lab)
    router = Upnpd(b, "PCP")
    second = node_at(b, server.backbone(), B_OVERLAY)
    before = wait_mapped(second)
    b.host.run("kill", "-9", labs.helpers(second.process)["shadowmesh-l2: portmap"])
    second.process.wait_log("port mappings: its process ended")
    wait_for(lambda: "shadowmesh-l2: portmap" in labs.helpers(second.process), 5, "another helper")
    time.sleep(1)  # it may do harm, but has nothing to say
    assert mapping(second) == before and router.rules() == PORTS and "lost" not in second.log()
    second.stop()
    wait_for(lambda: not router.rules(), 2, "the mappings are gone")


def test_killed_node_leaves_no_mapping(lab):
    _, b, server = two_sites(lab)
    router = Upnpd(b, "PCP")
    second = node_at(b, server.backbone(), B_OVERLAY)
    wait_mapped(second)
    b.host.run("kill", "-9", second.process.pid)
    wait_for(lambda: not router.rules(), 3, "the mappings are gone")


def test_address_of_another_nat_is_told_to_people_and_not_to_peers(lab):
    _, b, server = two_sites(lab)
    fake_router(b, "lie", "100.64.0.9")
    backbone = server.backbone()
    second = node_at(b, backbone, B_OVERLAY, "-public")
    found = wait_mapped(second)
    assert found["external"] == "100.64.0.9:9443" and not found["announced"]
    second.process.wait_log("another NAT")
    wait_for(lambda: backbone.knows(second), 5, "the backbone knows it")
    assert "100.64.0.9" not in backbone.get(f"/v1/nodes/{second.id}")[1]


def test_router_that_becomes_another_one_is_asked(lab):
    _, b, server = two_sites(lab)
    second = node_at(b, server.backbone(), B_OVERLAY)
    wait_for(lambda: mapping(second).get("error"), 10, "the router has nothing")
    b.router.ip("addr", "del", "192.168.2.1/24", "dev", b.host.name)
    b.router.ip("addr", "add", "192.168.2.254/24", "dev", b.host.name)
    router = Upnpd(b, "PCP")
    b.host.ip("route", "replace", "default", "via", "192.168.2.254")
    found = wait_mapped(second, 15)
    assert found["gateway"] == "192.168.2.254" and router.rules() == PORTS


FAKE = r"""
import os, socket, struct, sys, threading
how, outer = sys.argv[1:]
def serve():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("192.168.2.1", 5351))
    print("serving", flush=True)
    while True:
        ask, peer = s.recvfrom(2000)
        if how == "garbage":
            for size in (0, 1, 7, 8, 24, 59, 60, 1100, 1101, 1472):
                s.sendto(os.urandom(size), peer)
            s.sendto(b"\x02\x81" + os.urandom(58), peer)
            s.sendto(b"\x00\x80" + os.urandom(10), peer)
        elif ask[0] == 2:
            answer = bytearray(ask[:60])
            answer[1] |= 0x80
            answer[8:12] = struct.pack(">I", 1000)
            answer[56:60] = socket.inet_aton(outer)
            s.sendto(answer, peer)
def ssdp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", 1900))
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.255.255.250") + socket.inet_aton("192.168.2.1"))
    while True:
        ask, peer = s.recvfrom(2000)
        s.sendto(os.urandom(500), peer)
        s.sendto(b"HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
                 b"LOCATION: http://192.168.2.1:5000/root.xml\r\n\r\n", peer)
def http():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("192.168.2.1", 5000))
    s.listen()
    while True:
        c, _ = s.accept()
        c.recv(2000)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n<root><device>" + os.urandom(100000) + b"<a>" * 100000)
        c.close()
threading.Thread(target=ssdp, daemon=True).start()
threading.Thread(target=http, daemon=True).start()
serve()
"""


def fake_router(site, how, outer="0.0.0.0"):
    site.router.start("/usr/bin/python3", "-c", FAKE, how, outer, name="fake").wait_log("serving")


def test_router_that_answers_garbage_is_told_once_and_harms_nobody(lab):
    a, b, server = two_sites(lab)
    fake_router(b, "garbage")
    first, second = pair(lab, a, b, server)
    second.process.wait_log(r"no port mapping: the router 192\.168\.2\.1 answers what is neither PCP nor NAT-PMP, and .*UPnP", 30)
    a.host.wait_ping(B_OVERLAY, 10)
    assert len(re.findall("port mapping", second.log())) == 1 and "its process ended" not in second.log()
    assert mapping(second)["error"].startswith("answers what is neither")
    assert first.process.running and second.process.running


def test_router_that_names_a_strangers_address_gets_it_no_more_than_a_few_probes(lab, figure):
    """The victim is the server's second address, where nothing listens."""
    a, b, server = two_sites(lab)
    fake_router(b, "lie", "203.0.113.3")
    victim = server.capture("eth0", "udp", "and", "dst", "host", "203.0.113.3")
    first, second = pair(lab, a, b, server)
    assert wait_mapped(second)["external"] == "203.0.113.3:9443"
    a.host.wait_ping(B_OVERLAY, 10)
    wait_for(lambda: any(path["remote"] == "203.0.113.3:9443" and path["state"] == "failed" for path in first.peer(second)["paths"]),
             20, "the victim's address has failed")
    got = len(victim.stop())
    figure(f"a router that names a victim: {got} datagrams to it")
    assert 1 <= got <= 3


def gets_in(outsider, address, port):
    with outsider.socket(socket.AF_INET6, socket.SOCK_STREAM) as stream:
        stream.settimeout(1)
        return stream.connect_ex((address, port)) == 0


def test_pinhole_is_asked_for_by_pcp_where_a_firewall_keeps_ipv6_out(lab):
    a, b, server = two_sites(lab, b_rules=TABLE, family="IPv6")
    gateway = re.search(r"inet6 (fe80::[0-9a-f:]+)/", b.router.ip("addr", "show", "dev", b.host.name).stdout)[1]
    b.host.ip("route", "replace", "default", "via", gateway, "dev", "eth0")
    backbone = server.backbone()
    second = node_at(b, backbone, B_OVERLAY, "-public", "-portmap", "off")
    assert not gets_in(server, b.host.address6, 8443)
    second.stop()
    Upnpd(b, "PCP")
    second = node_at(b, backbone, B_OVERLAY, "-public")
    found = wait_mapped(second, family="IPv6")
    assert found["protocol"] == "PCP" and found["gateway"].startswith(gateway), found
    assert found["external"] == f"[{b.host.address6}]:9443" and found["control"] == f"[{b.host.address6}]:8443"
    assert gets_in(server, b.host.address6, 8443)
    first = node_at(a, backbone, A_OVERLAY, "-connect", second.id)
    wait_for(lambda: goes_straight_to(first, second, f"[{b.host.address6}]:9443"), DIRECT_WITHIN, "the path through the pinhole")
    second.stop()
    wait_for(lambda: "dport" not in b.router.run("nft", "list", "chain", "inet", "miniupnpd", "leased", echo=False).stdout, 2,
             "the pinholes are gone")
