# SPDX-License-Identifier: Apache-2.0
"""Several backbones: each node is registered at and linked to all of its own; which of them dies, nobody notices.

    site-a 198.51.100.2 ─┐        ┌─ server 203.0.113.2: the first backbone
                         ├─ inet ─┼─ second 203.0.114.2: the second
    site-b 198.51.101.2 ─┘        └─ third  203.0.115.2: the third
"""

import pytest

import lab as labs
from lab import A_OVERLAY, B_OVERLAY, PATIENCE

CLOSED = """
table inet guard {
    chain from-outside { type filter hook input priority 0; iifname "eth0" ct state new drop; }
}"""
NO_UDP = """
table inet no-udp {
    chain passing { type filter hook forward priority 0; meta l4proto udp drop; }
}"""
HOLE = """
table inet hole {
    chain passing { type filter hook forward priority 0; ip daddr 203.0.113.77 drop; }
}"""


def backbones(lab, server, inet, count):
    hosts = [server]
    for number, name in enumerate(["second", "third"][:count - 1]):
        host = lab.host(name)
        lab.attach(host, inet, f"203.0.{114 + number}")
        hosts.append(host)
    return [host.backbone() for host in hosts]


def more(*others):
    return [flag for backbone in others for flag in ("-backbone", backbone.url)]


@pytest.fixture
def pair(lab):
    """Two nodes with the same two backbones: (a, b, first, second, inet)."""
    a_host, b_host, server, inet = lab.internet()
    first, second = backbones(lab, server, inet, 2)
    a = labs.receiver(a_host, first, *more(second))
    b = labs.sender(b_host, first, a, *more(second))
    b_host.wait_ping(A_OVERLAY, 5)
    return a, b, first, second, inet


def uplinks_up(node):
    return [entry["url"] for entry in node.status()["backbones"] if entry["uplink"]["state"] == "up"]


def wait_all(a, b, *wanted):
    urls = [backbone.url for backbone in wanted]
    for node in (a, b):
        labs.wait_for(lambda node=node: uplinks_up(node) == urls, 10, f"uplinks to {urls}")


def test_node_is_registered_at_and_linked_to_each(pair):
    a, b, first, second, _ = pair
    wait_all(a, b, first, second)
    for backbone in (first, second):
        labs.wait_for(lambda backbone=backbone: backbone.knows(a) and backbone.knows(b), 5, f"both at {backbone.url}")
    status = a.status()
    assert status["backbone"] == status["backbones"][0]
    assert all(entry["reachable"] and entry["registered"] for entry in status["backbones"]), status["backbones"]
    ways = {path["remote"] for path in b.peer(a)["paths"] if path["kind"] == "tcp"}
    assert {first.url, second.url} <= ways, b.peer(a)["paths"]
    shown = b.host.run(labs.program("shadowmesh"), "status", "-run", b.run_dir).stdout
    assert first.url in shown and second.url in shown, shown


@pytest.mark.parametrize("which", [0, 1])
def test_nothing_is_lost_when_one_of_two_is_killed(pair, which):
    a, b, *both, _ = pair[:5]
    wait_all(a, b, *both)
    labs.wait_for(lambda: b.peer(a)["path"]["kind"] == "direct", 20, "a direct path")
    stream = b.host.ping_stream(A_OVERLAY)
    stream.wait_replies(100, 10)
    both[which].kill()
    wait_all(a, b, both[1 - which])
    stream.wait_replies(100, 10)
    both[1 - which].kill()
    for node in (a, b):
        labs.wait_for(lambda node=node: not uplinks_up(node), 10, "no uplink")
    stream.wait_replies(200, 10)
    stream.stop()
    assert not stream.lost()
    assert b.peer(a)["state"] == "connected"
    b.host.ping(A_OVERLAY)


@pytest.mark.parametrize("which", [0, 1])
def test_data_goes_on_by_the_uplink_to_the_other_one(lab, figure, which):
    a_host, b_host, server, inet = lab.internet()
    both = backbones(lab, server, inet, 2)
    for host in (a_host, b_host):
        host.nft(CLOSED)
    inet.nft(NO_UDP)
    a = labs.receiver(a_host, both[0], *more(both[1]))
    b = labs.sender(b_host, both[0], a, *more(both[1]))
    b_host.wait_ping(A_OVERLAY, 5)
    wait_all(a, b, *both)
    proven = lambda: {path["remote"] for path in b.peer(a)["paths"] if path["state"] == "proven"}
    labs.wait_for(lambda: proven() == {backbone.url for backbone in both}, 10, "a path by each")
    stream = b_host.ping_stream(A_OVERLAY)
    stream.wait_replies(50, 10)
    before = stream.last()
    both[which].kill()
    stream.wait_replies(100, 10)
    labs.wait_for(lambda: b.peer(a)["path"]["remote"] == both[1 - which].url, 10, "the other backbone carries")
    stream.stop()
    gap = stream.longest_gap(before)
    figure(f"backbone {which + 1} of 2 killed, data by uplinks alone: stood still for {gap:.2f} s")
    assert gap < 1 * PATIENCE


def test_two_that_share_one_of_their_backbones_connect_by_it(lab):
    a_host, b_host, server, inet = lab.internet()
    first, second, third = backbones(lab, server, inet, 3)
    for host in (a_host, b_host):
        host.nft(CLOSED)
    inet.nft(NO_UDP)
    a = labs.receiver(a_host, first, *more(second))
    b = labs.sender(b_host, third, a, *more(second))
    b_host.wait_ping(A_OVERLAY, 10)
    a_host.ping(B_OVERLAY)
    assert b.peer(a)["path"]["remote"] == second.url
    assert not first.knows(b) and not third.knows(a)


def test_backbone_that_is_not_there_delays_nobody(lab, figure):
    a_host, b_host, server, inet = lab.internet()
    backbone = server.backbone()
    inet.nft(HOLE)
    nowhere = ("-backbone", "http://203.0.113.77:8080")
    a = a_host.node(*nowhere, "-backbone", backbone.url, "-tap-ip", A_OVERLAY, "-public")
    b = b_host.node(*nowhere, "-backbone", backbone.url, "-tap-ip", B_OVERLAY, "-connect", a.id)
    figure(f"the first of two backbones is a black hole: connected after {b_host.wait_ping(A_OVERLAY, 5):.1f} s")
    entries = {entry["url"]: entry for entry in b.status()["backbones"]}
    assert entries[backbone.url]["registered"]
    labs.wait_for(lambda: "no connection within 3 s" in b.log(), 10, "why the first one is not reached")


def test_why_a_peer_is_not_found_names_the_backbone(lab):
    a_host, b_host, server, inet = lab.internet()
    first, second = backbones(lab, server, inet, 2)
    absent = "0123456789abcdef0123456789abcdef01234567"
    a = a_host.node("-backbone", first.url, "-backbone", second.url, "-tap-ip", A_OVERLAY, "-connect", absent)
    labs.wait_for(lambda: f"{first.url}: the backbone knows no such id" in a.peer(absent).get("error", ""), 10, "the first one's word")
    first.kill()
    labs.wait_for(lambda: f"{second.url}: the backbone knows no such id" in a.peer(absent).get("error", ""), 20, "the second one's")
