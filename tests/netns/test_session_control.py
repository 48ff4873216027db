# SPDX-License-Identifier: Apache-2.0
"""A session carries its own control: without a control connection, and with every backbone dead.

    site-a 198.51.100.2 ──── inet ──── 198.51.101.2 home (NAT) 192.168.1.1 ──── site-b 192.168.1.2
      (UDP 9443 alone, or     │          (lets in what it was asked for)
       a NAT like home)    server 203.0.113.2: backbone
"""

import re
import time

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY

HANDSHAKE_S = 8  # for the hour …
HARD_AGE_S = 13  # … after which a session ends
HANDSHAKES = 2  # in a hard age: the opener makes one after five sixths of that hour or later
FORGOTTEN_S = 10  # after which the NAT forgets a mapping
IDLE_S = 3  # for the minute after which a control connection ends
SHORT = ("-test-rehandshake-seconds", HANDSHAKE_S, "-test-control-idle-seconds", IDLE_S)
NO_TCP = """
table inet no-tcp {
    chain passing { type filter hook forward priority 0; meta l4proto tcp drop; }
}"""
UDP_ALONE = """
table inet guard {
    chain from-outside { type filter hook input priority 0; iifname "eth0" udp dport 9443 accept;
                         iifname "eth0" ct state new drop; }
}"""
PORT_RESTRICTED = """
table inet nat {
    chain out { type nat hook postrouting priority 100; oifname "eth0" masquerade; }
}
table inet guard {
    chain from-outside { type filter hook input priority 0; iifname "eth0" ct state new drop; }
    chain through { type filter hook forward priority 0; iifname "eth0" ct state established,related accept;
                    iifname "eth0" drop; }
}"""


def behind(lab, home, name):
    """A host behind a NAT that lets in what it was asked for alone, and forgets soon."""
    home.sysctl("net.ipv4.ip_forward", 1)
    host = lab.host(name)
    lab.attach(host, home, "192.168.1")
    home.nft(PORT_RESTRICTED)
    for timeout in ("udp_timeout", "udp_timeout_stream"):
        home.sysctl(f"net.netfilter.nf_conntrack_{timeout}", FORGOTTEN_S)
    return host


def start(host, backbone, address, *more):
    return host.node("-backbone", backbone.url, "-port", 9443, "-tap-ip", address, "-tap-netmask", 24, *more)


@pytest.fixture(params=[pytest.param("one NAT", marks=pytest.mark.long), "two NATs"])
def hidden(lab, request):
    """Two that can be dialled over TCP nowhere: (node A, node B, backbone)."""
    if request.param == "one NAT":
        a_host, home, server, _ = lab.internet(sites=("site-a", "home"))
        a_host.nft(UDP_ALONE)
    else:
        home_a, home, server, _ = lab.internet(sites=("home-a", "home"))
        a_host = behind(lab, home_a, "site-a")
    b_host = behind(lab, home, "site-b")
    backbone = server.backbone()
    a = start(a_host, backbone, A_OVERLAY, "-public", *SHORT)
    b = start(b_host, backbone, B_OVERLAY, "-connect", a.id, *SHORT)
    b_host.wait_ping(A_OVERLAY, 10)
    labs.wait_for(lambda: b.peer(a)["path"]["kind"] == "direct" and a.peer(b)["path"]["kind"] == "direct", 20, "a straight path")
    return a, b, backbone


def connections(node):
    """The node's established TCP connections to its peers, as ss names them."""
    return [line for line in node.host.run("ss", "-tnH", "state", "established", echo=False).stdout.splitlines()
            if re.search(r":8443\b", line)]


def idle_silences(a, b):
    """How long each waits for its first answer after a silence in which the NAT forgets what is not kept open."""
    seconds = []
    for host, to in ((a.host, B_OVERLAY), (b.host, A_OVERLAY)):
        time.sleep(FORGOTTEN_S + 5)  # the silence that is being tested
        seconds.append(host.wait_ping(to, 1))
    return seconds


@pytest.mark.early
@pytest.mark.parametrize("ages", [2, pytest.param(5, marks=pytest.mark.long)])
def test_session_outlives_its_hard_age_with_every_backbone_dead(hidden, figure, ages):
    a, b, backbone = hidden
    forth, back = b.host.ping_stream(A_OVERLAY, interval=0.02), a.host.ping_stream(B_OVERLAY, interval=0.02)
    backbone.kill()
    b.process.wait_log("the uplink is lost", 10)
    before = b.peer(a)["handshakes"]
    wanted = ages * HANDSHAKES
    labs.wait_for(lambda: b.peer(a)["handshakes"] >= before + wanted, 2 * ages * HARD_AGE_S, f"{wanted} handshakes", every=0.5)
    results = [stream.stop() for stream in (forth, back)]
    silences = idle_silences(a, b)
    figure(f"{ages} hard ages with every backbone dead: {b.peer(a)['handshakes'] - before} handshakes over the session, "
           f"{sum(r.sent for r in results)} pings, {len(forth.lost()) + len(back.lost())} lost; "
           f"after {FORGOTTEN_S + 5} s idle {', '.join(f'{s:.2f} s' for s in silences)} to an answer")
    assert forth.lost() == [] and back.lost() == []
    assert b.peer(a)["state"] == a.peer(b)["state"] == "connected"


def test_idle_control_connection_ends_and_the_peer_stays_connected(lab):
    a_host, b_host, _, _ = lab.internet()
    a = a_host.node("-tap-ip", A_OVERLAY, "-tap-netmask", 24, "-public", "-test-control-idle-seconds", IDLE_S)
    b = b_host.node("-tap-ip", B_OVERLAY, "-tap-netmask", 24, "-connect", f"{a.id}@{a_host.address}", "-test-control-idle-seconds", IDLE_S)
    b_host.wait_ping(A_OVERLAY, 5)
    assert b.peer(a)["control"] == "tcp" and connections(b)
    stream = b.host.ping_stream(A_OVERLAY)
    labs.wait_for(lambda: not connections(a) and not connections(b), 20, "the connection's end")
    assert a.peer(b)["control"] == b.peer(a)["control"] == "idle"
    listing = b.host.run(labs.program("shadowmesh"), "peers", "-l", "-run", b.run_dir).stdout
    assert "control: idle" in listing, listing
    stream.wait_replies(100, 10)
    stream.stop()
    assert stream.lost() == []
    assert a.peer(b)["state"] == b.peer(a)["state"] == "connected"
    assert not connections(a) and not connections(b)


@pytest.mark.early
def test_handshakes_follow_over_the_session_after_the_connection_ended(lab):
    a, b, _, inet = labs.reference_pair(lab, a_flags=SHORT, b_flags=SHORT)
    labs.wait_for(lambda: a.peer(b)["control"] == b.peer(a)["control"] == "idle", 20, "the connection's end")
    stream = b.host.ping_stream(A_OVERLAY)
    inet.nft(NO_TCP)
    before = b.peer(a)["handshakes"]
    labs.wait_for(lambda: b.peer(a)["handshakes"] >= before + 3, 60, "three handshakes", every=0.2)
    stream.stop()
    assert stream.lost() == []


def test_a_killed_peer_that_has_no_connection_is_missed_and_comes_back(lab):
    flags = ("-test-control-idle-seconds", IDLE_S)
    a, b, _, _ = labs.reference_pair(lab, a_flags=flags, b_flags=flags)
    labs.wait_for(lambda: a.peer(b)["control"] == b.peer(a)["control"] == "idle", 20, "the connection's end")
    a.kill()
    labs.wait_for(lambda: b.peer(a)["state"] != "connected", 20, "its loss")
    a.start()
    b.host.wait_ping(A_OVERLAY, 20)
