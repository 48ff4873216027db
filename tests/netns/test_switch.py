# SPDX-License-Identifier: Apache-2.0
"""Three nodes and more on one switch each: learning, flooding with split horizon, one reader of the TAP.

    star: B and C connect to A            mesh: C connects to B as well

        B ──── A ──── C                       B ──── A ──── C
                                              └─────────────┘
"""

import json
import os
import re
import socket
from pathlib import Path

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY
from wires import PacketSocket

C_OVERLAY = "10.10.10.5"
EXPERIMENT = b"\x88\xb5"


def three(lab, mesh):
    a_host, b_host, c_host, server, _ = lab.internet(sites=("site-a", "site-b", "site-c"))
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a, *(["-public"] if mesh else []))
    c = labs.sender(c_host, backbone, a, *(["-connect", b.id] if mesh else []), address=C_OVERLAY)
    b_host.wait_ping(A_OVERLAY, 5)
    c_host.wait_ping(A_OVERLAY, 5)
    if mesh:
        c_host.wait_ping(B_OVERLAY, 5)
    return a, b, c


@pytest.fixture
def mesh(lab):
    return three(lab, True)


@pytest.fixture
def star(lab):
    return three(lab, False)


def mac_of(node):
    return bytes.fromhex(node.host.mac("tap0").replace(":", ""))


def test_everyone_reaches_everyone(mesh):
    a, b, c = mesh
    for node, others in ((a, (B_OVERLAY, C_OVERLAY)), (b, (A_OVERLAY, C_OVERLAY)), (c, (A_OVERLAY, B_OVERLAY))):
        for other in others:
            ping = node.host.ping(other, count=5)
            assert ping.duplicates == 0
    assert all(len(node.status()["peers"]) == 2 for node in mesh)


def test_broadcast_arrives_once_at_each(mesh):
    a, b, c = mesh
    sockets = {node: PacketSocket(node.host, "tap0") for node in mesh}
    for sender in mesh:
        frames = [b"\xff" * 6 + mac_of(sender) + EXPERIMENT + b"broadcast %02d" % n + bytes(46 - 12) for n in range(5)]
        for frame in frames:
            sockets[sender].send(frame)
        for node in mesh:
            got = sockets[node].receive_all(lambda f: f[12:14] == EXPERIMENT, 0.3)
            assert sorted(got) == ([] if node is sender else frames)


def test_known_unicast_goes_to_its_owner_alone(mesh):
    a, b, c = mesh
    sockets = {node: PacketSocket(node.host, "tap0") for node in mesh}
    c.host.ping(B_OVERLAY, count=2)
    frame = mac_of(b) + mac_of(c) + EXPERIMENT + b"for B alone" + bytes(35)
    sockets[c].send(frame)
    assert sockets[b].expect(frame)
    assert not sockets[a].receive_all(lambda f: f == frame, 0.3)


def questions(frames, address):
    """The ARP requests for an address."""
    return [f for f in frames if f[12:14] == b"\x08\x06" and f[20:22] == b"\x00\x01" and f[38:42] == socket.inet_aton(address)]


def test_question_for_an_address_reaches_its_owner_alone(mesh):
    a, b, c = mesh
    at_a, at_c = (PacketSocket(node.host, "tap0") for node in (a, c))
    b.host.run("ip", "neigh", "flush", "dev", "tap0")
    b.host.ping(C_OVERLAY, count=1)
    assert len(questions(at_c.receive_all(lambda f: True, 0.3), C_OVERLAY)) == 1
    assert questions(at_a.receive_all(lambda f: True, 0.3), C_OVERLAY) == []


def test_address_that_has_moved_since_it_was_announced_is_found_by_the_second_question(mesh):
    a, b, c = mesh
    b.host.run("ip", "address", "del", f"{B_OVERLAY}/24", "dev", "tap0")
    c.host.run("ip", "address", "add", f"{B_OVERLAY}/24", "dev", "tap0")
    a.host.run("ip", "neigh", "flush", "dev", "tap0")
    a.host.wait_ping(B_OVERLAY, 10)


def test_unknown_unicast_is_flooded_once(mesh):
    a, b, c = mesh
    sockets = {node: PacketSocket(node.host, "tap0") for node in mesh}
    nobody = bytes.fromhex("02aabbccdd01")
    frame = nobody + mac_of(c) + EXPERIMENT + b"is anybody there" + bytes(30)
    sockets[c].send(frame)
    for node in (a, b):
        assert sockets[node].receive_all(lambda f: f == frame, 0.5) == [frame]
    assert not sockets[c].receive_all(lambda f: f == frame, 0.2)


def test_address_behind_a_peer_is_learned_from_its_frames(mesh):
    a, b, c = mesh
    sockets = {node: PacketSocket(node.host, "tap0") for node in mesh}
    behind_b = bytes.fromhex("02aabbccdd02")
    hello = b"\xff" * 6 + behind_b + EXPERIMENT + b"I am behind B" + bytes(33)
    sockets[b].send(hello)
    assert sockets[c].expect(hello) and sockets[a].expect(hello)
    answer = behind_b + mac_of(c) + EXPERIMENT + b"hello, you behind B" + bytes(27)
    sockets[c].send(answer)
    assert sockets[b].expect(answer)
    assert not sockets[a].receive_all(lambda f: f == answer, 0.3)
    fdb = json.loads(c.host.run(labs.program("shadowmesh"), "fdb", "--json", "-run", c.run_dir).stdout)
    assert re.search("02:?aa:?bb:?cc:?dd:?02", json.dumps(fdb)), fdb
    assert "02:aa:bb:cc:dd:02" in c.host.run(labs.program("shadowmesh"), "fdb", "-run", c.run_dir).stdout


def test_vlan_is_part_of_the_address(mesh):
    """One MAC may be behind different peers in different VLANs."""
    a, b, c = mesh
    sockets = {node: PacketSocket(node.host, "tap0") for node in mesh}
    twin = bytes.fromhex("02aabbccdd03")
    for node, vlan in ((a, 10), (b, 20)):
        hello = b"\xff" * 6 + twin + b"\x81\x00\x00" + bytes([vlan]) + EXPERIMENT + b"VLAN %d" % vlan + bytes(40)
        sockets[node].send(hello)
        assert sockets[c].expect(hello)
    for node, vlan, other in ((a, 10, b), (b, 20, a)):
        frame = twin + mac_of(c) + b"\x81\x00\x00" + bytes([vlan]) + EXPERIMENT + b"to VLAN %d" % vlan + bytes(40)
        sockets[c].send(frame)
        assert sockets[node].expect(frame)
        assert not sockets[other].receive_all(lambda f: f == frame, 0.3)


def test_split_horizon_keeps_peers_frames_from_other_peers(star):
    """A passes nothing from B on to C: nodes are no bridges between peers, so that no loop can form."""
    a, b, c = star
    sockets = {node: PacketSocket(node.host, "tap0") for node in star}
    frame = b"\xff" * 6 + mac_of(b) + EXPERIMENT + b"from B" + bytes(40)
    sockets[b].send(frame)
    assert sockets[a].expect(frame)
    assert not sockets[c].receive_all(lambda f: f == frame, 0.5)
    assert b.host.ping(C_OVERLAY, count=2, wait=0.5, check=False).received == 0


def test_a_peer_does_not_get_frames_for_another_by_using_its_address(star):
    """C sends with B's address, three times as often as B does: A's pings go on to B."""
    a, b, c = star
    thief = PacketSocket(c.host, "tap0")
    stream = a.host.ping_stream(B_OVERLAY)
    for more in range(1, 11):
        for _ in range(30):
            thief.send(mac_of(a) + mac_of(b) + EXPERIMENT + b"not B" + bytes(41))
        stream.wait_replies(more * 10, 10)
    assert a.status()["drops"]["pinned"] > 0
    line = a.process.wait_log(r"peer .*%s.*" % ":".join(f"{byte:02x}" for byte in mac_of(b)))
    assert b.id[:10] in line.group(0) and c.id[:10] in line.group(0)


def test_an_address_that_two_peers_use_stays_with_one_and_is_told_of(star):
    a, b, c = star
    station = bytes.fromhex("02c0ffee0001")
    sockets = [PacketSocket(node.host, "tap0") for node in (b, c)]

    def flapping():
        for socket in sockets:
            socket.send(mac_of(a) + station + EXPERIMENT + b"whose am I" + bytes(36))
        return a.status()["drops"].get("flapping")

    labs.wait_for(flapping, 10, "frames that would move the address once more are counted")
    line = a.process.wait_log(r"peer .*02:c0:ff:ee:00:01.*")
    assert b.id[:10] in line.group(0) and c.id[:10] in line.group(0)


def test_one_reader_of_the_tap_whatever_the_number_of_peers(star):
    for node in star:
        workers = node.status()["workers"]
        pid = node.process.pid
        # A descriptor that is closed meanwhile has no link any more.
        queues = [fd for fd in Path(f"/proc/{pid}/fd").iterdir() if os.path.realpath(fd) == "/dev/net/tun"]
        assert len(queues) == workers + 1, f"{node.host.name}: {len(queues)} TAP queues, {workers} workers and one for sparse flows"


def test_all_pairs_at_once_lose_nothing(mesh):
    a, b, c = mesh
    streams = [node.host.ping_stream(other) for node, other in
               ((a, B_OVERLAY), (b, C_OVERLAY), (c, A_OVERLAY), (b, A_OVERLAY))]
    for stream in streams:
        stream.wait_replies(200, 15)
    for stream in streams:
        stream.stop()
        assert stream.lost() == []


def test_peer_that_leaves_is_forgotten_and_the_others_go_on(mesh):
    a, b, c = mesh
    stream = c.host.ping_stream(B_OVERLAY)
    stream.wait_replies(50, 3)
    a.stop()
    stream.wait_replies(200, 5)
    stream.stop()
    assert stream.lost() == []

    assert not a.host.exists("tap0")
    a.start()
    c.host.wait_ping(A_OVERLAY, 5)
    b.host.wait_ping(A_OVERLAY, 5)


def test_host_bridged_behind_a_node_is_reached(lab):
    """A node's TAP in a bridge: whole sites are joined, not only hosts.

        printer ──── br0 on site-b (its TAP lab0 is a port) ──── site-a
    """
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    printer = lab.host("printer")
    lab.link(printer, "eth0", b_host, "lan")
    printer.ip("addr", "add", "10.10.10.50/24", "dev", "eth0")
    b_host.add_tap("lab0")
    b_host.ip("link", "add", "br0", "type", "bridge")
    for device in ("lab0", "lan"):
        b_host.ip("link", "set", device, "master", "br0")
    b_host.ip("link", "set", "br0", "up")
    b_host.node("-backbone", backbone.url, "-tap", "lab0", "-connect", a.id)
    printer.wait_ping(A_OVERLAY, 8)
    a_host.ping("10.10.10.50", count=5)
    assert printer.throughput(a_host, A_OVERLAY) > 50e6


def bridge(host, device, name, priority):
    """The device in a bridge that speaks spanning tree."""
    host.ip("link", "add", name, "type", "bridge", "stp_state", "1", "hello_time", "100", "priority", str(priority))
    host.ip("link", "set", device, "master", name)
    host.ip("link", "set", name, "up")


def bridged_pair(lab, *flags):
    """Each site's TAP is a port of a bridge; site B's bridge would be the better root.

        br-a ── lab0 ══ tunnel ══ lab0 ── br-b (priority 0)
    """
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    for host in (a_host, b_host):
        host.add_tap("lab0")
    bridge(a_host, "lab0", "br-a", 32768)
    bridge(b_host, "lab0", "br-b", 0)
    a = a_host.node("-backbone", backbone.url, "-tap", "lab0", "-public", *flags)
    b = b_host.node("-backbone", backbone.url, "-tap", "lab0", "-connect", a.id, *flags)
    labs.wait_for(lambda: [p["state"] for p in a.status()["peers"]] == ["connected"], 8, "the two sites are connected")
    return a, b


def is_root(node, bridge):
    """Whether no port of the bridge leads to a better one."""
    link = node.host.run("ip", "-d", "-j", "link", "show", bridge, echo=False).stdout
    return json.loads(link)[0]["linkinfo"]["info_data"]["root_port"] == 0


def test_peer_does_not_become_root_of_a_bridged_lan(lab):
    a, b = bridged_pair(lab)
    spanning_tree, lldp = bytes.fromhex("0180c2000000"), bytes.fromhex("0180c200000e")
    sockets = {node: PacketSocket(node.host, "lab0") for node in (a, b)}
    frame = lldp + b"\x02\0\0\0\0\x07" + b"\x88\xcc" + bytes(46)

    def enough():
        sockets[b].send(frame)
        return b.status()["drops"].get("bpdu", 0) >= 3 or not is_root(a, "br-a")

    labs.wait_for(enough, 10, "B's bridge has spoken", every=0.2)
    assert is_root(a, "br-a")
    came = sockets[a].receive_all(lambda f: f[:6] in (spanning_tree, lldp), 0.3)
    assert came and all(f[:6] == lldp for f in came)


def test_bridges_form_one_tree_where_both_nodes_let_them(lab):
    a, b = bridged_pair(lab, "-bpdu", "pass")
    labs.wait_for(lambda: is_root(b, "br-b") and not is_root(a, "br-a"), 10, "B's bridge is the root")
