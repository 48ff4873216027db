# SPDX-License-Identifier: Apache-2.0
"""A node with a TUN, which has IP alone, on one segment with a TAP node, and with a machine behind that one's bridge.

    A (TUN) ═══ tunnel ═══ tap0 ── br0 on site-b ── printer: no node; found by ARP and neighbour discovery alone
                                   10.10.10.3       10.10.10.9
"""

import contextlib
import socket
import struct

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY
from wires import PacketSocket, checksum

PRINTER = "10.10.10.9"
A6, B6, PRINTER6 = "fd00:10::4", "fd00:10::3", "fd00:10::9"
EVERYBODY = b"\xff" * 6
ARP = b"\x08\x06"


def mac_of(node):
    """As the id makes it."""
    first = bytes.fromhex(node.id[:12])
    return bytes([first[0] & 0xfc | 2]) + first[1:]


def device_mac(host, device):
    return bytes.fromhex(host.mac(device).replace(":", ""))


def arp(source, sender, target, operation=1, to=EVERYBODY):
    """An ARP request or reply from a MAC with an address, of or for another address."""
    return (to + source + ARP + struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + source + socket.inet_aton(sender)
            + (to if operation == 2 else bytes(6)) + socket.inet_aton(target))


def bridge(lab, host):
    """The host's TAP becomes a port of its bridge, which has its addresses; on another port there is a machine."""
    printer = lab.host("printer")
    lab.link(printer, "eth0", host, "port")
    host.ip("link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
    host.ip("link", "set", "br0", "up")
    for port in ("port", "tap0"):
        host.ip("link", "set", port, "master", "br0")
    host.ip("addr", "flush", "dev", "tap0")
    host.ip("addr", "add", f"{B_OVERLAY}/24", "brd", "+", "dev", "br0")
    host.ip("addr", "add", f"{B6}/64", "dev", "br0", "nodad")
    printer.ip("addr", "add", f"{PRINTER}/24", "brd", "+", "dev", "eth0")
    printer.ip("addr", "add", f"{PRINTER6}/64", "dev", "eth0", "nodad")
    return printer


@pytest.fixture
def pair(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone, "-tun", "auto")
    b = labs.sender(b_host, backbone, a)
    a_host.ip("addr", "add", f"{A6}/64", "dev", "tun0")
    labs.wait_for(lambda: all(n.peer(o).get("state") == "connected" for n, o in ((a, b), (b, a))), 10, "the two are connected")
    return a, b


@pytest.fixture
def segment(lab, pair):
    a, b = pair
    return a, b, bridge(lab, b.host)


def heard(receiver, sender, to, bind, group=None, via=None):
    """Whether a datagram that one host sends to an address of many is received by the other."""
    with receiver.socket(socket.AF_INET, socket.SOCK_DGRAM) as there, sender.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        there.settimeout(5 * labs.PATIENCE)
        there.bind(("", 5353))
        if group:
            there.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton(via))
            here.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(bind))
        here.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        here.bind((bind, 0))
        here.sendto(b"anybody there", (to, 5353))
        return there.recv(100) == b"anybody there"


def test_every_first_ping_is_answered(segment):
    a, b, printer = segment
    assert a.status()["device"] == "tun0"
    for source, others in ((a.host, (B_OVERLAY, PRINTER, B6, PRINTER6)), (b.host, (A_OVERLAY, A6)), (printer, (A_OVERLAY, A6))):
        for other in others:
            assert source.ping(other, count=3).lost == 0
    assert a.drops()["no_neighbour"] == 0


def test_tcp_and_udp_pass_both_ways(segment):
    a, b, printer = segment
    for there, to in ((b.host, B_OVERLAY), (printer, PRINTER6)):
        for reverse in (False, True):
            assert a.host.iperf(there, to, amount="8M", reverse=reverse)["end"]["sum_received"]["bytes"] > 1_000_000
    assert a.host.udp_loss(printer, PRINTER, rate="5M", seconds=1) < 5
    assert a.host.udp_loss(printer, PRINTER, rate="5M", seconds=1, reverse=True) < 5


def test_kernels_find_it_like_any_machine(segment):
    a, b, printer = segment
    printer.ip("neigh", "flush", "all")
    printer.ping(A_OVERLAY, count=1)
    printer.ping(A6, count=1)
    for address in (A_OVERLAY, A6):
        entry = printer.run("ip", "neigh", "show", address).stdout
        assert mac_of(a).hex(":") in entry and "REACHABLE" in entry, entry


def test_probe_for_its_address_is_answered(segment):
    """Who wants to take the address asks from none, and is told that it is in use (RFC 5227)."""
    a, _, printer = segment
    wire = PacketSocket(printer, "eth0")
    own = device_mac(printer, "eth0")
    wire.send(arp(own, "0.0.0.0", A_OVERLAY))
    assert wire.expect(arp(mac_of(a), A_OVERLAY, "0.0.0.0", operation=2, to=own))


def test_broadcast_and_multicast_pass_both_ways(segment):
    a, _, printer = segment
    wire = PacketSocket(printer, "eth0")
    for to in ("10.10.10.255", "239.1.1.1"):
        group = to if to.startswith("239") else None
        assert heard(printer, a.host, to, A_OVERLAY, group, PRINTER)
        assert heard(a.host, printer, to, PRINTER, group, A_OVERLAY)
    frames = wire.receive_all(lambda f: True, 0.2)
    assert any(f[:6] == bytes.fromhex("01005e010101") for f in frames) and any(f[:6] == EVERYBODY for f in frames)
    assert not [f for f in frames if f[12:14] == ARP and f[38:42] == socket.inet_aton("10.10.10.255")]


def test_what_is_no_ip_is_counted(segment):
    a, _, printer = segment
    wire = PacketSocket(printer, "eth0")
    own, before = device_mac(printer, "eth0"), a.drops()["not_ip"]
    vlan = mac_of(a) + own + b"\x81\x00\x00\x05\x08\x00\x45" + bytes(45)
    strange = mac_of(a) + own + b"\x88\xb5" + bytes(46)
    elsewhere = arp(own, PRINTER, "10.10.10.77", to=b"\x02\xee\xee\xee\xee\xee")
    for frame in (vlan, strange, elsewhere):
        wire.send(frame)
    labs.wait_for(lambda: a.drops()["not_ip"] >= before + 3, 5, "all three are counted")


def test_second_holder_of_its_address_is_named(segment):
    a, _, printer = segment
    printer.ip("addr", "add", f"{A_OVERLAY}/24", "dev", "eth0")
    printer.run("ping", "-c", 1, "-W", 1, "-I", A_OVERLAY, "10.10.10.77", check=False)
    a.process.wait_log(rf"our address {A_OVERLAY} is also used by {printer.mac('eth0')}, at peer", 3)


def test_routes_by_a_gateway_of_the_segment(segment):
    """A packet of the device does not tell by whom the kernel sends it: the routes do, as they come and go."""
    a, _, printer = segment
    printer.ip("addr", "add", "10.99.0.1/32", "dev", "lo")
    printer.ip("addr", "add", "fd00:99::1/128", "dev", "lo")
    printer.sysctl("net.ipv4.ip_forward", 1)
    a.host.ip("route", "add", "10.99.0.0/16", "via", PRINTER, "dev", "tun0")
    a.host.ip("route", "add", "fd00:99::/64", "via", PRINTER6, "dev", "tun0")
    for address in ("10.99.0.1", "fd00:99::1"):
        a.host.wait_ping(address, 5)
    a.host.ip("route", "replace", "10.99.0.0/16", "via", "10.10.10.77", "dev", "tun0")
    labs.wait_for(lambda: not a.host.answers("10.99.0.1"), 5, "the gateway that is none is asked")
    a.host.ip("route", "replace", "10.99.0.0/16", "via", PRINTER, "dev", "tun0")
    a.host.wait_ping("10.99.0.1", 5)


def advertisement(source, mac, prefix):
    """A router's, as radvd sends it: it is the default gateway, and hosts make addresses of its prefix."""
    option = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 3600, 3600, 0) + socket.inet_pton(socket.AF_INET6, prefix)
    message = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + option + b"\x01\x01" + mac
    ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, "ff02::1")
    total = checksum(ends + struct.pack("!II", len(message), 58) + message)
    message = message[:2] + struct.pack("!H", total) + message[4:]
    return b"\x33\x33\x00\x00\x00\x01" + mac + b"\x86\xdd\x60\x00\x00\x00" + struct.pack("!HBB", len(message), 58, 255) + ends + message


def test_router_of_the_bridged_site_gives_it_an_address_and_a_way_out(segment):
    a, _, printer = segment
    link_local = printer.run("ip", "-6", "-o", "addr", "show", "dev", "eth0", "scope", "link").stdout.split()[3].split("/")[0]
    printer.sysctl("net.ipv6.conf.all.forwarding", 1)
    printer.ip("addr", "add", "fd00:77::1/64", "dev", "eth0", "nodad")
    printer.ip("addr", "add", "fd00:88::1/128", "dev", "lo")
    wire = PacketSocket(printer, "eth0")
    wire.send(advertisement(link_local, device_mac(printer, "eth0"), "fd00:77::"))
    labs.wait_for(lambda: "fd00:77:" in a.host.run("ip", "-6", "addr", "show", "dev", "tun0", echo=False).stdout, 5, "an address")
    assert f"via {link_local}" in a.host.run("ip", "-6", "route", "show", "default").stdout
    a.host.wait_ping("fd00:88::1", 5)


def test_its_kernels_question_for_a_router_tells_its_mac(segment):
    """A TUN's kernel knows none."""
    a, _, printer = segment
    wire = PacketSocket(printer, "eth0")
    a.host.ip("link", "set", "tun0", "down")
    a.host.ip("link", "set", "tun0", "up")
    questions = []
    labs.wait_for(lambda: questions.extend(wire.receive_all(lambda f: f[12:14] == b"\x86\xdd" and f[54:55] == b"\x85", 0.2)) or questions,
                  15, "a router solicitation")
    assert all(f[6:12] == mac_of(a) and f[62:] == b"\x01\x01" + mac_of(a) for f in questions)


def test_a_bridge_does_not_take_the_device(segment):
    a, _, _ = segment
    a.host.ip("link", "add", "br1", "type", "bridge")
    assert a.host.ip("link", "set", "tun0", "master", "br1", check=False).returncode != 0
    assert "for IP alone (a bridge does not take it)" in a.log()


def test_forged_answers_change_no_peer(pair):
    """What B announced is at B's MAC, whoever else behind B says that it has it."""
    a, b = pair
    wire = PacketSocket(b.host, "tap0")
    forger = b"\x02\x66\x66\x66\x66\x66"
    for _ in range(20):
        wire.send(arp(forger, B_OVERLAY, A_OVERLAY, operation=2, to=mac_of(a)))
        wire.send(arp(forger, B_OVERLAY, A_OVERLAY))
    assert a.host.ping(B_OVERLAY, count=5).lost == 0
