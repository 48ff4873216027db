# SPDX-License-Identifier: Apache-2.0
"""Two nodes that nobody can dial, each behind a router that lets nothing in and no UDP out: the backbone's uplink carries.

    site-a 198.51.100.2 ─┐                    ┌─ server 203.0.113.2: backbone
      (nothing in)       ├─ inet (no UDP) ────┤
    site-b 198.51.101.2 ─┘                    └─
      (nothing in)
"""

import pytest

import lab as labs
from lab import A_OVERLAY, B_OVERLAY, PATIENCE

LARGEST = 9022 + 44  # bytes: of a frame, sealed
NOTHING_IN = """
table inet guard {
    chain from-outside { type filter hook input priority 0; iifname "eth0" ct state new drop; }
}"""
NO_UDP = """
table inet no-udp {
    chain passing { type filter hook forward priority 0; meta l4proto udp drop; }
}"""


def close_up(lab, **options):
    a_host, b_host, server, inet = lab.internet()
    for host in (a_host, b_host):
        host.nft(NOTHING_IN)
    inet.nft(NO_UDP)
    return a_host, b_host, server.backbone(**options), inet


@pytest.fixture
def closed(lab):
    return close_up(lab)


def uplink_of(node):
    return node.status()["backbone"]["uplink"]


def test_reference_commands_connect_over_the_uplink(closed, figure):
    a_host, b_host, backbone, _ = closed
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a)
    b_host.wait_ping(A_OVERLAY, 5)
    assert uplink_of(a)["state"] == uplink_of(b)["state"] == "up"
    ping = b_host.ping(A_OVERLAY, count=20)
    a_host.ping(B_OVERLAY, count=20)
    peer = b.peer(a)
    assert peer["state"] == "connected" and peer["path"]["kind"] == "tcp", peer
    labs.wait_for(lambda: b.peer(a)["path"]["mtu"] == LARGEST, 10, "the largest frame fits a datagram")
    assert a.drops()["oversize"] == b.drops()["oversize"] == 0
    rates = [b_host.iperf(a_host, A_OVERLAY, reverse=reverse)["end"]["sum_received"]["bits_per_second"] for reverse in (False, True)]
    figure(f"over the uplink: {ping}; TCP {rates[0] / 1e6:.0f} and {rates[1] / 1e6:.0f} Mbit/s")
    assert min(rates) > 20e6 / PATIENCE


def test_backbone_that_restarts_gets_its_uplinks_back(closed, figure):
    a_host, b_host, backbone, _ = closed
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a)
    b_host.wait_ping(A_OVERLAY, 5)
    backbone.kill()
    b.process.wait_log("the uplink is lost", 5)
    labs.wait_for(lambda: uplink_of(a)["state"] == "down" and uplink_of(a)["error"], 5, "the loss told")
    backbone.start()
    stream = b_host.ping_stream(A_OVERLAY, interval=0.05)
    stream.wait_replies(20, 20)
    stream.stop()
    assert uplink_of(a)["state"] == uplink_of(b)["state"] == "up"
    figure(f"a backbone killed and started again: data over the uplink again after {stream.longest_gap():.1f} s")


def test_session_and_data_outlast_a_helper_that_is_killed(closed):
    a_host, b_host, backbone, _ = closed
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a)
    b_host.wait_ping(A_OVERLAY, 5)
    helper = labs.helpers(b.process)["shadowmesh-l2: backbone"]
    b_host.run("kill", "-KILL", str(helper))
    b.process.wait_log("the uplink is lost \\(its process ended\\)", 5)
    b_host.wait_ping(A_OVERLAY, 10)
    b_host.ping(A_OVERLAY, count=20)


def test_data_goes_straight_as_soon_as_it_can(closed):
    a_host, b_host, backbone, inet = closed
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a)
    b_host.wait_ping(A_OVERLAY, 5)
    assert b.peer(a)["path"]["kind"] == "tcp"
    stream = b_host.ping_stream(A_OVERLAY)
    inet.run("nft", "delete", "table", "inet", "no-udp")
    labs.wait_for(lambda: b.peer(a)["path"]["kind"] == "direct", 60, "a straight path")
    stream.wait_replies(100, 5)
    stream.stop()
    assert not stream.lost()
    inet.nft(NO_UDP)
    labs.wait_for(lambda: b.peer(a)["path"]["kind"] == "tcp", 10, "the uplink again")
    b_host.wait_ping(A_OVERLAY, 2)


def test_last_words_leave_by_the_uplink(closed):
    a_host, b_host, backbone, _ = closed
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a)
    b_host.wait_ping(A_OVERLAY, 5)
    b.stop()
    labs.wait_for(lambda: not a.status()["peers"], 2, "a goodbye")


def test_uplink_is_up_again_within_two_seconds_of_a_new_address(closed, figure):
    a_host, b_host, backbone, inet = closed
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a)
    b_host.wait_ping(A_OVERLAY, 5)
    old, new, gateway = b_host.address, "198.51.101.9", "198.51.101.1"
    stream = b_host.ping_stream(A_OVERLAY)
    stream.wait_replies(20, 5)
    logged, before = len(b.log()), stream.last()
    b_host.run("sh", "-c", f"ip addr flush dev eth0 scope global && ip addr add {new}/24 dev eth0 && ip route add default via {gateway}")
    b.process.wait_log("backbone .*: uplink up", 2, since=logged)
    stream.wait_replies(20, 5)
    stream.stop()
    gap = stream.longest_gap(before)
    figure(f"a new address: data over the uplink again after {gap:.2f} s")
    assert gap < 2 * PATIENCE
    peers = backbone.host.run("ss", "-Htn", "state", "established", f"( sport = :{backbone.port} )").stdout
    assert f"{new}]:" in peers
    assert old not in b_host.run("ip", "addr").stdout


@pytest.mark.alone
def test_one_stream_by_the_uplink_where_rates_allow_it(lab, figure):
    a_host, b_host, backbone, inet = close_up(lab, flags=("-relay-rate", 100000, "-source-rate", 100000))
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a)
    b_host.wait_ping(A_OVERLAY, 5)
    labs.wait_for(lambda: b.peer(a)["path"]["mtu"] == LARGEST, 10, "the largest frame fits a datagram")
    pids = {"sender": b.process.pid, "its helper": labs.helpers(b.process)["shadowmesh-l2: backbone"], "backbone": backbone.process.pid,
            "receiver": a.process.pid, "its helper ": labs.helpers(a.process)["shadowmesh-l2: backbone"]}
    before = {name: labs.cpu_s(pid) for name, pid in pids.items()}
    total = b_host.iperf(a_host, A_OVERLAY, seconds=4)["end"]["sum_received"]
    used = ", ".join(f"{name.strip()} {(labs.cpu_s(pid) - before[name]) / (total['bytes'] / 1e9):.2f}" for name, pid in pids.items())
    inet.run("nft", "delete", "table", "inet", "no-udp")
    labs.wait_for(lambda: b.peer(a)["path"]["kind"] == "direct", 60, "a straight path")
    direct = b_host.throughput(a_host, A_OVERLAY)
    figure(f"one TCP stream over the uplink: {total['bits_per_second'] / 1e6:.0f} Mbit/s, straight {direct / 1e6:.0f}; CPU s/GB: {used}")
    assert total["bits_per_second"] > 300e6 / PATIENCE
