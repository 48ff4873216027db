# SPDX-License-Identifier: Apache-2.0
"""The reference scenario between a machine of another architecture and this one: `make check-arm64`.

    site-a, arm64 in qemu, Linux 6.1 ────┐            ┌──── site-b, this machine
    198.51.100.2, tap0 10.10.10.4/24     ├── inet ────┤     198.51.101.2, tap0 10.10.10.3/24
                                         └─── server ─┘
"""

import hashlib
import os
import random
import socket
import time

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY
from machine import Machine

pytestmark = [pytest.mark.arm64, pytest.mark.alone]
BYTES = int(os.environ.get("SHADOWMESH_ARM64_MB", 200)) * 1_000_000
PIECE = random.Random(16).randbytes(1_000_000)


class Internet:
    """With a machine at site-a."""

    def __init__(self, lab):
        self.inet = lab.router("inet")
        self.b_host, self.server = lab.host("site-b"), lab.host("server")
        lab.attach(self.b_host, self.inet, "198.51.101")
        lab.attach(self.server, self.inet, "203.0.113")
        self.backbone = self.server.backbone()
        self.machine = Machine(lab, "site-a", self.inet, "198.51.100")
        self.before = self.machine.state()

    def receiver(self, *more, **options):
        """labs.receiver's command, typed on the machine."""
        return self.machine.node("-backbone", self.backbone.url, "-ip", self.machine.address, "-port", 9443,
                                 "-tap-ip", A_OVERLAY, "-tap-netmask", 24, "-public", *more, **options)

    def pair(self, a_flags=(), b_flags=(), **options):
        a = self.receiver(*a_flags, **options)
        b = labs.sender(self.b_host, self.backbone, a, *b_flags)
        self.b_host.wait_ping(A_OVERLAY, 30)
        return a, b


@pytest.fixture
def internet(lab):
    return Internet(lab)


def connect(host, address, port, seconds):
    """A TCP connection from the host, as soon as somebody listens there."""
    def connected():
        s = host.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.settimeout(seconds)
        if s.connect_ex((address, port)) == 0:
            return s
        s.close()
        return None
    return labs.wait_for(connected, 30, f"who listens at {address}:{port}", every=0.5)


def send_there(internet):
    """(SHA-256 of what was sent, SHA-256 of what the machine has, bytes a second)"""
    digest, sent = hashlib.sha256(), 0
    internet.machine.tell("nc -l -p 7000 >/file; sha256sum </file")
    with connect(internet.b_host, A_OVERLAY, 7000, 300) as s:
        start = time.monotonic()
        while sent < BYTES:
            s.sendall(PIECE)
            digest.update(PIECE)
            sent += len(PIECE)
        s.shutdown(socket.SHUT_WR)
        s.recv(1)  # the other end closes when it has all
        took = time.monotonic() - start
    return digest.hexdigest(), internet.machine.answer(300)[1].split()[0], sent / took


def send_back(internet):
    """SHA-256 of the machine's file as it comes here, and bytes a second"""
    digest, received = hashlib.sha256(), 0
    with internet.b_host.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((B_OVERLAY, 7001))
        listener.listen()
        listener.settimeout(60)
        internet.machine.tell(f"nc {B_OVERLAY} 7001 </file")
        s, _ = listener.accept()
        start = time.monotonic()
        s.settimeout(300)
        while piece := s.recv(1 << 20):
            digest.update(piece)
            received += len(piece)
        took = time.monotonic() - start
        s.close()
    internet.machine.answer(60)
    assert received == BYTES
    return digest.hexdigest(), received / took


def test_an_arm64_node_and_this_machines_exchange_everything(internet, figure):
    often = ("-test-ratchet-seconds", 4, "-test-rehandshake-seconds", 15)
    a, b = internet.pair(a_flags=often, b_flags=often)
    internet.b_host.ping(A_OVERLAY, count=50)
    assert internet.machine.ping(B_OVERLAY, 20) == 20
    status = a.status()
    assert status["offloads"] == ["csum", "tso"] and "uso" in b.status()["offloads"]
    assert "offloads csum tso, " in internet.machine.run("shadowmesh status -run /run")
    assert (status["aead"], status["aead_reason"]) == ("AES-256-GCM", "this CPU has AES instructions")
    assert status["sandbox"]["seccomp"] and status["sandbox"]["landlock"] >= 1
    labs.wait_for(lambda: a.peer(b)["path"]["kind"] == b.peer(a)["path"]["kind"] == "direct", 60, "a straight path",
                  every=0.5)
    before = b.peer(a)
    sent, there, forth = send_there(internet)
    back_again, back = send_back(internet)
    assert sent == there == back_again
    figure(f"TCP to an emulated arm64 and back, {BYTES // 1_000_000} MB: {forth / 1e6:.1f} and {back / 1e6:.1f} MB/s")
    for keys in ("ratchets", "handshakes"):
        labs.wait_for(lambda: b.peer(a)[keys] > before[keys], 60, f"{keys} of this session", every=0.5)
    assert a.peer(b)["ratchets"] > 0
    internet.b_host.ping(A_OVERLAY, count=20)
    assert b.stop() == 0
    assert a.stop() == 0, a.log()
    assert internet.machine.state() == internet.before


def test_a_cpu_without_aes_takes_chacha20_unless_a_side_must_have_aes(internet):
    a, b = internet.pair(environment="OPENSSL_armcap=0")
    internet.b_host.ping(A_OVERLAY, count=5)
    assert (a.status()["aead"], a.status()["aead_reason"]) == ("ChaCha20-Poly1305", "this CPU has no AES instructions")
    assert b.status()["aead"] == "AES-256-GCM"
    assert all("ChaCha20-Poly1305" in peer["suite"] for peer in (a.peer(b), b.peer(a)))
    b.stop()
    b = labs.sender(internet.b_host, internet.backbone, a, "-aead", "aes")
    internet.b_host.wait_ping(A_OVERLAY, 30)
    assert all("AES-256-GCM" in peer["suite"] for peer in (a.peer(b), b.peer(a)))
    b.stop()
    a.stop()


def test_two_policies_without_a_common_aead_are_one_line_at_each_end(internet):
    a = internet.receiver("-aead", "chacha20")
    b = labs.sender(internet.b_host, internet.backbone, a, "-aead", "aes")
    labs.wait_for(lambda: "no common AEAD" in b.peer(a).get("error", "") and "no common AEAD" in a.log(), 60,
                  "both say why they have no session", every=0.5)
    assert not internet.b_host.answers(A_OVERLAY)
    assert b.log().count("no common AEAD") == a.log().count("no common AEAD") == 1


def test_an_arm64_machine_gets_its_address_by_dhcp(internet):
    internet.machine.run("tunctl -t lab0 && ip link set lab0 up")
    b = internet.b_host.node("-backbone", internet.backbone.url, "-tap-ip", B_OVERLAY, "-public")
    internet.b_host.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=tap0",
                          "--bind-interfaces", "--dhcp-authoritative", "--no-ping", "--user=root", "--log-facility=-",
                          "--dhcp-range=10.10.10.100,10.10.10.110,255.255.255.0,10m",
                          f"--dhcp-leasefile={internet.b_host.dir}/leases", name="dnsmasq")
    internet.machine.node("-backbone", internet.backbone.url, "-tap", "lab0", "-connect", b.id)
    script = '#!/bin/sh\\n[ "$1" = bound ] && ip addr add "$ip/$mask" dev "$interface"\\nexit 0\\n'
    internet.machine.run(f"printf '{script}' >/bound; chmod 755 /bound; udhcpc -n -q -i lab0 -s /bound -t 30 -T 1",
                         seconds=120)
    assert "inet 10.10.10.1" in internet.machine.run("ip addr show dev lab0")
    assert internet.machine.ping(B_OVERLAY, 5) == 5
