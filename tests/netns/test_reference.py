# SPDX-License-Identifier: Apache-2.0
"""The reference scenario, as README has it.

    site-a 198.51.100.2 ────┐            ┌──── site-b 198.51.101.2
    tap0 10.10.10.4/24       ├── inet ────┤     tap0 10.10.10.3/24
    -public                  │            │     -connect <id of A>
                             └─── server ─┘
                                  203.0.113.2, shadowmesh-backbone
"""

import json
import os
import re
import signal

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY, PATIENCE
from wires import Datagram, PacketSocket

FAST = labs.SANITIZED == "none"
RESIDENT_MB = 12  # after a load and what the start needed; 9 as a rule (docs/BENCHMARKS.md)


def test_ping_loses_nothing_and_arp_resolves_on_both_sides(lab, figure):
    a, b, _, _ = labs.reference_pair(lab)
    ping = b.host.ping(A_OVERLAY, count=10, interval=1)
    assert ping.lost == 0 and ping.duplicates == 0
    assert ping.average_ms < 10 * PATIENCE
    figure(f"ping -c 10 {A_OVERLAY}: {ping}")
    a.host.ping(B_OVERLAY, count=5)
    for host, other, far in ((a.host, B_OVERLAY, b.host), (b.host, A_OVERLAY, a.host)):
        neighbour = host.run("ip", "neigh", "show", other, "dev", "tap0").stdout
        assert far.mac("tap0") in neighbour, neighbour


@pytest.mark.alone
def test_tcp_and_udp_pass_both_ways(lab, figure):
    a, b, _, _ = labs.reference_pair(lab)
    rates = []
    for reverse in (False, True):
        tcp = b.host.iperf(a.host, A_OVERLAY, seconds=2, reverse=reverse)["end"]["sum_received"]["bits_per_second"]
        assert tcp > (100e6 if FAST else 1e6)
        assert b.host.udp_loss(a.host, A_OVERLAY, reverse=reverse, rate="50M" if FAST else "2M") < 1
        rates.append(f"{tcp / 1e6:.0f}")
    if FAST:
        labs.wait_for(lambda: max(labs.resident_mb(node.process) for node in (a, b)) < RESIDENT_MB, 20, f"less than {RESIDENT_MB} MB resident")
    figure(f"TCP, one stream, B to A and A to B: {' and '.join(rates)} Mbit/s; resident {labs.resident_mb(b.process):.1f} MB")


def test_wire_shows_nothing_of_what_is_said(lab):
    a, b, _, inet = labs.reference_pair(lab)
    secret = b"the plaintext that nobody on the way may read"
    # The same capture does see it where it goes in clear, so that its absence means something.
    capture = inet.capture("site-a")
    a_in, b_out = (host.socket(2, 2) for host in (a.host, b.host))
    a_in.settimeout(2 * PATIENCE)
    a_in.bind(("0.0.0.0", 7000))
    b_out.sendto(b"control: " + secret, (a.host.address, 7000))
    assert a_in.recv(200) == b"control: " + secret
    for _ in range(20):
        b_out.sendto(secret, (A_OVERLAY, 7000))
        data, sender = a_in.recvfrom(200)
        assert data == secret and sender[0] == B_OVERLAY
        a_in.sendto(secret, sender)
        assert b_out.recv(200) == secret
    b.host.ping(A_OVERLAY, "-p", secret[:16].hex(), count=5)
    frames = capture.stop()
    a_in.close()
    b_out.close()
    in_clear = [frame for frame in frames if secret in frame or secret[:16] in frame]
    assert len(in_clear) == 1 and b"control: " + secret in in_clear[0]
    tunnel = [d for d in map(Datagram.parse, frames) if d and 9443 in d.ports]
    assert len(tunnel) >= 40
    # Neither do the overlay's addresses nor the devices' MACs show.
    macs = [bytes.fromhex(host.mac("tap0").replace(":", "")) for host in (a.host, b.host)]
    for datagram in tunnel:
        assert not any(mac in datagram.payload for mac in macs)
        assert bytes([10, 10, 10, 4, 10, 10, 10, 3]) not in datagram.payload


def test_control_channel_is_post_quantum_tls_without_names(lab):
    """Without a backbone, whose uplinks may be faster than the peer's own port."""
    a_host, b_host, _, inet = lab.internet()
    a = a_host.node("-tap-ip", A_OVERLAY, "-public", "-name", "the-secret-name-of-a")
    capture = inet.capture("site-a", "tcp port 8443")
    b = b_host.node("-tap-ip", B_OVERLAY, "-connect", f"{a.id}@{a_host.address}", "-name", "the-secret-name-of-b")
    b_host.wait_ping(A_OVERLAY, 5)
    stream = b"".join(frame[66:] for frame in capture.stop())
    assert b"secret-name" not in stream
    assert bytes([0x11, 0xed]) in stream, "SecP384r1MLKEM1024 in the ClientHello's groups"
    suite = b.peer(a)["suite"]
    assert re.search("SecP384r1MLKEM1024", suite) and re.search("(?i)ml-?dsa-?87", suite), suite


def test_status_is_what_scripts_rely_on(lab):
    a, b, _, _ = labs.reference_pair(lab, a_flags=["-name", "alpha"], b_flags=["-name", "beta"])
    b.host.ping(A_OVERLAY, count=20)
    status = b.status()
    assert (status["id"], status["name"], status["device"], status["mtu"]) == (b.id, "beta", "tap0", 1500)
    assert status["addresses"] == [f"{B_OVERLAY}/24"]
    assert status["workers"] >= 1 and status["aead"]
    assert isinstance(status["drops"], dict) and all(isinstance(n, int) for n in status["drops"].values())
    [peer] = status["peers"]
    assert (peer["id"], peer["name"]) == (a.id, "alpha")
    assert any(A_OVERLAY in address for address in peer["addresses"])
    assert peer["path"]["kind"] == "direct"
    assert peer["path"]["remote"] == f"{a.host.address}:9443"
    assert peer["path"]["mtu"] >= 1200
    assert 0 < peer["rtt_us"] < 1_000_000 and peer["loss"] == 0
    assert peer["rx_bytes"] > 20 * 84 and peer["tx_bytes"] > 20 * 84
    assert peer["handshake_age_s"] >= 0 and peer["suite"] and peer["state"]
    # A person's view of the same.
    table = b.host.run(labs.program("shadowmesh"), "status", "-run", b.run_dir).stdout
    for word in ("beta", "alpha", "direct", f"{a.host.address}:9443"):
        assert word in table, table


def test_peer_id_is_printed_and_matches_the_key(lab):
    host = lab.host("site-a")
    keys = host.dir / "keys"
    first = host.run(labs.program("shadowmesh-l2"), "-keydir", keys, "--generate-keys")
    printed = re.search(r"^Peer ID: ([0-9a-f]{40})$", first.stdout, re.MULTILINE)
    assert printed, first.stdout + first.stderr
    again = host.run(labs.program("shadowmesh-l2"), "--keydir", keys, "-generate-keys")
    assert printed[0] in again.stdout
    assert os.stat(keys / "node.key").st_mode & 0o777 == 0o600
    node = host.node("-tap-ip", A_OVERLAY, keydir=keys)
    assert re.search(printed[0], node.log())


def test_the_first_frames_of_each_direction_are_shown(lab):
    a, b, _, _ = labs.reference_pair(lab)
    b.host.ping(A_OVERLAY, count=20, interval=0.01)
    for node in (a, b):
        hint = r"info +only the first 5 frames of each direction are shown: -v shows more$"
        node.process.wait_log(hint, 3)
        for direction in ("TAP→P2P", "P2P→TAP"):
            frame = rf"info +{direction}: EthernetFrame\[dst=\S+, src=\S+, type=\w{{4}}, len=\d+\]$"
            labs.wait_for(lambda: len(re.findall(frame, node.log(), re.MULTILINE)) == 5, 3, f"five of {direction}")
            assert node.log().count(direction) == 5
        assert node.log().count("-v shows more") == 1


def test_verbose_node_shows_frames_but_not_every_one(lab):
    a, b, _, _ = labs.reference_pair(lab, b_flags=["-v"])
    b.host.ping(A_OVERLAY, count=3)
    for direction, source, target in (("TAP→P2P", b, a), ("P2P→TAP", a, b)):
        b.process.wait_log(rf"{direction}: EthernetFrame\[dst={target.host.mac('tap0')}, src={source.host.mac('tap0')}, "
                           r"type=0800, len=98\]", 3)
    before = len(b.log().splitlines())
    b.host.ping(A_OVERLAY, count=1000, interval=0.002)
    assert len(b.log().splitlines()) - before < 1000  # of 2,000 frames: so many a second, however long it takes


def test_profiling_node_tells_percentiles(lab):
    a, b, _, _ = labs.reference_pair(lab, b_flags=["-profile"])
    stream = b.host.ping_stream(A_OVERLAY)
    for part in ("UDP-SEND", "UDP-RECV", "TAP-UDP"):
        b.process.wait_log(rf"\[PROFILE-{part}\].*p99", 15)
    stream.wait_replies(1, 10)
    stream.stop()


def test_exit_undoes_everything(lab):
    a_host, b_host, server, _ = lab.internet()
    states = [host.network_state() for host in (a_host, b_host)]
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a)
    b_host.wait_ping(A_OVERLAY, 5)
    b_host.iperf(a_host, A_OVERLAY, seconds=1)
    assert b.stop(signal.SIGTERM) == 0, b.log()
    assert a.stop(signal.SIGINT) == 0, a.log()
    assert backbone.stop() == 0, backbone.process.log()
    assert [host.network_state() for host in (a_host, b_host)] == states
    assert not list(a.run_dir.glob("*.sock")) and not list(b.run_dir.glob("*.sock"))


def test_goodbye_is_noticed_at_once(lab):
    a, b, _, _ = labs.reference_pair(lab)
    before = b.peer(a)
    a.stop()
    labs.wait_for(lambda: b.peer(a).get("state") != before["state"], 3, "B's status tells that A has gone")


@pytest.mark.skipif(not FAST, reason="a matter of the plain build")
def test_two_nodes_of_one_machine_show_in_one_status(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone, start=False)
    a.run_dir = lab.dir / "run"
    a.start()
    b = labs.sender(b_host, backbone, a, start=False)
    b.run_dir = lab.dir / "run"
    assert b.id  # now: with A's answer in the same folder, start() does not wait for B
    b.start()
    labs.wait_for(lambda: len(list(b.run_dir.glob("*.ro.sock"))) == 2, 5, "both nodes' API")
    result = a_host.run(labs.program("shadowmesh"), "status", "--json", "-run", lab.dir / "run")
    assert {node["id"] for node in json.loads(result.stdout)} == {a.id, b.id}
    second = a_host.run(*a.command(), check=False)
    assert second.returncode != 0 and len(second.stderr.strip().splitlines()) >= 1


def test_frames_do_not_leave_before_a_peer_is_authenticated(lab):
    a_host, b_host, server, inet = lab.internet()
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone, start=False)
    watch = PacketSocket(inet, "site-b")
    labs.sender(b_host, backbone, a)
    b_host.ping(A_OVERLAY, count=3, check=False)
    sent = watch.receive_all(lambda frame: (d := Datagram.parse(frame)) is not None and d.payload[:1] == b"\x20", 0.5)
    assert not sent
