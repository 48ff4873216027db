# SPDX-License-Identifier: Apache-2.0
"""Somebody on the way, who sees all datagrams and sends what he likes, under the peer's address.

    site-a ──── inet ──── site-b          the attacker is inet: he captures what goes to B and replays it there,
                                          whole, altered and cut

    site-a ──── wire ──── site-b          the attacker is the wire itself: he holds back and changes what passes
"""

import random
import socket
import struct

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY
from wires import VNET_LEN, Datagram, PacketSocket, Wire, is_data


class Attacker:
    """At inet, on the last link to B."""

    def __init__(self, inet, a, b):
        self.a, self.b = a, b
        self.inet = inet
        self.out = PacketSocket(inet, "site-b")

    def captured(self, count=20):
        """DATA datagrams from A to B that B has taken already, straight; the first ones may have come by the relay."""
        capture = self.inet.capture("site-b", "udp and src port 9443 and dst port 9443")
        self.b.host.ping(A_OVERLAY, count=count + 5)
        datagrams = [d for d in map(Datagram.parse, capture.stop()) if d and is_data(d.payload) and d.source[0] == self.a.host.address]
        assert len(datagrams) >= count
        return datagrams

    def send(self, datagram, payload=None):
        self.out.send(datagram.frame(payload))

    def dropped(self, reason, at_least, action):
        """Runs action, waits until B has counted that many more drops for the reason, and proves that the session lives."""
        before = self.b.drops()
        action()
        labs.wait_for(lambda: self.b.drops().get(reason, 0) - before.get(reason, 0) >= at_least, 5,
                      f"{at_least} drops counted as {reason}; before {before}, now {self.b.drops()}")
        self.b.host.ping(A_OVERLAY, count=5)
        others = {name: count - before.get(name, 0) for name, count in self.b.drops().items()
                  if name != reason and count > before.get(name, 0)}
        return others


@pytest.fixture
def attacker(lab):
    a, b, _, inet = labs.reference_pair(lab)
    return Attacker(inet, a, b)


def test_replayed_datagrams_are_dropped_and_counted(attacker):
    old = attacker.captured()
    packets = PacketSocket(attacker.b.host, "tap0")

    def replay():
        for datagram in old:
            attacker.send(datagram)
    others = attacker.dropped("replay", len(old), replay)
    assert not others, others
    # None of the old echo replies reached the device again: only those of the five pings above did.
    replies = packets.receive_all(lambda f: f[12:14] == b"\x08\x00" and f[23] == 1 and f[34] == 0, 0.3)
    assert len(replies) == 5


def test_replay_of_a_capture_in_another_order_is_dropped(attacker):
    old = attacker.captured(40)
    random.Random(7).shuffle(old)
    attacker.dropped("replay", 2 * len(old), lambda: [attacker.send(datagram) for datagram in old + old])


def fresh(payload, ahead=1000):
    """The datagram under a counter that has not been seen, so that only its tag speaks against it."""
    return payload[:8] + struct.pack("!Q", struct.unpack("!Q", payload[8:16])[0] + ahead) + payload[16:]


def flip(payload, at):
    at %= len(payload)
    return payload[:at] + bytes([payload[at] ^ 0x40]) + payload[at + 1:]


@pytest.mark.parametrize("reason,change", [
    ("auth", fresh),
    ("auth", lambda p: flip(fresh(p), 20)),
    ("auth", lambda p: flip(fresh(p), -1)),
    ("auth", lambda p: fresh(p, 1 << 27)),
    ("auth", lambda p: fresh(p)[:-1]),
    ("auth", lambda p: fresh(p) + b"\x00"),
    ("replay", lambda p: flip(p, 20)),
    ("replay", lambda p: p[:-1]),
    ("key_spent", lambda p: fresh(p, 1 << 40)),
    ("reserved", lambda p: p[:2] + b"\x00\x01" + p[4:]),
    ("lane", lambda p: p[:1] + b"\x10" + p[2:]),
    ("unknown_receiver", lambda p: p[:4] + bytes(byte ^ 0xff for byte in p[4:8]) + p[8:]),
    ("type", lambda p: b"\x2f" + p[1:]),
    ("short", lambda p: p[:30]),
    ("short", lambda p: p[:1]),
], ids=["counter", "ciphertext", "tag", "counter far ahead", "cut by one byte", "longer by one byte", "old, and altered",
        "old, and cut by one byte", "counter past the key's end", "reserved bit", "unknown lane", "unknown receiver",
        "unknown type", "cut inside", "cut to one byte"])
def test_altered_and_cut_datagrams_are_dropped_and_counted_by_reason(attacker, reason, change):
    old = attacker.captured()
    others = attacker.dropped(reason, len(old), lambda: [attacker.send(datagram, change(datagram.payload)) for datagram in old])
    assert not others, others


def test_noise_and_empty_datagrams_change_nothing(attacker):
    noise = random.Random(11)
    template = attacker.captured(5)[0]
    before = sum(attacker.b.drops().values())
    log_before = len(attacker.b.log())
    for _ in range(3000):
        attacker.send(template, noise.randbytes(noise.choice([0, 1, 15, 16, 44, 60, 200, 1400])))
    labs.wait_for(lambda: sum(attacker.b.drops().values()) - before > 1500, 5, "noise is counted")
    attacker.b.host.ping(A_OVERLAY, count=10)
    assert len(attacker.b.log()) - log_before < 20_000, "noise does not flood the log"


def test_datagrams_from_a_strangers_address_do_not_move_the_path(attacker):
    """A copy of a genuine datagram from elsewhere proves nothing: data keeps flowing to the proven address."""
    old = attacker.captured()
    for datagram in old:
        ip = bytearray(datagram.ip)
        ip[12:16] = bytes([203, 0, 113, 2])
        attacker.send(Datagram(datagram.ethernet, bytes(ip), datagram.ports, datagram.payload))
    attacker.b.host.ping(A_OVERLAY, count=10)
    assert attacker.b.peer(attacker.a)["path"]["remote"] == f"{attacker.a.host.address}:9443"


def test_reflected_datagrams_are_not_taken_for_the_peers(attacker):
    """What B itself sent comes back to it."""
    capture = attacker.inet.capture("site-b", "udp and src port 9443 and dst port 9443")
    attacker.b.host.ping(A_OVERLAY, count=10)
    own = [d for d in map(Datagram.parse, capture.stop()) if d and is_data(d.payload) and d.source[0] == attacker.b.host.address]
    template = attacker.captured(2)[0]
    before = attacker.b.drops()
    for datagram in own:
        attacker.send(template, datagram.payload)
    labs.wait_for(lambda: sum(attacker.b.drops().values()) - sum(before.values()) >= len(own), 5, "reflections are dropped")
    attacker.b.host.ping(A_OVERLAY, count=5)


@pytest.fixture
def tapped(lab):
    """A and B on one wire that the test commands; no backbone."""
    a_host, middle, b_host = lab.host("site-a"), lab.host("wire"), lab.host("site-b")
    lab.link(a_host, "eth0", middle, "left")
    lab.link(b_host, "eth0", middle, "right")
    for host, address in ((a_host, "192.0.2.1"), (b_host, "192.0.2.2")):
        host.ip("addr", "add", f"{address}/24", "dev", "eth0")
        host.address = address
    wire = Wire(middle, "left", "right")
    a = a_host.node("-tap-ip", A_OVERLAY, "-tap-netmask", 24, "-public")
    b = b_host.node("-tap-ip", B_OVERLAY, "-tap-netmask", 24, "-connect", f"{a.id}@{a_host.address}")
    b_host.wait_ping(A_OVERLAY, 5)
    return a, b, wire


def stun_answer(address, port, transaction=bytes(12)):
    cookie = struct.pack("!I", 0x2112a442)
    mapped = bytes(a ^ b for a, b in zip(socket.inet_aton(address), cookie))
    return struct.pack("!HH", 0x0101, 12) + cookie + transaction + struct.pack("!HHBBH", 0x20, 8, 0, 1, port ^ 0x2112) + mapped


def test_stun_answers_that_nobody_asked_for_are_dropped(tapped):
    """A node without a backbone asks nobody: one forged packet would make every peer probe and dial a victim."""
    a, b, _ = tapped
    before = b.drops().get("type", 0)
    with a.host.socket(socket.AF_INET, socket.SOCK_DGRAM) as forger:
        for _ in range(10):
            forger.sendto(stun_answer("203.0.113.99", 4444), (b.host.address, 9443))
    labs.wait_for(lambda: b.drops().get("type", 0) - before >= 10, 5, "forged answers are dropped")
    assert not b.status()["reflexive"]
    assert not [path for path in a.peer(b)["paths"] if "203.0.113.99" in path["remote"]]
    a.host.ping(B_OVERLAY, count=5)


def sealed(frame):
    datagram = Datagram.parse(frame[VNET_LEN:])
    return datagram if datagram and is_data(datagram.payload) else None


def datagrams_in(frame):
    """So many are in a frame with its offload header: what a node sends at once stays together on this wire."""
    segment = struct.unpack_from("<H", frame, 4)[0]
    payload = len(Datagram.parse(frame[VNET_LEN:]).payload)
    return -(-payload // segment) if segment else 1


def test_reordered_datagrams_all_arrive(tapped):
    a, b, wire = tapped
    before = [node.drops() for node in (a, b)]
    held = {True: [], False: []}

    def shuffle(frame, from_left):
        waiting = held[from_left]
        if not sealed(frame):
            return [frame]
        waiting.append(frame)
        if len(waiting) < 8:
            return []
        passed = waiting[::-1]
        waiting.clear()
        return passed
    wire.hook = shuffle
    stream = b.host.ping_stream(A_OVERLAY, "-W", "5")
    stream.wait_replies(400, 15)
    wire.hook = lambda frame, from_left: [frame]
    stream.stop()
    order = [seq for _, seq, _ in stream.replies()]
    assert order != sorted(order), "the wire did reorder"
    assert len(stream.lost()) <= 16, stream.lost()
    for node, was in zip((a, b), before):
        now = node.drops()
        assert not any(now.get(reason, 0) > was.get(reason, 0) for reason in ("replay", "old", "auth")), now


def test_duplicated_datagrams_are_delivered_once(tapped):
    a, b, wire = tapped
    wire.hook = lambda frame, from_left: [frame, frame] if sealed(frame) else [frame]
    ping = b.host.ping(A_OVERLAY, count=100, interval=0.01)
    assert ping.duplicates == 0
    assert a.drops()["replay"] >= 95 and b.drops()["replay"] >= 95


def test_loss_on_the_way_is_measured_and_not_amplified(tapped):
    a, b, wire = tapped
    dice = random.Random(3)
    wire.hook = lambda frame, from_left: [] if from_left and sealed(frame) and dice.random() < 0.1 else [frame]
    ping = b.host.ping(A_OVERLAY, count=500, interval=0.01, check=False)
    assert 0.04 < ping.lost / ping.sent < 0.18, str(ping)
    labs.wait_for(lambda: b.peer(a)["loss"] > 0, 5, "B measures the loss")


def test_truncated_and_altered_in_passing_costs_only_those(tapped):
    a, b, wire = tapped
    dice = random.Random(5)
    harmed, inside = [0], [0]

    def mangle(frame, from_left):
        datagram = sealed(frame)
        if not datagram or dice.random() > 0.2:
            return [frame]
        harmed[0] += 1
        inside[0] += datagrams_in(frame)
        payload = bytearray(datagram.payload)
        if dice.random() < 0.5:
            payload = payload[:dice.randrange(len(payload))]
        else:
            payload[dice.randrange(16, len(payload))] ^= 1 << dice.randrange(8)
        # Without an offload header: the checksum is left out, the length is right.
        return [bytes(VNET_LEN) + datagram.frame(bytes(payload))]
    wire.hook = mangle
    stream = b.host.ping_stream(A_OVERLAY)
    stream.wait_sequence(300, 20)
    wire.hook = lambda frame, from_left: [frame]
    # What is late now is here before the answers to these.
    stream.wait_replies(20, 10)
    stream.stop()
    assert harmed[0] > 50 and 0 < len(stream.lost()) <= inside[0]
    b.host.ping(A_OVERLAY, count=20)
    counted = sum(sum(node.drops().get(reason, 0) for reason in node.drops() if reason in ("auth", "short")) for node in (a, b))
    assert counted >= harmed[0] * 0.9, (counted, harmed[0], a.drops(), b.drops())


def test_lengths_that_lie_do_not_crash(attacker):
    """The UDP length field says more and less than there is: the kernel's business, and never ours to trip over."""
    for datagram in attacker.captured(5):
        frame = bytearray(datagram.frame())
        for lie in (0, 7, 8, 9, 0xffff):
            struct.pack_into("!H", frame, 14 + len(datagram.ip) + 4, lie)
            attacker.out.send(bytes(frame))
    attacker.b.host.ping(A_OVERLAY, count=5)


@pytest.mark.parametrize("port", [8443])
def test_garbage_on_the_control_port_is_closed_and_bounded(attacker, port):
    b = attacker.a  # A listens; B is the garbage's source
    source = attacker.b.host
    noise = random.Random(13)
    log_before = len(b.log())
    sockets = []
    for number in range(200):
        s = source.socket(2, 1)
        s.settimeout(2)
        try:
            s.connect((b.host.address, port))
            s.sendall(noise.randbytes(noise.choice([0, 1, 5, 300, 5000])) if number % 2 else b"\x16\x03\x01\xff\xff\x01\x00\xff\xfb")
        except OSError:
            pass
        sockets.append(s)
    source.ping(A_OVERLAY, count=10)
    for s in sockets:
        s.close()
    assert b.process.running
    assert len(b.log()) - log_before < 40_000, "garbage does not flood the log"
    source.ping(A_OVERLAY, count=10)


LIAR = r"""
import http.server

class Liar(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = rb'{"error": "\u202efdp.exe\u2066\u2028\u001b[2J\n2026-01-01 error owned\u200b"}'
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Liar).serve_forever()
"""


def test_backbones_words_reach_the_log_clean(lab):
    host = lab.host("site-a")
    host.start("/usr/bin/python3", "-c", LIAR, name="liar")
    node = host.node("-backbone", "http://127.0.0.1:8080", "-tap-ip", "10.10.10.4", "-public")
    line = node.process.wait_log(r"^.*backbone http://127\.0\.0\.1:8080: .*fdp\.exe.*$", 10)[0]
    assert "?fdp.exe???[2J?2026-01-01 error owned?" in line
