# SPDX-License-Identifier: Apache-2.0
"""The backbone's relay over UDP: nodes behind routers that give every address another port, so that no datagram of the one ever
finds the other.

    site-a 192.168.1.2 ── nat-a 198.51.100.2 ─┐
    site-b 192.168.1.2 ── nat-b 198.51.101.2 ─┼─ inet ── server 203.0.113.2: backbone
    site-c 192.168.1.2 ── nat-c 198.51.102.2 ─┘
"""

import time

import pytest

import lab as labs
from lab import A_OVERLAY, B_OVERLAY, PATIENCE

C_OVERLAY = "10.10.10.5"
FREE = ("-relay-rate", 100000, "-source-rate", 100000)
SYMMETRIC = """
table inet nat {
    chain out { type nat hook postrouting priority 100; oifname "eth0" masquerade random,fully-random; }
}
table inet guard {
    chain from-outside { type filter hook input priority 0; iifname "eth0" ct state new drop; }
    chain passing { type filter hook forward priority 0; iifname "eth0" ct state new drop; }
}"""
NO_DIRECT = """
table inet no-direct {
    chain passing { type filter hook forward priority 0; ip saddr 198.51.100.0/23 ip daddr 198.51.100.0/23 meta l4proto udp drop; }
}"""
NO_UDP = """
table inet no-udp {
    chain passing { type filter hook forward priority 0; meta l4proto udp drop; }
}"""


def behind(lab, router, name):
    router.sysctl("net.ipv4.ip_forward", 1)
    host = lab.host(name)
    lab.attach(host, router, "192.168.1")
    router.nft(SYMMETRIC)
    return host


def nodes_behind(lab, letters="ab", flags=FREE):
    """[hosts], backbone, router of the internet, [their NATs]."""
    *nats, server, inet = lab.internet(sites=tuple(f"nat-{letter}" for letter in letters))
    hosts = [behind(lab, nat, f"site-{letter}") for nat, letter in zip(nats, letters)]
    return hosts, server.backbone(flags=flags), inet, nats


def start(host, backbone, address, *more):
    return host.node("-backbone", backbone.url, "-port", 9443, "-tap-ip", address, "-tap-netmask", 24, *more)


def kind_of(node, other):
    return (node.peer(other).get("path") or {}).get("kind")


def by(node, other, kind, seconds):
    labs.wait_for(lambda: kind_of(node, other) == kind, seconds, f"a path of kind {kind}")


@pytest.fixture
def pair(lab):
    (a_host, b_host), backbone, inet, nats = nodes_behind(lab)
    a = start(a_host, backbone, A_OVERLAY, "-public")
    b = start(b_host, backbone, B_OVERLAY, "-connect", a.id)
    return a, b, backbone, inet, nats


@pytest.fixture
def relayed(pair):
    a, b, *others = pair
    b.host.wait_ping(A_OVERLAY, 5)
    for node, other in ((a, b), (b, a)):
        by(node, other, "relay", 10)
    return a, b, *others


@pytest.fixture
def open_pair(lab):
    """Nodes that reach each other, with a warm relay beside."""
    a_host, b_host, server, inet = lab.internet()
    backbone = server.backbone(flags=FREE)
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a)
    b_host.wait_ping(A_OVERLAY, 5)
    for node, other in ((a, b), (b, a)):
        labs.wait_for(lambda n=node, o=other: any(path["kind"] == "relay" and path["state"] == "proven" for path in n.peer(o)["paths"]),
                      10, "a warm relay")
        by(node, other, "direct", 10)
    return a, b, backbone, inet


def figures(backbone):
    status, text = backbone.get("/metrics")
    assert status == 200
    return {name.removeprefix("shadowmesh_backbone_"): float(value) for name, value in
            (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))}


def outcome(backbone, name):
    return figures(backbone)[f'relay_datagrams_total{{outcome="{name}"}}']


def cpu_s(process):
    fields = open(f"/proc/{process.pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_nodes_that_no_datagram_reaches_connect_and_move_to_the_relay(pair, figure):
    a, b, backbone, *_ = pair
    took = b.host.wait_ping(A_OVERLAY, 5)
    start_s = time.monotonic()
    by(a, b, "relay", 10)
    by(b, a, "relay", 10)
    figure(f"behind two symmetric NATs: data after {took:.1f} s, by the UDP relay {time.monotonic() - start_s:.1f} s later")
    # The relay may be proven before the stream by the backbone is: then it has no other to be better than.
    labs.wait_for(lambda: [p["state"] for p in b.peer(a)["paths"] if p["kind"] == "tcp"] == ["proven"], 10,
                  "the path by the backbone is proven, too")
    path = b.peer(a)["path"]
    assert path["remote"] == "203.0.113.2:8080" and path["state"] == "proven"
    assert path["why"] == "it goes over UDP, and no direct one answers"
    other = next(p for p in b.peer(a)["paths"] if p["kind"] == "tcp")
    assert other["why"] == "one by a relay carries"
    shown = b.host.run(labs.program("shadowmesh"), "peers", "-l", "-run", b.run_dir, echo=False).stdout
    assert "relay" in shown and "203.0.113.2:8080" in shown
    b.host.ping(A_OVERLAY, count=20)
    a.host.ping(B_OVERLAY, count=20)
    labs.wait_for(lambda: b.peer(a)["path"]["mtu"] == 1464, 10, "the size is that of the link without the envelope")
    found = figures(backbone)
    assert found["relay_channels"] == 1 and found["relay_bound_total"] >= 2


def throughput(node, other):
    return [node.host.iperf(other.host, A_OVERLAY, seconds=3, reverse=reverse)["end"]["sum_received"]["bits_per_second"] / 1e6
            for reverse in (False, True)]


@pytest.mark.alone
def test_one_stream_through_the_relay(open_pair, figure):
    a, b, backbone, inet = open_pair
    labs.wait_for(lambda: b.peer(a)["path"]["mtu"] == 1472, 10, "the path's size is found")
    direct = throughput(b, a)
    assert kind_of(b, a) == "direct"
    inet.nft(NO_DIRECT)
    by(b, a, "relay", 10)
    by(a, b, "relay", 10)
    labs.wait_for(lambda: b.peer(a)["path"]["mtu"] == 1464, 10, "the path's size is found")
    before, cpu = figures(backbone), cpu_s(backbone.process)
    relay = throughput(b, a)
    cpu, after = cpu_s(backbone.process) - cpu, figures(backbone)
    assert kind_of(b, a) == "relay"
    bytes_, trains, datagrams = (after[name] - before[name] for name in (
        "relay_bytes_total", "relay_trains_total", 'relay_datagrams_total{outcome="relayed"}'))
    figure(f"one TCP stream by the relay {relay[0]:.0f} and {relay[1]:.0f} Mbit/s, direct {direct[0]:.0f} and {direct[1]:.0f}: "
           f"{sum(relay) / sum(direct):.2f}; the relay {cpu / bytes_ * 1e9:.2f} CPU s/GB, {datagrams / trains:.1f} datagrams in a call")
    assert min(relay) > 50 / PATIENCE
    assert datagrams / trains > 2


def test_interleaved_datagrams_of_equal_size_reach_whom_they_are_for(lab):
    (a_host, b_host, c_host), backbone, *_ = nodes_behind(lab, "abc")
    a = start(a_host, backbone, A_OVERLAY, "-public")
    others = [start(b_host, backbone, B_OVERLAY, "-connect", a.id), start(c_host, backbone, C_OVERLAY, "-connect", a.id)]
    for node in others:
        node.host.wait_ping(A_OVERLAY, 5)
        by(node, a, "relay", 10)
        by(a, node, "relay", 10)
    misled = ("relay", "auth", "unknown_receiver", "carrier")
    before = [[node.drops()[name] for name in misled] for node in (a, *others)]
    flows = [a_host.ping_stream(address, "-s", 1000, "-A", interval=0.002) for address in (B_OVERLAY, C_OVERLAY)]
    for flow in flows:
        flow.wait_replies(500, 30)
    results = [flow.stop() for flow in flows]
    for result in results:
        assert result.lost <= 2, result.output
    assert [[node.drops()[name] for name in misled] for node in (a, *others)] == before


def test_who_captures_at_the_relay_sees_no_plaintext(relayed):
    a, b, backbone, *_ = relayed
    capture = backbone.host.capture("eth0", "udp", "port", "8080")
    secret = b"what nobody else shall read"
    b.host.ping(A_OVERLAY, "-p", secret[:16].hex(), "-s", 400, count=10)
    frames = capture.stop()
    assert sum(b"\x23\x00\x00\x00" in frame for frame in frames) >= 20
    assert not any(secret[:16] in frame for frame in frames)


def test_relay_that_is_started_again_is_used_again(relayed, figure):
    a, b, backbone, inet, _ = relayed
    backbone.kill()
    backbone.start()
    stream = b.host.ping_stream(A_OVERLAY, interval=0.05)
    labs.wait_for(lambda: figures(backbone)["relay_bound_total"] >= 2, 40, "both ends are bound anew")
    by(b, a, "relay", 40)
    by(a, b, "relay", 40)
    stream.wait_replies(40, 20)
    stream.stop()
    figure(f"backbone killed and started again: data again after {stream.longest_gap():.1f} s")


def test_nat_that_forgets_costs_less_than_two_seconds(relayed, figure):
    """The relay knows us at another address from then on."""
    a, b, backbone, _, nats = relayed
    stream = b.host.ping_stream(A_OVERLAY)
    stream.wait_replies(100, 5)
    bound = figures(backbone)["relay_bound_total"]
    at = stream.last()
    labs.flush_conntrack(nats[1])
    labs.wait_for(lambda: figures(backbone)["relay_bound_total"] > bound, 10, "an end at another address")
    stream.wait_sequence(at + 200, 10)
    by(b, a, "relay", 60)
    stream.wait_replies(100, 5)
    stream.stop()
    figure(f"a NAT forgot its mapping to the relay: data again after {stream.longest_gap(after=at):.2f} s")
    assert stream.longest_gap(after=at) < 2 * PATIENCE


def test_udp_that_is_blocked_leaves_for_the_uplink_and_comes_back(relayed, figure):
    a, b, backbone, inet, _ = relayed
    stream = b.host.ping_stream(A_OVERLAY)
    stream.wait_replies(100, 5)
    inet.nft(NO_UDP)
    by(b, a, "tcp", 10)
    by(a, b, "tcp", 10)
    stream.wait_replies(100, 10)
    gap = stream.longest_gap()
    inet.run("nft", "delete", "table", "inet", "no-udp")
    by(b, a, "relay", 60)
    stream.wait_replies(100, 10)
    stream.stop()
    figure(f"UDP blocked: over TCP after {gap:.2f} s")
    assert gap < 2 * PATIENCE


def test_direct_path_that_dies_leaves_for_the_warm_relay_and_comes_back(open_pair, figure):
    a, b, backbone, inet = open_pair
    stream = b.host.ping_stream(A_OVERLAY)
    stream.wait_replies(100, 5)
    inet.nft(NO_DIRECT)
    by(b, a, "relay", 10)
    stream.wait_replies(100, 10)
    gap = stream.longest_gap()
    inet.run("nft", "delete", "table", "inet", "no-direct")
    by(b, a, "direct", 60)
    stream.wait_replies(100, 10)
    stream.stop()
    figure(f"direct path cut: by the relay after {gap:.2f} s")
    assert gap < 1.5 * PATIENCE


def test_congestion_marks_pass_the_relay(relayed):
    a, b, backbone, inet, _ = relayed
    inet.nft("""
table inet marking {
    chain passing { type filter hook forward priority 0; ip daddr 203.0.113.2 udp dport 8080 ip ecn ect0 ip ecn set ce; }
}""")
    capture = a.host.capture("tap0" if a.host.exists("tap0") else a.status()["device"], "icmp")
    b.host.ping(A_OVERLAY, "-Q", "2", count=10)
    frames = capture.stop()
    asked = [frame for frame in frames if frame[34] == 8]
    assert asked and all(frame[15] & 3 == 3 for frame in asked)
