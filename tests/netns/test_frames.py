# SPDX-License-Identifier: Apache-2.0
"""Frames are frames: whatever Ethernet carries arrives as it was sent, over paths of every size.

    site-a ──── r1 ── narrow ── r2 ──── site-b         narrow: the link of the size in question, where no ICMP comes back
     tap0                │               tap0
                       server
"""

import fcntl
import os
import re
import select
import shutil
import socket
import struct

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY
from wires import PacketSocket

BROADCAST = b"\xff" * 6
LOCAL_EXPERIMENT = b"\x88\xb5"


def ethernet(host, to, kind, payload, length, vlan=None):
    """A frame of exactly length bytes."""
    source = bytes.fromhex(host.mac("tap0").replace(":", ""))
    head = to + source + (b"" if vlan is None else b"\x81\x00" + struct.pack("!H", vlan)) + kind + payload
    return head + bytes(i & 0xff for i in range(length - len(head)))


@pytest.fixture
def frames(lab):
    a, b, _, _ = labs.reference_pair(lab)
    return a.host, b.host, PacketSocket(a.host, "tap0"), PacketSocket(b.host, "tap0")


def mac_of(host):
    return bytes.fromhex(host.mac("tap0").replace(":", ""))


@pytest.mark.parametrize("length", [60, 1000, 1513, 1514])
def test_non_ip_frame_arrives_as_it_was(frames, length):
    a, b, a_packets, b_packets = frames
    for host, far, sent_by, seen_by in ((b, a, b_packets, a_packets), (a, b, a_packets, b_packets)):
        for to in (mac_of(far), BROADCAST):
            frame = ethernet(host, to, LOCAL_EXPERIMENT, b"frame", length)
            sent_by.send(frame)
            assert seen_by.expect(frame)


@pytest.mark.parametrize("length,vlan", [(64, 5), (1000, 4094), (1518, 100), (1518, 0x6000 | 7)])
def test_tagged_frame_keeps_its_tag_and_size(frames, length, vlan):
    a, b, a_packets, b_packets = frames
    for host, far, sent_by, seen_by in ((b, a, b_packets, a_packets), (a, b, a_packets, b_packets)):
        for to in (mac_of(far), BROADCAST):
            frame = ethernet(host, to, LOCAL_EXPERIMENT, b"tagged", length, vlan)
            sent_by.send(frame)
            assert seen_by.expect(frame)


def test_llc_frame_with_a_length_for_a_type_arrives(frames):
    a, b, a_packets, b_packets = frames
    bpdu = ethernet(b, bytes.fromhex("0180c2000000"), struct.pack("!H", 38), b"\x42\x42\x03" + bytes(35), 60)
    b_packets.send(bpdu)
    b_packets.send(ethernet(b, mac_of(a), LOCAL_EXPERIMENT, b"after", 60))
    # Bridge control frames are link-local: whether they pass is the switch's choice, that others do is not.
    netbios = ethernet(b, mac_of(a), struct.pack("!H", 46), b"\xf0\xf0\x03" + b"netbios", 60)
    b_packets.send(netbios)
    assert a_packets.expect(netbios)


def test_runts_and_forged_sources_are_dropped_and_counted(lab):
    a, b, _, _ = labs.reference_pair(lab)
    a_packets, b_packets = PacketSocket(a.host, "tap0"), PacketSocket(b.host, "tap0")
    behind_a = bytes.fromhex("02aabbccdd77")
    a_packets.send(b"\xff" * 6 + behind_a + LOCAL_EXPERIMENT + b"I am on A's side" + bytes(30))
    forged = mac_of(a.host) + behind_a + LOCAL_EXPERIMENT + b"no, on B's" + bytes(36)
    group = mac_of(a.host) + b"\x01" + bytes(5) + LOCAL_EXPERIMENT + b"from a group" + bytes(34)
    # B's switch has to believe its own side; A's does not believe B.
    b_packets.send(forged)
    b_packets.send(group)
    assert not a_packets.receive_all(lambda f: f in (forged, group), 0.5)
    assert sum(node.drops().get("source", 0) for node in (a, b)) >= 2, (a.drops(), b.drops())
    b.host.ping(A_OVERLAY, count=3)


def test_multicast_reaches_those_who_joined(frames):
    a, b, _, _ = frames
    group = "239.1.2.3"
    with a.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener, b.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaker:
        listener.bind((group, 7000))
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                            socket.inet_aton(group) + socket.inet_aton(A_OVERLAY))
        listener.settimeout(2 * labs.PATIENCE)
        speaker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(B_OVERLAY))
        for number in range(5):
            speaker.sendto(b"to all %d" % number, (group, 7000))
            assert listener.recv(100) == b"to all %d" % number


def test_broadcast_ping_is_answered_through_the_tunnel(frames):
    a, b, _, _ = frames
    a.sysctl("net.ipv4.icmp_echo_ignore_broadcasts", 0)
    result = b.run("ping", "-n", "-b", "-c", 3, "-i", 0.1, "10.10.10.255", check=False)
    assert f"from {A_OVERLAY}" in result.stdout


def test_ipv6_neighbours_find_each_other(frames):
    a, b, _, _ = frames
    a.ip("addr", "add", "fd00:10::4/64", "dev", "tap0", "nodad")
    b.ip("addr", "add", "fd00:10::3/64", "dev", "tap0", "nodad")
    b.ping("fd00:10::4", count=5)
    a.ping("fd00:10::3", count=5)
    assert a.mac("tap0") in b.run("ip", "-6", "neigh", "show", "fd00:10::4", "dev", "tap0").stdout
    # Link-local, and every node at once.
    result = b.run("ping", "-n", "-c", 3, "-i", 0.1, "ff02::1%tap0", check=False)
    of_a = re.findall(r"inet6 (\S+)/64", a.run("ip", "-6", "addr", "show", "dev", "tap0").stdout)
    assert any(f"from {address}" in result.stdout for address in of_a), result.stdout


def test_dhcp_gives_an_address_over_an_attached_device(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b_host.add_tap("lab0")
    b_host.node("-backbone", backbone.url, "-tap", "lab0", "-connect", a.id)
    a_host.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=tap0", "--bind-interfaces",
                 "--dhcp-authoritative", "--no-ping", "--dhcp-range=10.10.10.100,10.10.10.110,255.255.255.0,10m",
                 f"--dhcp-leasefile={a_host.dir}/leases", "--user=root", "--log-facility=-", name="dnsmasq")
    labs.wait_for(lambda: a.status()["peers"], 5, "the peer is known")
    log = dhcp_client(b_host, "lab0")
    address = labs.wait_for(
        lambda: re.search(r"inet (10\.10\.10\.1\d\d)/24", b_host.run("ip", "addr", "show", "dev", "lab0", echo=False).stdout),
        15, f"an address by DHCP on lab0 ({log})")[1]
    b_host.ping(A_OVERLAY, count=5)
    a_host.ping(address, count=5)


def dhcp_client(host, device):
    """Starts whichever DHCP client this system has; its lease and its script stay in the lab."""
    if not shutil.which("dhclient"):
        script = host.dir / "udhcpc.sh"
        script.write_text('#!/bin/sh\n[ "$1" = bound ] && ip addr add "$ip/$mask" dev "$interface"\nexit 0\n')
        script.chmod(0o755)
        return host.start("udhcpc", "-f", "-i", device, "-s", script, "-t", 10, "-T", 1, name="dhcp-client").log_path
    script = host.dir / "dhclient.sh"
    script.write_text('#!/bin/sh\ncase $reason in BOUND|REBOOT) ip addr add "$new_ip_address/$new_subnet_mask" dev "$interface" ;; esac\n'
                      "exit 0\n")
    script.chmod(0o755)
    config = host.dir / "dhclient.conf"
    config.write_text("initial-interval 1;\nbackoff-cutoff 2;\ntimeout 20;\n")
    return host.start("dhclient", "-d", "-4", "-cf", config, "-lf", host.dir / "dhclient.leases", "-pf", host.dir / "dhclient.pid", "-sf", script,
                      device, name="dhcp-client").log_path


def narrow_internet(lab, mtu, where):
    """Hosts whose path has this size: at their own devices, or only in the middle, where ICMP tells nobody. Routers of
    such lines clamp TCP's segments."""
    own = mtu if where == "own" else 1500
    r1, r2 = lab.router("r1"), lab.router("r2")
    a_host, b_host, server = lab.host("site-a"), lab.host("site-b"), lab.host("server")
    lab.attach(a_host, r1, "198.51.100", own)
    lab.attach(server, r1, "203.0.113", 1500)
    lab.attach(b_host, r2, "198.51.101", own)
    lab.link(r1, "narrow", r2, "narrow", mtu)
    r1.ip("addr", "add", "192.0.2.1/30", "dev", "narrow")
    r2.ip("addr", "add", "192.0.2.2/30", "dev", "narrow")
    r1.ip("route", "add", "198.51.101.0/24", "via", "192.0.2.2")
    r2.ip("route", "add", "default", "via", "192.0.2.1")
    for router in (r1, r2):
        router.nft("""
            table inet lab {
                chain quiet { type filter hook output priority 0; meta l4proto { icmp, icmpv6 } drop; }
                chain through {
                    type filter hook forward priority 0;
                    meta l4proto { icmp, icmpv6 } drop;
                    oifname narrow tcp flags syn tcp option maxseg size set rt mtu;
                    iifname narrow tcp flags syn tcp option maxseg size set %d;
                }
            }""" % (mtu - 40))
    return a_host, b_host, server, r1, r2


LONG = pytest.mark.long


@pytest.mark.parametrize("mtu,where", [(1500, "middle"), (1400, "middle"), pytest.param(1280, "middle", marks=LONG),
                                       pytest.param(1000, "middle", marks=LONG), (576, "middle"),
                                       pytest.param(1400, "own", marks=LONG), (1280, "own"), pytest.param(576, "own", marks=LONG)])
def test_full_frames_pass_a_narrow_path_without_icmp(lab, figure, mtu, where):
    a_host, b_host, server, _, _ = narrow_internet(lab, mtu, where)
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a)
    b_host.wait_ping(A_OVERLAY, 10)
    ping = b_host.ping(A_OVERLAY, "-s", 1472, "-M", "do", count=20)
    a_host.ping(B_OVERLAY, "-s", 1472, "-M", "do", count=20)
    labs.wait_for(lambda: b.peer(a)["path"]["kind"] == "direct" and b.peer(a)["path"]["mtu"] > mtu - 60, 10, "the path's size is found")
    assert b.peer(a)["path"]["mtu"] <= mtu - 28
    b_host.ping(A_OVERLAY, "-s", 1472, "-M", "do", count=20)
    rates = [b_host.iperf(a_host, A_OVERLAY, reverse=reverse)["end"]["sum_received"]["bits_per_second"] for reverse in (False, True)]
    assert min(rates) > 50e6
    assert b_host.udp_loss(a_host, A_OVERLAY, "-l", 1472, rate="20M") < 1
    figure(f"underlay {mtu} ({where}): ping -s 1472 -M do {ping}; TCP {rates[0] / 1e6:.0f} and {rates[1] / 1e6:.0f} Mbit/s")


def test_path_that_shrinks_under_traffic_does_not_stall(lab, figure):
    a_host, b_host, server, r1, r2 = narrow_internet(lab, 1500, "middle")
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a)
    b_host.wait_ping(A_OVERLAY, 10)
    labs.wait_for(lambda: b.peer(a)["path"]["kind"] == "direct" and b.peer(a)["path"]["mtu"] > 1440, 10, "the path's size is found")
    # Fits the path as it is in one datagram, and not as it will be.
    stream = b_host.ping_stream(A_OVERLAY, "-s", 1380, "-M", "do")
    stream.wait_replies(50, 3)
    before = stream.last()
    for router in (r1, r2):
        router.ip("link", "set", "narrow", "mtu", 1300)
    stream.wait_replies(300, 15)
    stream.stop()
    gap = stream.longest_gap(after=before - 10)
    figure(f"path shrinks from 1500 to 1300 under a ping -s 1380: {gap:.2f} s without an answer")
    assert gap < 4
    assert b_host.throughput(a_host, A_OVERLAY) > 50e6


def test_jumbo_device_carries_jumbo_frames(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone, "-tap-mtu", 9000)
    b = labs.sender(b_host, backbone, a, "-tap-mtu", 9000)
    assert b.status()["mtu"] == 9000
    b_host.wait_ping(A_OVERLAY, 5)
    b_host.ping(A_OVERLAY, "-s", 8972, "-M", "do", count=10)


def test_attached_queue_is_read_by_one_process(lab):
    """A device that is handed to another program while we are gone serves that program alone."""
    a_host, _, server, _ = lab.internet()
    a_host.add_tap("lab0", "10.10.10.4/24")
    node = a_host.node("-tap", "lab0", "-public")
    assert node.status()["device"] == "lab0"
    assert node.stop() == 0
    assert a_host.exists("lab0")
    with a_host.inside():
        tun = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH14x", b"lab0", 0x1002))  # TUNSETIFF: IFF_TAP | IFF_NO_PI
    a_host.ip("link", "set", "lab0", "up")
    a_host.run("ping", "-n", "-c", 1, "-W", "0.2", "10.10.10.9", check=False)
    assert select.select([tun], [], [], 2)[0]
    os.close(tun)
