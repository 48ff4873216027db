# SPDX-License-Identifier: Apache-2.0
"""Two behind NATs that forget, of which nothing flows: the straight path is left alone, and opened again when something does.

    site-a 192.168.1.2 ── home-a 198.51.100.2 ─── inet ─── 198.51.101.2 home-b ── site-b 192.168.1.2
                          (both let in what they were asked for)  │
                                                   server 203.0.113.2: backbone
"""

import time

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY
from test_session_control import FORGOTTEN_S, behind, start
from wires import PacketSocket

QUIET_S = 3  # for the minute without data
ROUND_S = 8  # within which its end is seen
SILENCE_S = FORGOTTEN_S + 5
COUNTER = """
table inet count {
    counter straight {}
    chain passing { type filter hook forward priority 0;
                    ip saddr 198.51.100.0/23 ip daddr 198.51.100.0/23 meta l4proto udp counter name straight; }
}"""


def carries(node, other):
    return (node.peer(other).get("path") or {}).get("kind")


def straight_packets(inet):
    return int(inet.run("nft", "list", "counter", "inet", "count", "straight", echo=False).stdout.split("packets")[1].split()[0])


def lldp(node, number):
    mac = bytes.fromhex(node.host.mac("tap0").replace(":", ""))
    return bytes.fromhex("0180c200000e") + mac + b"\x88\xcc" + b"%02d" % number + bytes(46 - 2)


def say_to_everybody(nodes, seconds):
    """As machines do that are left to themselves, for so long; each hears all of it, on the way that is left."""
    sockets = [PacketSocket(node.host, "tap0") for node in nodes]
    sent = [[], []]
    for number in range(seconds // 2):
        for node, at, frames in zip(nodes, sockets, sent):
            frames.append(lldp(node, number))
            at.send(frames[-1])
        time.sleep(2)  # the pace that is being tested
    for at, frames in zip(sockets, reversed(sent)):
        assert at.receive_all(lambda f: f[12:14] == b"\x88\xcc", 0.3) == frames


@pytest.fixture
def quiet(lab):
    """(node A, node B, backbone, the internet's router): connected straight once, and gone quiet."""
    home_a, home_b, server, inet = lab.internet(sites=("home-a", "home-b"))
    a_host, b_host = behind(lab, home_a, "site-a"), behind(lab, home_b, "site-b")
    for host in (a_host, b_host):
        host.sysctl("net.ipv6.conf.default.disable_ipv6", 1)  # which says something now and then
    inet.nft(COUNTER)
    backbone = server.backbone()
    flags = ("-test-quiet-seconds", QUIET_S)
    a = start(a_host, backbone, A_OVERLAY, "-public", *flags)
    b = start(b_host, backbone, B_OVERLAY, "-connect", a.id, *flags)
    stream = b_host.ping_stream(A_OVERLAY, interval=0.2)
    labs.wait_for(lambda: carries(a, b) == carries(b, a) == "direct", 20, "a straight path")
    stream.stop()
    for node, other in ((a, b), (b, a)):
        labs.wait_for(lambda n=node, o=other: carries(n, o) == "tcp", QUIET_S + ROUND_S + 20, "quiet")
    return a, b, backbone, inet


@pytest.mark.early
@pytest.mark.parametrize("from_a", [pytest.param(True, marks=pytest.mark.long), False], ids=["from the acceptor", "from the dialler"])
def test_first_ping_after_a_silence_is_answered_at_once_and_the_way_is_straight_again(quiet, figure, from_a):
    a, b, _, inet = quiet
    assert a.peer(b)["state"] == b.peer(a)["state"] == "connected"
    assert carries(a, b) == carries(b, a) == "tcp"
    listing = b.host.run(labs.program("shadowmesh"), "peers", "-l", "-run", b.run_dir).stdout
    assert "quiet: nothing flows" in listing, listing
    before = straight_packets(inet)
    say_to_everybody((a, b), SILENCE_S)  # which is silence all the same
    assert straight_packets(inet) == before
    host, to = (a.host, B_OVERLAY) if from_a else (b.host, A_OVERLAY)
    took = host.ping(to, count=1).maximum_ms / 1000
    assert took < 1
    stream = host.ping_stream(to, interval=0.05)
    began = time.monotonic()
    labs.wait_for(lambda: carries(a, b) == carries(b, a) == "direct", 5, "the straight path again")
    straight = time.monotonic() - began
    stream.stop()
    assert stream.lost() == []
    figure(f"after {SILENCE_S} s of silence {took:.2f} s to an answer; straight again {straight:.2f} s later")


@pytest.mark.early
def test_straight_way_is_open_again_soon_after_the_backbone_died(quiet):
    a, b, backbone, _ = quiet
    time.sleep(SILENCE_S)  # the NATs have forgotten by then
    backbone.kill()
    labs.wait_for(lambda: carries(a, b) == carries(b, a) == "direct", 15, "the straight path again")
    assert a.peer(b)["state"] == b.peer(a)["state"] == "connected"
    b.host.ping(A_OVERLAY, count=5)
    time.sleep(SILENCE_S)  # kept open from now on
    a.host.wait_ping(B_OVERLAY, 1)


def test_killed_peer_is_missed_while_its_paths_are_quiet(quiet):
    a, b, _, _ = quiet
    a.kill()
    labs.wait_for(lambda: b.peer(a)["state"] != "connected", 30, "its loss")
    a.start()
    b.host.wait_ping(A_OVERLAY, 20)
