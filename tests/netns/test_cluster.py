# SPDX-License-Identifier: Apache-2.0
"""Nodes and a cluster of backbones, each of which is named by its own URL alone: whoever's backbone dies goes to another.

    site-a 198.51.100.2 ─┐        ┌─ server 203.0.113.2: the first backbone ──┐
                         ├─ inet ─┤                                           ├── redis-server
    site-b 198.51.101.2 ─┘        └─ second 198.51.102.2: the second ─────────┘
"""

import contextlib
import json
import re
import shutil
import time

import pytest

import lab as labs
from lab import A_OVERLAY, PATIENCE
from store import SERVER
from test_store import cluster, cluster_store, gap_of, uplinks_at  # noqa: F401 (fixtures)

pytestmark = pytest.mark.skipif(not shutil.which(SERVER), reason="redis-server is missing: run tools/deps.sh check")

# Names places of a victim's as its cluster, and answers nothing else: so it is left.
LIAR = """
import http.server, json

class Liar(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/v1/info":
            places = [f"http://203.0.113.2:{port}" for port in range(7001, 7041)]
            body = json.dumps({"stun_port": 8080, "instance": "i", "backbones": places}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

http.server.ThreadingHTTPServer(("", 8080), Liar).serve_forever()
"""
KNOCKS = """
table inet knocks {
    chain in { type filter hook input priority 0; tcp dport 7001-7040 tcp flags & (syn | ack) == syn counter reject with tcp reset; }
}"""


def wait_known(backbones):
    for one in backbones:
        labs.wait_for(lambda one=one: one.get("/v1/info")[1].count("http://") == len(backbones), 15, "all know each other", every=0.2)


def instance_of(node):
    return node.status()["backbones"][0].get("instance")


def test_nodes_of_a_killed_backbone_move_to_another_of_its_cluster(cluster, figure):
    a_host, b_host, backbones = cluster
    first, second = backbones
    wait_known(backbones)
    a = labs.receiver(a_host, first)
    b = labs.sender(b_host, first, a)
    b_host.wait_ping(A_OVERLAY, 15)
    gaps = [gap_of(b_host, first, [second], 2)]
    assert instance_of(a) == instance_of(b) == second.url
    for node in (a, b):
        assert re.search(f"info .*backbone {first.url}: going on at {second.url}, another instance of its cluster", node.log())
    gaps.append(gap_of(b_host, second, [first], 2))
    assert instance_of(a) is None and instance_of(b) is None
    figure(f"the backbone of two nodes killed, by another that it named: {', '.join(f'{gap:.1f} s' for gap in gaps)}")
    assert max(gaps) < 3 * PATIENCE


def test_node_that_starts_when_its_backbone_is_dead_knows_the_others(cluster):
    a_host, _, backbones = cluster
    first, second = backbones
    wait_known(backbones)
    a = labs.receiver(a_host, first)
    kept = a.keydir / "cache/instances"
    labs.wait_for(lambda: kept.exists() and second.url in kept.read_text(), 15, "the instances on disk", every=0.2)
    a.stop()
    first.kill()
    a.start()
    a.process.wait_log(f"backbone {first.url}: going on at {second.url}", 20)
    labs.wait_for(lambda: a.status()["backbones"][0]["registered"], 10, "a registration there")


def test_node_of_two_backbones_of_a_cluster_does_not_take_one_twice(cluster):
    a_host, _, backbones = cluster
    first, second = backbones
    wait_known(backbones)
    a = a_host.node("-backbone", first.url, "-backbone", second.url, "-tap-ip", A_OVERLAY)
    labs.wait_for(lambda: uplinks_at(first) == uplinks_at(second) == 1, 15, "an uplink to each")
    first.kill()
    a.process.wait_log(f"backbone {first.url}: cannot be reached", 20)
    assert "going on at" not in a.log()
    assert uplinks_at(second) == 1 and a.status()["backbones"][1]["uplink"]["state"] == "up"


def linked_at(backbone, node):
    return json.loads(backbone.get(f"/v1/nodes/{node.id}")[1]).get("linked")


def test_nodes_at_two_backbones_of_a_cluster_meet_and_stay_together(cluster, figure):
    """No stream leads from one backbone to another: who dials goes to where the other one is, and is at home where it was."""
    a_host, b_host, backbones = cluster
    first, second = backbones
    wait_known(backbones)
    a = labs.receiver(a_host, first)
    b = labs.sender(b_host, second, a)
    labs.wait_for(lambda: linked_at(second, a) == first.url, 15, "the second knows where the receiver is")
    b_host.wait_ping(A_OVERLAY, 15)
    b.process.wait_log(f"backbone {first.url}: visited, since {a.id} is linked there")
    path = b.status()["peers"][0]["path"]
    assert (path["kind"], path["remote"]) == ("tcp", first.url)
    assert (uplinks_at(first), uplinks_at(second)) == (2, 1)
    assert linked_at(first, b) == second.url, "a visitor is at home where it was"
    gap = gap_of(b_host, first, [second], 2)
    figure(f"two nodes at two backbones, one of which is killed: {gap:.1f} s")
    assert gap < 3 * PATIENCE
    assert "visited" not in a.log()


def moved(stream, dying, living, count):
    """(seconds until the living one has so many uplinks, the longest gap of the stream meanwhile)."""
    before, start = stream.last(), time.monotonic()
    dying.kill()
    labs.wait_for(lambda: uplinks_at(living) == count, 10, "who was there is at the other", every=0.05)
    seconds = time.monotonic() - start
    stream.wait_replies(20, 10)
    return seconds, stream.longest_gap(before)


def find_a_peer(host, backbone, peer, number):
    """Seconds in which a new node has a session with the peer."""
    start = time.monotonic()
    node = host.node("-backbone", backbone.url, "-port", 9500, "-control-port", 9501, "-tap-ip", f"10.10.{20 + number}.3", "-connect", peer.id,
                     label=f"newcomer-{number}")
    labs.wait_for(lambda: node.peer(peer).get("state") == "connected", 20, "a new node finds a peer", every=0.1)
    seconds = time.monotonic() - start
    node.stop()
    return seconds


@contextlib.contextmanager
def pinging(host, backbone, peer, there, number):
    """A stream of pings from a new node at one backbone to the peer, which it meets there: at the other one."""
    node = labs.sender(host, backbone, peer, label=f"sender-{number}")
    labs.wait_for(lambda: (node.peer(peer).get("path") or {}).get("remote") == there.url, 20, "they meet where the receiver is", every=0.1)
    stream = host.ping_stream(A_OVERLAY, interval=0.05)
    stream.wait_replies(20, 10)
    yield stream
    stream.stop()
    node.stop()


def test_each_backbone_and_the_store_are_killed_in_turn(cluster, cluster_store, figure):
    """Before each death the two nodes are at different backbones. A new node comes while a backbone is dead."""
    a_host, b_host, backbones = cluster
    wait_known(backbones)
    a = labs.receiver(a_host, backbones[0])
    for number, (dying, living) in enumerate((backbones, backbones[::-1])):
        with pinging(b_host, living, a, dying, number) as stream:
            assert uplinks_at(living) == 1
            seconds, gap = moved(stream, dying, living, 2)
            found = find_a_peer(b_host, living, a, number)
        dying.start()
        figure(f"backbone {number + 1} killed: its node at the other after {seconds:.1f} s, {gap:.2f} s without a ping; "
               f"a new node finds a peer in {found:.1f} s")
        assert max(seconds, gap) < 3 * PATIENCE
    with pinging(b_host, backbones[1], a, backbones[0], 2) as stream:
        cluster_store.kill()
        stream.wait_replies(20, 10)
        cluster_store.start()
        found = find_a_peer(b_host, backbones[1], a, 2)
        gap = stream.longest_gap()
    figure(f"the store killed, started empty: {gap:.2f} s without a ping; a new node finds a peer in {found:.1f} s")
    assert gap < 0.5 * PATIENCE


@pytest.mark.long
def test_node_comes_home_to_the_backbone_that_it_was_given(cluster, figure):
    a_host, b_host, backbones = cluster
    first, second = backbones
    wait_known(backbones)
    a = labs.receiver(a_host, first)
    with pinging(b_host, second, a, first, 0) as stream:
        moved(stream, first, second, 2)
        before = stream.last()
        first.start()
        labs.wait_for(lambda: instance_of(a) is None and uplinks_at(first) > 0, 330, "it is at home again")
        stream.wait_replies(20, 10)
        gap = stream.longest_gap(before)
    assert re.search(f"info .*backbone {first.url}: answers again: back to it from {second.url}", a.log())
    figure(f"a node comes home: {gap:.2f} s without a ping")
    assert gap < 3 * PATIENCE


def test_liar_has_a_bounded_number_of_knocks(lab, figure):
    a_host, liar, victim, _ = lab.internet(sites=("site-a", "liar"))
    victim.nft(KNOCKS)
    process = liar.start("/usr/bin/python3", "-c", LIAR, name="liar")
    a = a_host.node("-backbone", f"http://{liar.address}:8080", "-tap-ip", A_OVERLAY, wait=False)
    a.process.wait_log("going on at http://203.0.113.2:70", 20)
    knocked = lambda: int(re.search(r"counter packets (\d+)", victim.run("nft", "list", "table", "inet", "knocks", echo=False).stdout)[1])
    labs.wait_for(lambda: knocked() >= 16, 15, "it knocks at the places that were named")
    process.kill()
    a.process.wait_log(f"backbone http://{liar.address}:8080: cannot be reached", 20)  # it waits at home again
    figure(f"a backbone names 40 places of a victim: {knocked()} connections to it")
    assert knocked() <= 2 * (16 + 4)
