# SPDX-License-Identifier: Apache-2.0
"""The labs' routers do what their rules are said to do: which port a socket has outside, who gets in, what passes at all.
So what oracle.py computes from is measured, by sockets and by a program that is not ours.

    site ──── router of a kind ──── inet ──── server 203.0.113.2 and .3
"""

import contextlib
import re
import socket

import lab as labs
import pytest
import routers
from routers import ANYBODY, ASKED_HOSTS, ASKED_PORTS, AT_RANDOM, BY_SOCKET, IN_SEQUENCE, KINDS, NOT_MAPPED

OUR_PORT = 9443
FIRST, SECOND = ("203.0.113.2", 7001), ("203.0.113.2", 7002)
OTHER = ("203.0.113.3", 7001)
FIRST6, SECOND6 = (f"{routers.SERVER6}::2", 7001), (f"{routers.SERVER6}::2", 7002)
LET_IN = {ANYBODY: {FIRST, SECOND, OTHER}, ASKED_HOSTS: {FIRST, SECOND}, ASKED_PORTS: {FIRST}}
TRANSLATED = [name for name, kind in KINDS.items() if kind.translates and kind.rules4.udp]
# A datagram that comes too early moves what the unguarded one is asked about.
SEEN_WHOLE = [name for name, kind in KINDS.items() if kind.rules4.udp and name != "port-restricted, unguarded"]
TOLD_SOON = ("full cone", "symmetric, random")  # coturn's program waits long for what does not come
# The words of RFC 3489 and 4787, as turnutils_natdiscovery prints them.
INDEPENDENT, BY_PORT = "Endpoint Independent", "Address and Port-Dependent"
WORDS = {ANYBODY: INDEPENDENT, ASKED_HOSTS: "Address-Dependent", ASKED_PORTS: BY_PORT}


class Asker:
    """A socket of the site's, and four of the server's that say where a datagram came from."""

    def __init__(self, lab, kind, family="IPv4", ends=(FIRST, SECOND, OTHER)):
        inet, self.server = routers.internet(lab)
        self.site = routers.Site(lab, inet, "site", KINDS[kind], family)
        version = socket.AF_INET6 if family == "IPv6" else socket.AF_INET
        self.ends = {at: self.server.socket(version, socket.SOCK_DGRAM) for at in ends}
        for at, end in self.ends.items():
            end.bind(at)
            end.settimeout(0.5)
        self.socket = self.site.host.socket(version, socket.SOCK_DGRAM)
        self.socket.bind((self.site.host.address, OUR_PORT))
        self.socket.settimeout(0.5)
        for opened in (*self.ends.values(), self.socket):
            lab.closers.append(opened.close)

    def seen_from(self, at):
        """Where our socket is, as that end sees it; None when nothing arrives there. What is sent first may wait a second for a
        neighbour's address."""
        for _ in range(3):
            self.socket.sendto(b"where am I", at)
            with contextlib.suppress(TimeoutError):
                return self.ends[at].recvfrom(100)[1][:2]
        return None

    def lets_in(self, at, outer):
        """Whether what that end sends to an outer address reaches us."""
        with contextlib.suppress(TimeoutError):
            while True:
                self.socket.recv(100)
        self.ends[at].sendto(b"hello", outer)
        with contextlib.suppress(TimeoutError):
            return self.socket.recvfrom(100)[1][:2] == at
        return False


@pytest.mark.parametrize("kind", SEEN_WHOLE)
def test_router_maps_ports_and_lets_in(lab, kind):
    rules = KINDS[kind].rules4
    asker = Asker(lab, kind)
    outer = asker.seen_from(FIRST)
    assert {at for at in asker.ends if asker.lets_in(at, outer)} == LET_IN[rules.filtering]
    seen = [outer, asker.seen_from(SECOND), asker.seen_from(OTHER)]
    host = asker.site.wan if KINDS[kind].translates else asker.site.host.address
    assert {address for address, _ in seen} == {host}
    ports = [port for _, port in seen]
    steps = [after - before for before, after in zip(ports, ports[1:])]
    assert {BY_SOCKET: steps == [0, 0], NOT_MAPPED: ports == [OUR_PORT] * 3, IN_SEQUENCE: steps == [1, 1],
            AT_RANDOM: len(set(ports)) == 3 and steps != [1, 1]}[rules.mapping], ports


@pytest.mark.parametrize("kind", ["none", "port-restricted"])
def test_router_does_not_map_ipv6_and_lets_in(lab, kind):
    rules = KINDS[kind].rules6
    asker = Asker(lab, kind, "IPv6", (FIRST6, SECOND6))
    outer = asker.seen_from(FIRST6)
    assert outer == (asker.site.host.address6, OUR_PORT) and rules.mapping == NOT_MAPPED
    assert [asker.lets_in(at, outer) for at in (FIRST6, SECOND6)] == [True, rules.filtering == ANYBODY]


@pytest.mark.parametrize("hairpin", [True, False])
def test_shared_carrier_leads_back_inside_by_its_outer_address_alone(lab, hairpin):
    inet, server = routers.internet(lab)
    carrier = routers.shared_carrier(lab, inet, hairpin)
    end = server.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.bind(FIRST)
    ends = [end]
    for net, port in enumerate((9443, 9444)):
        site = routers.Site(lab, carrier, f"site-{net}", KINDS["full cone"], net=net, shared=True)
        ends.append(site.host.socket(socket.AF_INET, socket.SOCK_DGRAM))
        ends[-1].bind((site.host.address, port))
        ends[-1].sendto(b"where am I", FIRST)
    lab.closers += [opened.close for opened in ends]
    for opened in ends:
        opened.settimeout(0.5)
    assert {end.recvfrom(100)[1] for _ in ends[1:]} == {(carrier.address, 9443), (carrier.address, 9444)}

    def arrives(at):
        ends[1].sendto(b"hello", at)
        with contextlib.suppress(TimeoutError):
            return ends[2].recvfrom(100)[1] == (carrier.address, 9443)
        return False

    assert arrives((carrier.address, 9444)) == hairpin
    assert not arrives(("100.64.1.2", 9444))


def test_early_datagram_moves_the_mapping_of_an_unguarded_router_alone(lab):
    """What makes punching fail there: the port is taken by what came from outside."""
    for kind in ("port-restricted", "port-restricted, unguarded"):
        own = labs.Lab(kind, lab.say)
        try:
            asker = Asker(own, kind)
            outer = asker.seen_from(FIRST)
            assert asker.seen_from(OTHER) == outer
            asker.ends[SECOND].sendto(b"early", outer)
            moved = asker.seen_from(SECOND) != outer
            assert moved == (kind != "port-restricted")
        finally:
            own.close()


@pytest.mark.parametrize("kind, other_tcp, backbone_tcp", [
    ("port-restricted", True, True),
    ("UDP blocked", True, True),
    ("backbone's port alone", False, True),
    ("HTTP proxy alone", False, False),
])
@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_router_passes(lab, kind, family, other_tcp, backbone_tcp):
    inet, server = routers.internet(lab)
    site = routers.Site(lab, inet, "site", KINDS[kind], family)
    to = f"{routers.SERVER6}::2" if family == "IPv6" else server.address
    inet_family = socket.AF_INET6 if family == "IPv6" else socket.AF_INET
    listeners = {port: server.socket(inet_family, socket.SOCK_STREAM) for port in (routers.BACKBONE_PORT, 8443)}
    for port, listener in listeners.items():
        listener.bind((to, port))
        listener.listen()
    datagrams = server.socket(inet_family, socket.SOCK_DGRAM)
    datagrams.bind((to, routers.BACKBONE_PORT))
    lab.closers += [listener.close for listener in (*listeners.values(), datagrams)]

    def connects(port):
        with site.host.socket(inet_family, socket.SOCK_STREAM) as stream:
            stream.settimeout(0.5)
            return stream.connect_ex((to, port)) == 0

    def arrives():
        datagrams.settimeout(0.5)
        with site.host.socket(inet_family, socket.SOCK_DGRAM) as sender, contextlib.suppress(TimeoutError):
            sender.sendto(b"x", (to, routers.BACKBONE_PORT))
            return datagrams.recv(10) == b"x"
        return False

    rules = KINDS[kind].rules6 if family == "IPv6" else KINDS[kind].rules4
    assert (arrives(), connects(8443), connects(routers.BACKBONE_PORT)) == (rules.udp, other_tcp, backbone_tcp)
    if KINDS[kind].proxy:
        url = f"http://[{to}]:{{}}/" if family == "IPv6" else f"http://{to}:{{}}/"
        codes = [site.host.run("curl", "-s", "-o", "/dev/null", "-m", 5, "-w", "%{http_connect}", "-p", "-x",
                               site.flags[1], url.format(port), check=False).stdout for port in (routers.BACKBONE_PORT, 8443)]
        assert codes == ["200", "403"]


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=[] if kind in TOLD_SOON else [pytest.mark.reach]) for kind in TRANSLATED])
def test_stun_discovery_calls_the_router_the_same(lab, kind):
    """coturn's program for RFC 5780, which knows nothing of these labs."""
    inet, server = routers.internet(lab)
    site = routers.Site(lab, inet, "site", KINDS[kind])
    turn = server.start("turnserver", "-n", "--stun-only", "--no-cli", "--no-tls", "--no-dtls", "-L", FIRST[0], "-L", OTHER[0],
                        "--listening-port", 3478, "--pidfile", server.dir / "turn.pid", "--log-file", "stdout", name="turnserver")
    labs.wait_for(lambda: server.run("ss", "-Hlnu", "sport = :3478", echo=False).stdout.count(":3478") >= 2, 5, "turnserver listens")
    told = site.host.run("turnutils_natdiscovery", "-m", "-f", FIRST[0], check=False, timeout=60).stdout
    assert turn.running
    found = [re.search(rf"NAT with (.*) {what}", told, re.IGNORECASE)[1] for what in ("Mapping", "Filtering")]
    rules = KINDS[kind].rules4
    wanted = [INDEPENDENT if rules.mapping == BY_SOCKET else BY_PORT, WORDS[rules.filtering]]
    assert [re.sub(r"[ -]", "", text).lower() for text in found] == [re.sub(r"[ -]", "", text).lower() for text in wanted], told
