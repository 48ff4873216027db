# SPDX-License-Identifier: Apache-2.0
"""Nodes of one local network find each other without any backbone and without an address.

    site-a 192.0.2.10 ─┐
    site-b 192.0.2.11 ─┼─ br0 on the switch
    site-c 192.0.2.12 ─┘  a stranger
"""

import socket
import struct
import threading
import time

import pytest

import lab as labs
from lab import A_OVERLAY, B_OVERLAY

PORT = 9444
GROUP = "239.255.83.77"


@pytest.fixture
def machines(lab):
    switch = lab.host("switch")
    switch.ip("link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
    switch.ip("link", "set", "br0", "up")
    hosts = []
    for number, name in enumerate(("site-a", "site-b", "site-c")):
        host = lab.host(name)
        lab.link(host, "eth0", switch, name)
        switch.ip("link", "set", name, "master", "br0")
        host.address = f"192.0.2.{10 + number}"
        host.ip("addr", "add", f"{host.address}/24", "dev", "eth0")
        hosts.append(host)
    return hosts


@pytest.fixture
def machines6(machines):
    """Link-local addresses alone."""
    for host in machines:
        host.ip("addr", "del", f"{host.address}/24", "dev", "eth0")
        host.wait_addresses_settled()
    return machines


def pair(a_host, b_host, a_flags=(), b_flags=("-lan",)):
    """A dials b by its id alone, b admits a; neither runs."""
    a = a_host.node("-tap-ip", A_OVERLAY, *a_flags, label="a", start=False)
    b = b_host.node("-tap-ip", B_OVERLAY, "-allow", a.id, *b_flags, label="b", start=False)
    a.flags += ["-connect", b.id]
    return a, b


class Listener:
    """What anybody hears of the group."""

    def __init__(self, host):
        self.heard = []
        self.socket = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((GROUP, PORT))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                               socket.inet_aton(GROUP) + socket.inet_aton(host.address))
        self.socket.settimeout(0.1)
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        while not self.ends.is_set():
            try:
                self.heard.append(self.socket.recvfrom(2048))
            except TimeoutError:
                pass

    def stop(self):
        self.ends.set()
        self.thread.join()
        self.socket.close()
        return self.heard


class Flood:
    """What stranger says to the group, as fast as it can, until it is stopped: each of the messages in turn."""

    def __init__(self, host, messages):
        self.socket = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(host.address))
        self.messages, self.sent = messages, 0
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._flood, daemon=True)
        self.thread.start()

    def _flood(self):
        while not self.ends.is_set():
            for _ in range(20):
                self.socket.sendto(self.messages[self.sent % len(self.messages)], (GROUP, PORT))
                self.sent += 1
            time.sleep(0.005)

    def stop(self):
        self.ends.set()
        self.thread.join()
        self.socket.close()


@pytest.mark.parametrize("first", ["a", "b"])
def test_neighbours_find_each_other_by_their_ids_alone(machines, first, figure):
    a_host, b_host, _ = machines
    nodes = pair(a_host, b_host)
    for node in nodes if first == "a" else reversed(nodes):
        node.start()
    seconds = a_host.wait_ping(B_OVERLAY, 5)
    figure(f"no backbone, no address: neighbours find each other after {seconds:.1f} s, {first} started first")
    assert nodes[0].peer(nodes[1])["path"]["remote"].startswith(b_host.address)


def test_both_dial_without_any_option(machines):
    a_host, b_host, _ = machines
    a, b = pair(a_host, b_host, b_flags=())
    b.flags += ["-connect", a.id]
    a.start()
    b.start()
    a_host.wait_ping(B_OVERLAY, 5)


def test_peer_that_is_named_to_a_running_node_is_found(machines):
    a_host, b_host, _ = machines
    a, b = pair(a_host, b_host)
    a.flags = a.flags[:-2]  # whom it connects to it is told by a person
    b.start()
    a.start()
    told = a_host.run(labs.program("shadowmesh"), "connect", b.id, "-run", a.run_dir).stdout
    assert "it is found on the local network alone, or where a peer knows it to be" in told
    a_host.wait_ping(B_OVERLAY, 5)


def test_link_local_addresses_suffice(machines6):
    a_host, b_host, _ = machines6
    a, b = pair(a_host, b_host)
    b.start()
    a.start()
    a_host.wait_ping(B_OVERLAY, 5)
    assert a.peer(b)["path"]["remote"].startswith("[fe80::")


def test_node_that_only_admits_says_nothing(machines):
    a_host, b_host, c_host = machines
    a, b = pair(a_host, b_host, b_flags=())
    listener = Listener(c_host)
    b.start()
    a.start()
    labs.wait_for(lambda: len([1 for _, (at, _) in listener.heard if at == a_host.address]) >= 3, 10, "the beacons of a")
    heard = listener.stop()
    assert {at for _, (at, _) in heard} == {a_host.address}
    assert a.peer(b)["state"] != "connected"


def test_lan_false_is_silent(machines):
    a_host, b_host, c_host = machines
    a, b = pair(a_host, b_host, a_flags=("-lan=false",))
    listener = Listener(c_host)
    a.start()
    b.start()
    labs.wait_for(lambda: len(listener.heard) >= 3, 10, "the beacons of b")
    assert {at for _, (at, _) in listener.stop()} == {b_host.address}


def test_stranger_reads_no_id_and_its_floods_keep_nobody_apart(machines, figure):
    """Beacons of its own making, recorded ones, and noise."""
    a_host, b_host, c_host = machines
    a, b = pair(a_host, b_host)
    listener = Listener(c_host)
    a.start()
    labs.wait_for(lambda: len(listener.heard) >= 3, 10, "three beacons")
    recorded = [data for data, _ in listener.stop()]
    assert all(len(data) == 40 for data in recorded)
    for node in (a, b):
        whole = bytes.fromhex(node.id)
        for start in range(len(whole) - 3):
            assert not [data for data in recorded if whole[start:start + 4] in data]
    forged = [data[:8] + struct.pack(">Q", time.time_ns() // 1000 + number) + data[16:] for number, data in enumerate(recorded)]
    flood = Flood(c_host, [*recorded, *forged, b"SMLN" + bytes(36), b"", bytes(1400)])
    b.start()
    seconds = a_host.wait_ping(B_OVERLAY, 10)
    before = labs.cpu_s(b.process.pid)
    begun = time.monotonic()
    sent = flood.sent
    a_host.ping(B_OVERLAY, count=50)
    share = (labs.cpu_s(b.process.pid) - before) / (time.monotonic() - begun)
    rate = (flood.sent - sent) / (time.monotonic() - begun)
    flood.stop()
    figure(f"{rate:.0f} beacons of a stranger a second: found after {seconds:.1f} s, {100 * share:.0f} % of a CPU")
    assert b.drops()["beacon"] > 100
    assert a.peer(b)["state"] == "connected"


def test_neighbour_that_is_plugged_in_later_is_found_at_once(machines):
    a_host, b_host, _ = machines
    a, b = pair(a_host, b_host)
    b_host.ip("link", "set", "eth0", "down")
    a.start()
    b.start()
    a.process.wait_log("no address of it is known", 20)
    b_host.ip("link", "set", "eth0", "up")
    a_host.wait_ping(B_OVERLAY, 5)
