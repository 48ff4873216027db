# SPDX-License-Identifier: Apache-2.0
"""No UDP passes between two sites, and there is no backbone: datagrams travel over TCP to the peer's own control port.

    site-a 198.51.100.2 ──── inet (no UDP) ──── site-b 198.51.101.2
"""

import pytest

import lab as labs
from lab import A_OVERLAY, B_OVERLAY, PATIENCE

LARGEST = 9022 + 44  # bytes: of a frame, sealed
NO_UDP = """
table inet no-udp {
    chain passing { type filter hook forward priority 0; meta l4proto udp drop; }
}"""


@pytest.fixture
def sites(lab):
    a_host, b_host, _, inet = lab.internet()
    return a_host, b_host, inet


def pair(a_host, b_host, a_flags=(), b_flags=()):
    """The reference commands without a backbone: site B knows where A is."""
    a = a_host.node("-tap-ip", A_OVERLAY, "-tap-netmask", 24, "-public", *a_flags)
    b = b_host.node("-tap-ip", B_OVERLAY, "-tap-netmask", 24, "-connect", f"{a.id}@{a_host.address}", *b_flags)
    return a, b


def kind(node, other):
    return (node.peer(other).get("path") or {}).get("kind")


def both_by(a, b, wanted, seconds):
    labs.wait_for(lambda: kind(a, b) == kind(b, a) == wanted, seconds, f"both send by {wanted}")


def test_reference_commands_connect_over_tcp(sites, figure):
    a_host, b_host, inet = sites
    inet.nft(NO_UDP)
    a, b = pair(a_host, b_host)
    b_host.wait_ping(A_OVERLAY, 5)
    path = b.peer(a)["path"]
    assert path["kind"] == "tcp" and path["remote"] == f"{a_host.address}:8443", path
    assert path["why"] == "no other answers"
    idle = b_host.ping(A_OVERLAY, count=20)
    a_host.ping(B_OVERLAY, count=20)
    labs.wait_for(lambda: b.peer(a)["path"]["mtu"] == LARGEST, 10, "the largest frame fits a datagram")
    rates = [b_host.iperf(a_host, A_OVERLAY, reverse=reverse)["end"]["sum_received"]["bits_per_second"]
             for reverse in (False, True)]
    figure(f"over TCP to the peer's own port: idle {idle}; TCP {rates[0] / 1e6:.0f} and {rates[1] / 1e6:.0f} Mbit/s")
    assert min(rates) > 100e6 / PATIENCE
    assert a.drops()["oversize"] == b.drops()["oversize"] == 0
    shown = b_host.run(labs.program("shadowmesh"), "peers", "-l", "-run", b.run_dir, echo=False).stdout
    assert f"{a_host.address}:8443" in shown and "no other answers" in shown


@pytest.mark.alone
def test_ping_beside_a_stream_does_not_wait_for_long(sites, figure):
    a_host, b_host, inet = sites
    inet.nft(NO_UDP)
    a, b = pair(a_host, b_host)
    b_host.wait_ping(A_OVERLAY, 5)
    stream = b_host.ping_stream(A_OVERLAY, interval=0.02)
    rate = b_host.iperf(a_host, A_OVERLAY, seconds=4)["end"]["sum_received"]["bits_per_second"]
    stream.stop()
    times = sorted(rtt for _, _, rtt in stream.replies())
    half, most = times[len(times) // 2], times[int(len(times) * 0.99)]
    figure(f"over TCP, ping beside one TCP stream of {rate / 1e6:.0f} Mbit/s: p50 {half:.2f} ms, p99 {most:.1f} ms")
    assert half < 50 * PATIENCE


@pytest.mark.early
def test_udp_that_ceases_to_pass_is_followed_by_tcp_and_returns(sites, figure):
    a_host, b_host, inet = sites
    a, b = pair(a_host, b_host)
    b_host.wait_ping(A_OVERLAY, 5)
    both_by(a, b, "direct", 5)
    stream = b_host.ping_stream(A_OVERLAY, interval=0.01)
    stream.wait_replies(200, 10)
    inet.nft(NO_UDP)
    both_by(a, b, "tcp", 10)
    stream.wait_replies(200, 10)
    gap = stream.longest_gap()
    inet.run("nft", "delete", "table", "inet", "no-udp")
    both_by(a, b, "direct", 60)
    stream.wait_replies(100, 5)
    stream.stop()
    figure(f"UDP blocked: data over TCP after {gap:.2f} s")
    assert gap < 2 * PATIENCE


def test_carrier_tcp_uses_the_peers_own_port(sites):
    a_host, b_host, _ = sites
    a, b = pair(a_host, b_host, ("-carrier", "tcp"), ("-carrier", "tcp"))
    b_host.wait_ping(A_OVERLAY, 5)
    both_by(a, b, "tcp", 2)
    assert all(p["kind"] == "tcp" for p in b.peer(a)["paths"])


def test_carrier_udp_takes_none(sites):
    a_host, b_host, inet = sites
    inet.nft(NO_UDP)
    a, b = pair(a_host, b_host, ("-carrier", "udp"))
    labs.wait_for(lambda: b.peer(a).get("state") == "no path", 10, "no path")
    assert kind(b, a) is None


def test_strangers_at_the_port_take_nothing_from_a_trunk(sites):
    """They send what is no first batch, half of one, and nothing, at the rate that they may."""
    a_host, b_host, inet = sites
    inet.nft(NO_UDP)
    a, b = pair(a_host, b_host)
    b_host.wait_ping(A_OVERLAY, 5)
    flood = b_host.start("/usr/bin/python3", "-c", f"""
import socket, time
kept = []
while True:
    for first in (b"", b"\\x30\\x04\\xb0\\x04\\xb0" + bytes(100), b"\\x30\\x00\\x4c\\x00\\x4c\\x22\\x0f" + bytes(74), b"GET / HTTP/1.1"):
        try:
            s = socket.create_connection(("{a_host.address}", 8443), 2)
            s.sendall(first)
            kept.append(s)
        except OSError:
            pass
        kept = kept[-50:]
        time.sleep(0.01)
""", name="flood")
    stream = b_host.ping_stream(A_OVERLAY, interval=0.02)
    labs.wait_for(lambda: a.drops()["stranger"] > 40, 20, "strangers turned away")
    stream.wait_replies(100, 10)
    stream.stop()
    flood.stop()
    assert not stream.lost()
    assert kind(a, b) == "tcp"
