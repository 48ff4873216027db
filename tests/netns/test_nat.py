# SPDX-License-Identifier: Apache-2.0
"""B behind a NAT reaches a public A, also when the NAT forgets or picks another port.

    site-a 198.51.100.2 ──── inet ──── 198.51.101.2 home (masquerade) 192.168.1.1 ──── site-b 192.168.1.2
                              │
                           server 203.0.113.2
"""

import re
import time

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY, PATIENCE

BACK_WITHIN = 0.5
MASQUERADE = """
table inet nat {{
    chain out {{ type nat hook postrouting priority 100; oifname "eth0" meta l4proto udp masquerade to {ports} ;
                 oifname "eth0" masquerade ; }}
}}"""


def masquerade(home, ports=":20000-30000 random"):
    home.run("nft", "flush", "ruleset")
    # What comes in unasked is dropped in silence, as home routers do; it must not take the mapping's port either.
    home.nft(MASQUERADE.format(ports=ports) + """
table inet guard {
    chain from-outside { type filter hook input priority 0; iifname "eth0" ct state new drop; }
}""")


def home_network(lab):
    a_host, home, server, inet = lab.internet(sites=("site-a", "home"))
    home.sysctl("net.ipv4.ip_forward", 1)
    b_host = lab.host("site-b")
    lab.attach(b_host, home, "192.168.1")
    masquerade(home)
    return a_host, b_host, home, server, inet


@pytest.fixture
def behind_nat(lab):
    a_host, b_host, home, server, _ = home_network(lab)
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b = b_host.node("-backbone", backbone.url, "-port", 9443, "-tap-ip", B_OVERLAY, "-tap-netmask", 24, "-connect", a.id)
    b_host.wait_ping(A_OVERLAY, 5)
    return a, b, home


def mapped_port(a, b):
    remote = a.peer(b)["path"]["remote"]
    assert remote.startswith("198.51.101.2:"), remote
    return int(remote.rpartition(":")[2])


def test_frames_pass_both_ways_through_a_nat(behind_nat, figure):
    a, b, _ = behind_nat
    ping = b.host.ping(A_OVERLAY, count=10)
    a.host.ping(B_OVERLAY, count=10)
    assert 20000 <= mapped_port(a, b) <= 30000
    rates = [b.host.iperf(a.host, A_OVERLAY, reverse=reverse)["end"]["sum_received"]["bits_per_second"] for reverse in (False, True)]
    assert min(rates) > 100e6
    figure(f"behind a NAT: {ping}; TCP {rates[0] / 1e6:.0f} and {rates[1] / 1e6:.0f} Mbit/s")


@pytest.mark.parametrize("direction", ["from B", pytest.param("from A", marks=pytest.mark.long)])
@pytest.mark.alone
@pytest.mark.parametrize("change", ["forgets", "picks other ports", "gets another address"])
def test_traffic_is_back_within_half_a_second_when_the_nat(behind_nat, figure, change, direction):
    a, b, home = behind_nat
    host, to = (b.host, A_OVERLAY) if direction == "from B" else (a.host, B_OVERLAY)
    before = mapped_port(a, b)
    stream = host.ping_stream(to)
    stream.wait_replies(100, 5)
    at = stream.last()
    if change == "picks other ports":
        masquerade(home, ":31000-32000 random")
    if change == "gets another address":
        home.ip("addr", "add", "198.51.101.7/24", "dev", "eth0")
        old = re.search(r"inet (198\.51\.101\.\d+/24)", home.run("ip", "addr", "show", "dev", "eth0").stdout)[1]
        home.ip("addr", "del", old, "dev", "eth0")
        home.ip("addr", "replace", "198.51.101.7/24", "dev", "eth0")
        home.ip("route", "replace", "default", "via", "198.51.101.1")
    labs.flush_conntrack(home)
    stream.wait_sequence(at + 300, 20)
    stream.stop()
    gap = stream.longest_gap(after=at - 10)
    figure(f"the NAT {change}, pinging {direction}: {gap:.2f} s without an answer")
    assert gap < BACK_WITHIN * PATIENCE
    if change == "picks other ports":
        assert mapped_port(a, b) != before


def test_connect_by_host_needs_no_backbone(lab):
    a_host, b_host, _, _, _ = home_network(lab)
    a = a_host.node("-tap-ip", A_OVERLAY, "-tap-netmask", 24, "-public")
    b_host.node("-tap-ip", B_OVERLAY, "-tap-netmask", 24, "-connect", f"{a.id}@{a_host.address}")
    b_host.wait_ping(A_OVERLAY, 5)
    b_host.ping(A_OVERLAY, count=5)
    a_host.ping(B_OVERLAY, count=5)


def test_connect_by_host_takes_other_ports(lab):
    a_host, b_host, _, _, _ = home_network(lab)
    a = a_host.node("-tap-ip", A_OVERLAY, "-public", "-control-port", 18443, "-port", 19443)
    b = b_host.node("-tap-ip", B_OVERLAY, "-connect", f"{a.id}@{a_host.address}:18443")
    b_host.wait_ping(A_OVERLAY, 5)
    assert b.peer(a)["path"]["remote"] == f"{a_host.address}:19443"


@pytest.mark.early
def test_idle_mapping_is_kept_open(behind_nat, figure):
    """With a NAT that forgets after 10 s of silence, A still reaches B after a silence."""
    a, b, home = behind_nat
    home.sysctl("net.netfilter.nf_conntrack_udp_timeout", 10)
    home.sysctl("net.netfilter.nf_conntrack_udp_timeout_stream", 10)
    time.sleep(20)  # the silence that is being tested
    pings = [a.host.ping(B_OVERLAY, count=5), b.host.ping(A_OVERLAY, count=5)]
    figure(f"a NAT that forgets after 10 s, behind 20 s of silence: from outside {pings[0]}; from inside {pings[1]}")
