# SPDX-License-Identifier: Apache-2.0
"""The failure to bury: another VPN's device already holds the address and subnet that our TAP is to have.

    site-a                                     site-b
    chr001 10.10.10.4/24 (another program's)   chr001 10.10.10.3/24 (another program's)
    tap0   10.10.10.4/24 (ours)                tap0   10.10.10.3/24 (ours)
    eth0 ──────────────────── inet ──────────────────── eth0
                               │
                            server
"""

import re

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY


def overlapped(lab, strict_reverse_path=True):
    a_host, b_host, server, _ = lab.internet()
    holders = [labs.hold_tap(a_host, "chr001", f"{A_OVERLAY}/24"), labs.hold_tap(b_host, "chr001", f"{B_OVERLAY}/24")]
    for host in (a_host, b_host):
        for key in ("all", "default", "chr001"):
            host.sysctl(f"net.ipv4.conf.{key}.rp_filter", 1 if strict_reverse_path else 0)
    return a_host, b_host, server, holders


def test_busy_device_is_refused_at_once_and_its_owner_named(lab):
    a_host, _, _, holders = overlapped(lab)
    result = a_host.run(labs.program("shadowmesh-l2"), "-keydir", a_host.dir / "keys", "-run", a_host.dir / "run", "-tap", "chr001",
                        "-public", check=False, timeout=5 * labs.PATIENCE)
    assert result.returncode != 0
    complaint = [line for line in result.stderr.splitlines() if "chr001" in line]
    assert len(complaint) == 1, result.stderr
    assert str(holders[0].pid) in complaint[0] and re.search(r"python3", complaint[0]) and "-tap-ip" in complaint[0]


@pytest.mark.alone
@pytest.mark.parametrize("reverse_path", ["strict", pytest.param("off", marks=pytest.mark.long)])
def test_overlapping_subnet_is_warned_of_and_works(lab, figure, reverse_path):
    a_host, b_host, server, _ = overlapped(lab, reverse_path == "strict")
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a)
    for node in (a, b):
        warning = node.process.wait_log(r"^.*chr001.*$", 5)[0]
        assert "10.10.10." in warning, warning
    b_host.wait_ping(A_OVERLAY, 5)
    ping = b_host.ping(A_OVERLAY, count=10)
    a_host.ping(B_OVERLAY, count=10)
    rates = [b_host.iperf(a_host, A_OVERLAY, reverse=reverse)["end"]["sum_received"]["bits_per_second"] for reverse in (False, True)]
    assert min(rates) > 100e6
    assert b_host.udp_loss(a_host, A_OVERLAY) < 1
    figure(f"beside chr001, reverse path filter {reverse_path}: {ping}; TCP {rates[0] / 1e6:.0f} and {rates[1] / 1e6:.0f} Mbit/s")


@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL and another start"])
def test_everything_is_as_before_after_exit(lab, end):
    a_host, b_host, server, _ = overlapped(lab)
    before = [host.network_state() for host in (a_host, b_host)]
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a)
    b_host.wait_ping(A_OVERLAY, 5)
    if "SIGKILL" in end:
        for node in (a, b):
            node.kill()
        a.start()
        b.start()
        b_host.wait_ping(A_OVERLAY, 10)
    assert b.stop() == 0 and a.stop() == 0
    assert b_host.network_state() == before[1]
    assert a_host.network_state() == before[0]


def tap7_state(host):
    """What is set of the device and around it. Whether it has had a carrier, and so an address of its own, is the kernel's."""
    flags = re.search(r"<(.*?)>", host.run("ip", "-o", "link", "show", "tap7").stdout)[1].split(",")
    lines = [line for line in host.network_state().replace(" linkdown", "").splitlines()
             if not re.search(r"tap7.* (fe80::|ff00::/8)|(fe80::|ff00::/8).* tap7", line)]
    return ["tap7 is " + ("up" if "UP" in flags else "down"), *lines]


@pytest.mark.parametrize("was", ["up", "down"])
def test_an_attached_device_of_a_killed_node_is_put_back_by_the_next(lab, was):
    """A persistent TAP does not go with the process: what SIGKILL leaves on it, the next start finds written down."""
    a_host, b_host, server, _ = overlapped(lab)
    for host, address in ((a_host, A_OVERLAY), (b_host, B_OVERLAY)):
        host.add_tap("tap7", f"{address}/24")
        host.ip("link", "set", "tap7", was)
    before = [tap7_state(host) for host in (a_host, b_host)]
    backbone = server.backbone()
    a = a_host.node("-backbone", backbone.url, "-ip", a_host.address, "-tap", "tap7", "-public")
    b = b_host.node("-backbone", backbone.url, "-ip", b_host.address, "-tap", "tap7", "-connect", a.id)
    b_host.wait_ping(A_OVERLAY, 5)
    for node in (a, b):
        node.kill()
    assert [tap7_state(host) for host in (a_host, b_host)] != before
    for node in (a, b):
        node.start()
    b_host.wait_ping(A_OVERLAY, 10)
    assert b.stop() == 0 and a.stop() == 0
    after = [tap7_state(host) for host in (a_host, b_host)]
    assert [sorted(set(new) ^ set(old)) for new, old in zip(after, before)] == [[], []]
    assert not [path for node in (a, b) for path in node.run_dir.glob("*.undo*")]


def test_interface_that_comes_later_is_noticed_and_traffic_goes_on(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a)
    b_host.wait_ping(A_OVERLAY, 5)
    for host, address in ((a_host, A_OVERLAY), (b_host, B_OVERLAY)):
        labs.hold_tap(host, "chr001", f"{address}/24")
    b.process.wait_log("chr001", 5)
    b_host.wait_ping(A_OVERLAY, 5)
    b_host.ping(A_OVERLAY, count=5)


def test_other_vpn_goes_on_working_for_its_own_peers(lab):
    """Only what our peers own is routed to our TAP: the rest of the subnet stays the other program's."""
    a_host, b_host, server, _ = overlapped(lab)
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    labs.sender(b_host, backbone, a)
    b_host.wait_ping(A_OVERLAY, 5)
    assert "dev tap0" in b_host.run("ip", "route", "get", A_OVERLAY).stdout
    assert "dev chr001" in b_host.run("ip", "route", "get", "10.10.10.77").stdout


def test_a_peer_that_announces_the_lans_gateway_does_not_get_its_traffic(lab):
    """site-b's LAN has its gateway at the address that A takes on the mesh: only -host-route gives it to A."""
    a_host, b_host, server, _ = lab.internet()
    gateway = lab.host("gateway")
    lab.link(b_host, "lan0", gateway, "eth0")
    b_host.ip("addr", "add", "10.10.10.9/24", "dev", "lan0")
    gateway.ip("addr", "add", f"{A_OVERLAY}/24", "dev", "eth0")
    b_host.ip("route", "add", "198.18.0.0/16", "via", A_OVERLAY, "dev", "lan0")
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a)
    line = b.process.wait_log(r"^.*no host route.*$", 10)[0]
    assert "gateway of this machine" in line and f"-host-route {A_OVERLAY}" in line, line
    assert "dev lan0" in b_host.run("ip", "route", "get", A_OVERLAY).stdout
    b_host.ping(A_OVERLAY, count=3)
    assert b.stop() == 0
    b.flags = [*b.flags, "-host-route", A_OVERLAY]
    b.start()
    labs.wait_for(lambda: "dev tap0" in b_host.run("ip", "route", "get", A_OVERLAY).stdout, 10, "the person's word counts")
