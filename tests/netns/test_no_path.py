# SPDX-License-Identifier: Apache-2.0
""""Connected" means that data can flow: a session without a path is told of, with what to look for, and so is its end.

    site-a ──── inet ──── site-b
                 │
              server
"""

import json
import re

import lab as labs
import pytest
from lab import A_OVERLAY

# The backbone would carry for them while UDP is blocked.
UDP_ALONE = ("-carrier", "udp")

DROP_UDP = """
table inet firewall {
    chain pass { type filter hook forward priority 0; udp dport 9443 drop; }
}"""


def state(node, other):
    return node.peer(other).get("state")


def both_see(a, b, wanted, seconds):
    labs.wait_for(lambda: state(a, b) == state(b, a) == wanted, seconds, f"A and B call each other {wanted}")


@pytest.mark.parametrize("traffic", ["busy", "idle"])
def test_blocked_udp_is_told_within_10_seconds_and_so_is_its_end(lab, traffic):
    a, b, _, inet = labs.reference_pair(lab, UDP_ALONE, UDP_ALONE)
    stream = b.host.ping_stream(A_OVERLAY) if traffic == "busy" else None
    if stream:
        stream.wait_replies(100, 5)
    else:
        labs.wait_for(lambda: a.peer(b)["handshake_age_s"] >= 7, 12, "nothing has flowed for a while")
    inet.nft(DROP_UDP)
    both_see(a, b, "no path", 10)
    peer = b.peer(a)
    assert f"from {a.host.address}:9443: do the firewalls on both sides pass UDP port 9443?" in peer["error"]
    assert 1 <= peer["state_age_s"] <= 10
    for node, other in ((a, b), (b, a)):
        node.process.wait_log(rf"warn .*{other.id[:10]}.*: no path: nothing comes back over UDP", 1)
    shown = b.host.run(labs.program("shadowmesh"), "status", "-run", b.run_dir, echo=False).stdout
    assert "no path for" in shown and "UDP port 9443" in shown
    inet.run("nft", "flush", "ruleset")
    both_see(a, b, "connected", 10)
    assert not b.peer(a).get("error")
    for node, other in ((a, b), (b, a)):
        node.process.wait_log(rf"info .*{other.id[:10]}.*: connected, after \d+ s without a path", 1)
    b.host.wait_ping(A_OVERLAY, 2)
    if stream:
        stream.stop()


@pytest.mark.early
def test_blocked_udp_does_not_make_a_storm_of_handshakes(lab):
    a, b, _, inet = labs.reference_pair(lab, UDP_ALONE, UDP_ALONE)
    stream = b.host.ping_stream(A_OVERLAY)
    stream.wait_replies(100, 5)
    before = b.peer(a)["handshakes"]
    inet.nft(DROP_UDP)
    both_see(a, b, "no path", 10)
    labs.wait_for(lambda: b.peer(a)["state_age_s"] >= 25, 30, "25 s without a path")
    assert 1 <= b.peer(a)["handshakes"] - before <= 6
    assert len([line for line in b.log().splitlines() if "no path" in line]) == 1
    stream.stop()


def test_udp_that_never_passed_is_never_called_connected(lab):
    a_host, b_host, server, inet = lab.internet()
    inet.nft(DROP_UDP)
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone, *UDP_ALONE)
    b = labs.sender(b_host, backbone, a, *UDP_ALONE)
    both_see(a, b, "no path", 15)
    assert "connected, " not in a.log() + b.log()


@pytest.mark.parametrize("who", ["A", "B"])
def test_killed_peer_is_not_called_connected(lab, who):
    a, b, _, _ = labs.reference_pair(lab)
    victim, other = (a, b) if who == "A" else (b, a)
    victim.kill()
    labs.wait_for(lambda: state(other, victim) == "no path", 10, "the other one says so")
    other.process.wait_log("no path: nothing comes back over UDP", 1)
    entry = next(p for p in json.loads(other.host.run(labs.program("shadowmesh"), "peers", "--json", "-run",
                                                      other.run_dir, echo=False).stdout) if p["id"] == victim.id)
    assert entry["state"] == "no path" and re.search("its control connection broke|nor over TCP", entry["error"])
    since = len(other.log())
    victim.start()
    labs.wait_for(lambda: state(other, victim) == "connected", 10, "it is back")
    other.process.wait_log(r"connected, after \d+ s without a path", 1, since=since)
