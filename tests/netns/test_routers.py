# SPDX-License-Identifier: Apache-2.0
"""The labs' routers are what they are called: which port a socket has outside, who gets in, and what passes at all.

    site ──── router of a kind ──── inet ──── server 203.0.113.2 and .3
"""

import contextlib
import re
import socket

import lab as labs
import pytest
import routers
from routers import KINDS

OUR_PORT = 9443
FIRST, SECOND = ("203.0.113.2", 7001), ("203.0.113.2", 7002)
OTHER = ("203.0.113.3", 7001)
TRANSLATED = ("full cone", "address-restricted", "port-restricted", "port-restricted, unguarded", "symmetric, random",
              "symmetric, sequential", "double NAT")
TOLD_SOON = ("full cone", "symmetric, random")  # coturn's program waits long for what does not come
# The words of RFC 3489 and 4787, as turnutils_natdiscovery prints them.
INDEPENDENT, BY_PORT = "Endpoint Independent", "Address and Port-Dependent"


class Asker:
    """A socket of the site's, and four of the server's that say where a datagram came from."""

    def __init__(self, lab, kind):
        inet, self.server = routers.internet(lab)
        self.site = routers.Site(lab, inet, "site", KINDS[kind])
        self.ends = {at: self.server.socket(socket.AF_INET, socket.SOCK_DGRAM) for at in (FIRST, SECOND, OTHER)}
        for at, end in self.ends.items():
            end.bind(at)
            end.settimeout(0.5)
        self.socket = self.site.host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.site.host.address, OUR_PORT))
        self.socket.settimeout(0.5)
        for opened in (*self.ends.values(), self.socket):
            lab.closers.append(opened.close)

    def seen_from(self, at):
        """Where our socket is, as that end sees it; None when nothing arrives there."""
        self.socket.sendto(b"where am I", at)
        with contextlib.suppress(TimeoutError):
            return self.ends[at].recvfrom(100)[1]
        return None

    def lets_in(self, at, outer):
        """Whether what that end sends to an outer address reaches us."""
        with contextlib.suppress(TimeoutError):
            while True:
                self.socket.recv(100)
        self.ends[at].sendto(b"hello", outer)
        with contextlib.suppress(TimeoutError):
            return self.socket.recvfrom(100)[1] == at
        return False


@pytest.mark.parametrize("kind, maps, lets_in", [
    ("none", "not at all", {FIRST, SECOND, OTHER}),
    ("full cone", "by socket", {FIRST, SECOND, OTHER}),
    ("address-restricted", "by socket", {FIRST, SECOND}),
    ("port-restricted", "by socket", {FIRST}),
    ("double NAT", "by socket", {FIRST}),
    ("symmetric, random", "at random", {FIRST}),
    ("symmetric, sequential", "in sequence", {FIRST}),
])
def test_router_maps_ports_and_lets_in(lab, kind, maps, lets_in):
    asker = Asker(lab, kind)
    outer = asker.seen_from(FIRST)
    assert {at for at in asker.ends if asker.lets_in(at, outer)} == lets_in
    seen = [outer, asker.seen_from(SECOND), asker.seen_from(OTHER)]
    host = asker.site.host.address if maps == "not at all" else asker.site.wan
    assert {address for address, _ in seen} == {host}
    ports = [port for _, port in seen]
    steps = [after - before for before, after in zip(ports, ports[1:])]
    assert {"by socket": steps == [0, 0], "not at all": ports == [OUR_PORT] * 3, "in sequence": steps == [1, 1],
            "at random": len(set(ports)) == 3 and steps != [1, 1]}[maps], ports


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


@pytest.mark.parametrize("kind, udp, other_tcp, backbone_tcp", [
    ("port-restricted", True, True, True),
    ("UDP blocked", False, True, True),
    ("backbone's port alone", False, False, True),
    ("HTTP proxy alone", False, False, False),
])
@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_router_passes(lab, kind, family, udp, other_tcp, backbone_tcp):
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

    assert (arrives(), connects(8443), connects(routers.BACKBONE_PORT)) == (udp, other_tcp, backbone_tcp)
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
    wanted = [BY_PORT if "symmetric" in kind else INDEPENDENT,
              {"full cone": INDEPENDENT, "address-restricted": "Address-Dependent"}.get(kind, BY_PORT)]
    assert [re.sub(r"[ -]", "", text).lower() for text in found] == [re.sub(r"[ -]", "", text).lower() for text in wanted], told
