# SPDX-License-Identifier: Apache-2.0
"""A virtual machine moves from one site to the other and keeps its MAC and IP address.

        near                                       far
         │                                          │
    br0 on site-a ── lab0 ══ tunnel ══ lab0 ── br0 on site-b
         │                                          ┆
        vm ─────────────── moves ────────────────> vm
"""

import json
import socket

import lab as labs
import pytest
from lab import wait_for
from wires import PacketSocket

VM, NEAR, FAR = "10.10.10.9", "10.10.10.50", "10.10.10.60"
VM_MAC = "02:00:5e:00:00:09"
BROADCAST = b"\xff" * 6
EXPERIMENT = b"\x88\xb5"
ARP = b"\x08\x06"


def raw(mac):
    return bytes.fromhex(mac.replace(":", ""))


def plug(lab, machine, site):
    """A wire from the machine's eth0 into the site's bridge."""
    lab.link(machine, "eth0", site, machine.name)
    site.ip("link", "set", machine.name, "master", "br0")


def machine(lab, name, site, address):
    host = lab.host(name)
    plug(lab, host, site)
    host.ip("addr", "add", f"{address}/24", "dev", "eth0")
    return host


class Guest:
    """The virtual machine: says nothing of its own accord, so that a test knows its every frame."""

    def __init__(self, lab, site, address=None):
        self.lab, self.address = lab, address
        self.host = lab.host("vm")
        self.host.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        self.arrive(site)

    def arrive(self, site):
        self.site = site
        plug(self.lab, self.host, site)
        self.host.ip("link", "set", "eth0", "address", VM_MAC)
        if self.address:
            self.host.ip("addr", "add", f"{self.address}/24", "dev", "eth0")
        self.socket = PacketSocket(self.host, "eth0")

    def move(self, site):
        self.site.ip("link", "del", self.host.name)
        self.arrive(site)

    def announce(self):
        """One gratuitous ARP, as a hypervisor sends it for a machine that has arrived."""
        address = socket.inet_aton(self.address)
        request = b"\0\x01\x08\0\x06\x04\0\x01" + raw(VM_MAC) + address + bytes(6) + address
        self.socket.send(BROADCAST + raw(VM_MAC) + ARP + request + bytes(18))


@pytest.fixture
def sites(lab):
    """Two bridged sites, connected: (node A, node B)."""
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    for host in (a_host, b_host):
        host.add_tap("lab0")
        host.ip("link", "add", "br0", "type", "bridge")
        host.ip("link", "set", "lab0", "master", "br0")
        host.ip("link", "set", "br0", "up")
    a = a_host.node("-backbone", backbone.url, "-tap", "lab0", "-public")
    b = b_host.node("-backbone", backbone.url, "-tap", "lab0", "-connect", a.id)
    wait_for(lambda: a.peer(b).get("state") == "connected", 8, "the two sites are connected")
    return a, b


def place_of_vm(node):
    """Where the node's switch has the machine: "device", "peer", or None."""
    listed = node.host.run(labs.program("shadowmesh"), "fdb", "--json", "-run", node.run_dir, echo=False).stdout
    return next((entry["port"] for entry in json.loads(listed) if entry["mac"] == VM_MAC), None)


def test_machine_that_moved_is_reached_within_a_second_of_its_announcement(lab, sites):
    a, b = sites
    near, far = machine(lab, "near", a.host, NEAR), machine(lab, "far", b.host, FAR)
    vm = Guest(lab, a.host, VM)
    near.wait_ping(VM, 5)
    far.wait_ping(VM, 5)
    assert (place_of_vm(a), place_of_vm(b)) == ("device", "peer")

    vm.move(b.host)
    vm.announce()
    near.wait_ping(VM, 1)
    far.wait_ping(VM, 1)
    assert (place_of_vm(a), place_of_vm(b)) == ("peer", "device")


def test_machine_that_moves_back_is_reached_within_a_second_of_its_announcement(lab, sites):
    a, b = sites
    near, far = machine(lab, "near", a.host, NEAR), machine(lab, "far", b.host, FAR)
    vm = Guest(lab, a.host, VM)
    near.wait_ping(VM, 5)
    far.wait_ping(VM, 5)
    for site in (b.host, a.host):
        vm.move(site)
        vm.announce()
        near.wait_ping(VM, 1)
        far.wait_ping(VM, 1)


def test_machine_that_moved_without_a_word_is_found(lab, sites):
    """Nothing is heard from it at its new place, where only the bridge is told of it, as hypervisors do: what is sent
    to it from the old place arrives all the same."""
    a, b = sites
    vm = Guest(lab, a.host)
    near_host = machine(lab, "near", a.host, NEAR)
    near = PacketSocket(near_host, "eth0")
    vm.socket.send(BROADCAST + raw(VM_MAC) + EXPERIMENT + b"I am here" + bytes(41))
    wait_for(lambda: (place_of_vm(a), place_of_vm(b)) == ("device", "peer"), 5, "both nodes know the machine")

    vm.move(b.host)
    b.host.run("bridge", "fdb", "replace", VM_MAC, "dev", "vm", "master", "static")
    frame = raw(VM_MAC) + raw(near_host.mac("eth0")) + EXPERIMENT + b"where are you" + bytes(37)

    def arrives():
        near.send(frame)
        return vm.socket.receive_all(lambda f: f == frame, 0.05)

    wait_for(arrives, 2, "a frame to the silent machine arrives")
    assert place_of_vm(a) == "device"
