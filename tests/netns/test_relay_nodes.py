# SPDX-License-Identifier: Apache-2.0
"""Nodes that relay for their peers (-relay): the drawing is in relay_lab.py."""

import socket

import pytest

import lab as labs
from lab import A_OVERLAY, B_OVERLAY, PATIENCE
from relay_client import DATAGRAM, MESSAGE, envelope
from relay_lab import Relayed

ROOM = 2  # s


def test_nodes_that_no_datagram_reaches_connect_by_a_common_peer(lab, figure):
    relayed = Relayed(lab, names=("near",))
    a, b, node = relayed.a, relayed.b, relayed.nodes[0]
    took = b.host.wait_ping(A_OVERLAY, 20)
    figure(f"behind two symmetric NATs, with a node that relays: data after {took:.1f} s")
    relayed.wait_carried_by(node)
    b.host.ping(A_OVERLAY, count=20)
    a.host.ping(B_OVERLAY, count=20)
    relay = node.status()["relay"]
    assert relay["channels"] == 1 and relay["bytes"] > 0 and relay["rate_mbit"] == 100000
    assert a.status()["relay"] is None
    shown = node.host.run(labs.program("shadowmesh"), "status", "-run", node.run_dir, echo=False).stdout
    assert "1 pair of peers" in shown
    shown = b.host.run(labs.program("shadowmesh"), "peers", "-l", "-run", b.run_dir, echo=False).stdout
    assert "relay" in shown and relayed.address_of(node) in shown
    assert all(node.drops()[name] == 0 for name in ("relay_rate", "auth"))


def test_who_captures_at_the_node_sees_no_plaintext(lab):
    relayed = Relayed(lab, names=("near",))
    node = relayed.nodes[0]
    relayed.b.host.wait_ping(A_OVERLAY, 20)
    relayed.wait_carried_by(node)
    capture = node.host.capture("eth0", "udp", "port", "9443")
    secret = b"what nobody else shall read"
    relayed.b.host.ping(A_OVERLAY, "-p", secret[:16].hex(), "-s", 400, count=10)
    frames = capture.stop()
    assert sum(b"\x23\x00\x00\x00" in frame for frame in frames) >= 20
    assert not any(secret[:16] in frame for frame in frames)


def test_second_node_is_warm_and_takes_over_when_the_first_is_killed(lab, figure):
    relayed = Relayed(lab)
    relayed.b.host.wait_ping(A_OVERLAY, 20)
    relayed.wait_warm(2)
    stream = relayed.b.host.ping_stream(A_OVERLAY)
    stream.wait_replies(100, 10)
    first = next(node for node in relayed.nodes if relayed.address_of(node) in relayed.carrying())
    other = next(node for node in relayed.nodes if node is not first)
    at = stream.last()
    first.kill()
    stream.wait_sequence(at + 300, 20)
    relayed.wait_carried_by(other)
    stream.stop()
    gap = stream.longest_gap(after=at - 10)
    figure(f"the node that relays is killed: by the other after {gap:.2f} s")
    assert gap < (1 + ROOM) * PATIENCE


def test_node_behind_a_nat_of_its_own_relays(lab):
    """It dials the ends, which stand in the open and are kept from each other."""
    a_host, b_host, nat, server, inet = lab.internet(sites=("site-a", "site-b", "nat"))
    inet.nft("""
table inet apart {
    chain passing { type filter hook forward priority 0; ip saddr 198.51.100.0/23 ip daddr 198.51.100.0/23 drop; }
}""")
    from relay_lab import ANY, host_behind, node_on
    backbone = server.backbone(flags=("-relay-rate", 0))
    a, b = node_on(a_host, backbone, A_OVERLAY), node_on(b_host, backbone, B_OVERLAY)
    node = node_on(host_behind(lab, nat, "home"), backbone, "10.10.10.21")
    node.flags += ["-relay", *map(str, ANY), "-connect", f"{a.id}@198.51.100.2", "-connect", f"{b.id}@198.51.101.2"]
    a.flags += ["-allow", node.id, "-allow", b.id]
    b.flags += ["-allow", node.id, "-connect", a.id]
    for each in (a, b, node):
        each.start()
    b.host.wait_ping(A_OVERLAY, 30)
    assert b.peer(a)["path"]["kind"] == "relay" and b.peer(a)["path"]["remote"].startswith("198.51.102.2:")
    assert node.status()["relay"]["channels"] == 1


def test_public_node_is_no_open_relay(lab):
    relayed = Relayed(lab, names=("near",))
    node, a, b = relayed.nodes[0], relayed.a, relayed.b
    b.host.wait_ping(A_OVERLAY, 20)
    node.stop()
    node.flags = [flag for flag in node.flags if flag not in ("-allow", a.id, b.id)] + ["-public"]
    node.start()
    for end in (a, b):
        labs.wait_for(lambda: end.peer(node).get("state") == "connected", 60, "it admits anybody")
    labs.wait_for(lambda: not relayed.warm(a, b), 60, "the channel of before is gone")
    assert node.status()["relay"]["channels"] == 0 and node.status()["relay"]["bytes"] == 0
    assert "fewer than two" in node.log()


def test_strangers_at_a_node_that_relays_get_nothing(lab):
    """Forged channels, a forged source, an envelope in an envelope, messages under no token: nothing is answered, or passed on."""
    relayed = Relayed(lab, names=("near",))
    node = relayed.nodes[0]
    relayed.b.host.wait_ping(A_OVERLAY, 20)
    relayed.wait_carried_by(node)
    capture = node.host.capture("eth0", "udp", "port", "9443")
    relayed.b.host.ping(A_OVERLAY, count=20)
    heard = [frame[42:] for frame in capture.stop()]
    channel = next(int.from_bytes(data[4:8]) for data in heard if data[:4] == envelope(DATAGRAM, 1)[:4])
    real = next(data for data in heard if data[:8] == envelope(DATAGRAM, channel))
    with relayed.inet.inside():
        liar = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    before = node.drops()["relay"]
    lies = [real, envelope(DATAGRAM, channel) + real, envelope(DATAGRAM, channel ^ 1) + real[8:],
            envelope(MESSAGE, channel) + bytes(44), envelope(MESSAGE, channel ^ 1) + b"\1" + bytes(43)]
    for lie in lies * 100:
        liar.sendto(lie, ("198.51.102.2", 9443))
    # Of messages, which the control thread judges, it takes as many as a part of its queue holds.
    labs.wait_for(lambda: node.drops()["relay"] >= before + 200, 10, "lies are dropped and counted")
    liar.setblocking(False)
    with pytest.raises(BlockingIOError):
        liar.recv(2048)
    result = relayed.b.host.ping(A_OVERLAY, count=50)
    assert result.lost == 0


@pytest.mark.alone
def test_one_stream_through_a_node(lab, figure):
    """Against the same two hosts when they reach each other."""
    from relay_lab import ANY, node_on
    a_host, b_host, r_host, server, inet = lab.internet(sites=("site-a", "site-b", "near"))
    backbone = server.backbone(flags=("-relay-rate", 0))
    a, b, node = (node_on(host, backbone, address) for host, address in (
        (a_host, A_OVERLAY), (b_host, B_OVERLAY), (r_host, "10.10.10.21")))
    node.flags += ["-relay", *map(str, ANY), "-allow", a.id, "-allow", b.id]
    a.flags += ["-connect", f"{node.id}@198.51.102.2", "-allow", b.id]
    b.flags += ["-connect", f"{node.id}@198.51.102.2", "-connect", a.id]
    for each in (node, a, b):
        each.start()
    b_host.wait_ping(A_OVERLAY, 20)
    labs.wait_for(lambda: b.peer(a)["path"]["kind"] == "direct" and b.peer(a)["path"]["mtu"] == 1472, 20, "straight, at its full size")
    direct = b_host.iperf(a_host, A_OVERLAY, seconds=3)["end"]["sum_received"]["bits_per_second"] / 1e6
    inet.nft("""
table inet apart {
    chain passing { type filter hook forward priority 0; ip saddr 198.51.100.0/23 ip daddr 198.51.100.0/23 meta l4proto udp drop; }
}""")
    labs.wait_for(lambda: {b.peer(a)["path"]["kind"], a.peer(b)["path"]["kind"]} == {"relay"}, 20, "the node relays")
    labs.wait_for(lambda: b.peer(a)["path"]["mtu"] == 1464, 10, "the path's size is found")
    before, cpu = node.status()["relay"], labs.cpu_s(node.process.pid)
    relay = b_host.iperf(a_host, A_OVERLAY, seconds=3)["end"]["sum_received"]["bits_per_second"] / 1e6
    cpu, after = labs.cpu_s(node.process.pid) - cpu, node.status()["relay"]
    bytes_, trains = after["bytes"] - before["bytes"], after["trains"] - before["trains"]
    figure(f"one TCP stream by a node that relays {relay:.0f} Mbit/s, direct {direct:.0f}: {relay / direct:.2f}; "
           f"the node {cpu / bytes_ * 1e9:.2f} CPU s/GB, {bytes_ / trains / 1472:.1f} datagrams in a call")
    assert relay > 50 / PATIENCE
    assert bytes_ / trains > 2 * 1472


def test_rate_of_a_node_is_kept(lab, figure):
    relayed = Relayed(lab, names=("near",), rate=("-relay-rate", 20))
    node = relayed.nodes[0]
    relayed.b.host.wait_ping(A_OVERLAY, 20)
    relayed.wait_carried_by(node)
    rate = relayed.b.host.iperf(relayed.a.host, A_OVERLAY, seconds=4)["end"]["sum_received"]["bits_per_second"] / 1e6
    figure(f"a node that relays 20 Mbit/s: one stream has {rate:.1f}")
    assert 1 < rate < 14  # half of it is one source's
    assert node.drops()["relay_rate"] > 0
    assert relayed.b.host.ping(A_OVERLAY, count=20).lost <= 1
