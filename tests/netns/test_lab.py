# SPDX-License-Identifier: Apache-2.0
"""The labs' own tools, so that a lab which passes has tested something.

    left ───── wire ───── right          10.0.0.1/24, 10.0.0.2/24
"""

import socket
import subprocess
import time

import lab as labs
import pytest
from wires import VNET_LEN, Datagram, PacketSocket, Wire, checksum


@pytest.fixture
def bench(lab):
    left, middle, right = lab.host("left"), lab.host("middle"), lab.host("right")
    lab.link(left, "eth0", middle, "left")
    lab.link(right, "eth0", middle, "right")
    left.ip("addr", "add", "10.0.0.1/24", "dev", "eth0")
    right.ip("addr", "add", "10.0.0.2/24", "dev", "eth0")
    wire = Wire(middle, "left", "right")
    left.wait_ping("10.0.0.2", 2)
    return left, right, wire


def test_wire_that_loses_every_fifth_frame_shows_in_the_ping(bench):
    left, _, wire = bench
    seen = [0]

    def lossy(frame, from_left):
        if from_left and frame[VNET_LEN + 12:VNET_LEN + 14] == b"\x08\x00":
            seen[0] += 1
            return [] if seen[0] % 5 == 0 else [frame]
        return [frame]
    wire.hook = lossy
    ping = left.ping("10.0.0.2", count=20, interval=0.02, check=False)
    assert (ping.sent, ping.lost) == (20, 4)
    wire.hook = lambda frame, from_left: [frame]
    stream = left.ping_stream("10.0.0.2")
    stream.wait_replies(20, 2)
    wire.hook = lambda frame, from_left: []
    blocked_at, start = stream.last(), time.monotonic()
    time.sleep(0.5)
    wire.hook = lambda frame, from_left: [frame]
    blocked = time.monotonic() - start
    stream.wait_sequence(blocked_at + 100, 5)
    stream.stop()
    assert 0.1 < stream.longest_gap() < 1.5 * blocked + 0.5


def test_capture_sees_plaintext_where_there_is_some(bench):
    left, right, _ = bench
    capture = right.capture("eth0")
    left.ping("10.0.0.2", "-p", "534d4c4142", count=3)
    assert any(b"SMLABSMLAB" in frame for frame in capture.stop())


def test_datagram_taken_apart_and_put_together_is_delivered(bench):
    left, right, _ = bench
    packets = PacketSocket(right, "eth0")
    receiver = right.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("10.0.0.2", 5000))
    receiver.settimeout(2)
    sender = left.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.sendto(b"first", ("10.0.0.2", 5000))
    assert receiver.recv(100) == b"first"
    frame = next(f for f in packets.receive_all(lambda f: Datagram.parse(f) is not None, 0.3))
    datagram = Datagram.parse(frame)
    assert datagram.payload == b"first" and checksum(datagram.ip) == 0
    PacketSocket(left, "eth0").send(datagram.frame(b"altered"))
    assert receiver.recv(100) == b"altered"
    sender.close()
    receiver.close()


def test_tap_held_by_another_program_is_busy(lab):
    host = lab.host("left")
    labs.hold_tap(host, "chr001", "10.10.10.4/24")
    second = host.run("/usr/bin/python3", "-c", labs.holder_script(), "chr001", check=False)
    assert second.returncode != 0 and "busy" in second.stderr.lower()


@pytest.mark.alone
def test_iperf_and_state_of_a_plain_wire(lab):
    a, b, *_ = lab.internet()
    before = a.network_state()
    assert a.throughput(b, b.address, seconds=1) > 50e6
    assert a.udp_loss(b, b.address, seconds=1, rate="20M") < 1
    assert a.network_state() == before
    a.ip("addr", "add", "192.0.2.9/32", "dev", "lo")
    assert a.network_state() != before


def test_nat_forgets_its_mappings(lab):
    a, b, _, inet = lab.internet()
    inet.nft("table inet nat { chain out { type nat hook postrouting priority 100; oifname site-b masquerade; }; }")
    a.ping(b.address, count=2)
    count = "/proc/sys/net/netfilter/nf_conntrack_count"
    assert inet.run("cat", count).stdout.strip() != "0"
    labs.flush_conntrack(inet)
    assert inet.run("cat", count).stdout.strip() == "0"


def test_closed_lab_leaves_nothing(lab):
    own = labs.Lab("inner", lab.echo)
    host = own.host("gone")
    process = host.start("sleep", "100")
    host.run("sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &")
    labs.wait_for(lambda: len(host.pids()) == 2, 5, "both run in the namespace")
    own.close()
    assert not process.running and not own.dir.exists()
    assert host.namespace not in subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
