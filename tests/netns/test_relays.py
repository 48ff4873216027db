# SPDX-License-Identifier: Apache-2.0
"""The relay of the built shadowmesh-backbone: honest ends, ends that lie, and strangers, all on loopback, where every 127.x.y.z is
a source of its own.

    relay_client ──UDP── shadowmesh-backbone ──UDP── relay_client
"""

import contextlib
import select
import socket
import time

import pytest

import lab as labs
from relay_client import BIND, BOUND, COOKIE, DATAGRAM, End, envelope, message
from test_uplinks import figures, running
from uplink_client import Uplink, couple

DATA, PROBE = b"\x20" + bytes(999), b"\x22" + bytes(99)


@pytest.fixture
def backbone(tmp_path):
    with running(tmp_path, "-v", "-relay-rate", "1000", "-source-rate", "1000") as own:
        yield own


def outcomes(backbone):
    prefix = 'relay_datagrams_total{outcome="'
    return {name[len(prefix):-2]: count for name, count in figures(backbone).items() if name.startswith(prefix)}


def pair_of(backbone, first, second):
    """Two ends of one channel, not bound, at 127.0.FIRST.1 and 127.0.SECOND.1."""
    a, b = (Uplink(backbone.port, source=f"127.0.{number}.1") for number in (first, second))
    couple(a, b)
    a.ask_relay(b.id)
    return End(a, b, f"127.0.{first}.1"), End(b, a, f"127.0.{second}.1")


def bound_pair(backbone, first=1, second=2):
    ends = pair_of(backbone, first, second)
    for end in ends:
        end.bind()
    return ends


def test_ends_that_are_bound_exchange_trains_of_datagrams(backbone):
    a, b = bound_pair(backbone)
    assert a.channel == b.channel and a.channel != 0 and a.token != b.token
    a.send(DATA)
    assert b.receive() == DATA
    b.send_train([PROBE + bytes(100)] * 40 + [PROBE])
    assert [a.receive() for _ in range(41)] == [PROBE + bytes(100)] * 40 + [PROBE]
    found = figures(backbone)
    assert found["relay_channels"] == 1 and found["relay_bound_total"] == 2
    assert found["relay_trains_total"] < 10


def test_train_of_two_channels_is_cut_where_they_change(backbone):
    """One socket, and so one address, for two peers, as a node's is."""
    a = Uplink(backbone.port, source="127.0.1.1")
    peers = [Uplink(backbone.port, source=f"127.0.{number}.1") for number in (2, 3)]
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.bind(("127.0.1.1", 0))
    ends = []
    for number, peer in enumerate(peers):
        couple(a, peer)
        a.ask_relay(peer.id)
        near, far = End(a, peer, "127.0.1.1", own), End(peer, a, f"127.0.{number + 2}.1")
        near.bind()
        far.bind()
        ends.append((near, far))
    (to_b, b), (to_c, c) = ends
    order = [0, 1, 0, 0, 1, 1, 1, 0] * 5
    parts = [envelope(DATAGRAM, (to_b, to_c)[who].channel) + b"\x20" + bytes([who, n]) + bytes(900) for n, who in enumerate(order)]
    to_b.send_raw_train(parts)
    for who, end in enumerate((b, c)):
        wanted = [n for n, other in enumerate(order) if other == who]
        assert [tuple(end.receive()[1:3]) for _ in wanted] == [(who, n) for n in wanted]
    assert outcomes(backbone)["relayed"] == len(order)


def test_ecn_field_is_carried(backbone):
    a, b = bound_pair(backbone)
    b.socket.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    for ecn in (1, 2, 3):
        a.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, ecn)
        a.send(DATA)
        _, control, _, _ = b.socket.recvmsg(2048, 64)
        assert control[0][2][0] & 3 == ecn


def test_channel_ends_with_consent_and_a_new_one_replaces_the_old(backbone):
    a, b = bound_pair(backbone)
    old = a.channel
    time.sleep(1)  # not again within a second
    b.uplink.ask_relay(a.uplink.id)
    a.grant(), b.grant()
    assert a.channel == b.channel != old
    a.socket.send(envelope(DATAGRAM, old) + DATA)
    labs.wait_for(lambda: outcomes(backbone)["unknown_channel"] == 1, 5, "the old channel is gone")
    a.bind(), b.bind()
    a.send(DATA)
    assert b.receive() == DATA
    a.uplink.pair(b.uplink.id, on=False)
    labs.wait_for(lambda: figures(backbone)["relay_channels"] == 0, 5, "consent is taken back")
    a.send(DATA)
    assert b.hears_nothing()


def test_channel_outlives_the_uplinks(backbone):
    a, b = bound_pair(backbone)
    a.uplink.close(), b.uplink.close()
    labs.wait_for(lambda: figures(backbone)["uplinks"] == 0, 5, "the uplinks are gone")
    a.send(DATA)
    assert b.receive() == DATA


def test_relay_is_asked_for_by_pairs_alone_and_may_be_off(tmp_path, backbone):
    a, b = (Uplink(backbone.port, source=f"127.0.{number}.1") for number in (1, 2))
    a.ask_relay(b.id)
    a.pair(b.id)
    a.ask_relay(b.id)
    a.ping()
    assert figures(backbone)["relay_channels_granted_total"] == 0
    (tmp_path / "off").mkdir()
    with running(tmp_path / "off", "-relay-rate", "0") as off:
        a, b = (Uplink(off.port, source=f"127.0.{number}.1") for number in (1, 2))
        a.pair(b.id)
        assert not a.paired(b.id)
        a.ask_relay(b.id)
        a.ping()
        assert figures(off)["relay_channels_granted_total"] == 0


def test_relay_may_have_a_port_of_its_own(tmp_path):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind(("::", 0))
        port = probe.getsockname()[1]
    with running(tmp_path, "-relay-port", str(port)) as backbone:
        a, b = bound_pair(backbone)
        assert a.port == b.port == port != backbone.port
        a.send(DATA)
        assert b.receive() == DATA


def test_liars_at_the_relay_get_nothing_and_cost_nothing(backbone):
    a, b = bound_pair(backbone)
    liar = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    liar.bind(("127.0.66.1", 0))
    liar.connect(("127.0.0.1", a.port))

    def unanswered(*datagrams):
        for datagram in datagrams:
            with contextlib.suppress(ConnectionError):
                liar.send(datagram)
        assert not select.select([liar], [], [], 0.2)[0]

    own, _ = pair_of(backbone, 66, 67)
    before = outcomes(backbone)
    unanswered(envelope(DATAGRAM, a.channel) + DATA)                             # forged source
    unanswered(envelope(DATAGRAM, a.channel ^ 1) + DATA)                         # forged channel
    unanswered(a.said[0], a.said[1])                                             # replayed, from elsewhere
    unanswered(message(BIND, a.channel, own.token, 99))                          # for somebody else's pair
    unanswered(message(BIND, a.channel, a.token, 99)[:-1])                       # cut
    unanswered(envelope(DATAGRAM, a.channel) + envelope(DATAGRAM, a.channel) + DATA)
    unanswered(b"\x23" + bytes(3), b"\x23\x07" + bytes(60), b"\x23")
    a.socket.send(envelope(DATAGRAM, a.channel) + envelope(DATAGRAM, a.channel) + DATA)
    a.socket.send(a.said[1])                                                     # replayed, from where it came
    labs.wait_for(lambda: outcomes(backbone)["replayed"] - before["replayed"] == 3, 5, "all of it is counted")
    after = {name: count - before[name] for name, count in outcomes(backbone).items()}
    assert after["source"] == 1 and after["unknown_channel"] == 1 and after["forged"] == 1 and after["nested"] == 2
    assert after["malformed"] >= 3 and after["relayed"] == 0
    # With its own token a liar may be told a cookie, as long as what it said and at most once for each.
    liar.send(message(BIND, own.channel, own.token, 100))
    answer = liar.recv(2048)
    assert len(answer) == len(message(BIND, 1, own.token, 1)) and answer[8] == COOKIE
    a.send(DATA)
    assert b.receive() == DATA
    b.send(DATA)
    assert a.receive() == DATA


def test_end_that_moves_binds_its_new_address(backbone):
    a, b = bound_pair(backbone)
    moved = End(a.uplink, b.uplink, "127.0.5.1", known=a)
    moved.bind()
    moved.send(DATA)
    assert b.receive() == DATA
    b.send(PROBE)
    assert moved.receive() == PROBE
    a.send(DATA)
    assert b.hears_nothing()


def test_flooding_pair_leaves_another_nine_tenths(tmp_path, figure):
    """At a rate that one program can flood."""
    with running(tmp_path, "-relay-rate", "80", "-source-rate", "1000") as backbone:
        flooder, sink = bound_pair(backbone, 1, 2)
        good, other = bound_pair(backbone, 3, 4)
        sent = arrived = 0
        until = time.monotonic() + 4
        train = [b"\x20" + bytes(1199)] * 40
        while time.monotonic() < until:
            for _ in range(8):
                flooder.send_train(train)
            sink.drain()
            good.send(DATA)
            sent += 1
            arrived += other.receive(0.2) == DATA
        found = outcomes(backbone)
        figure(f"{found['share'] + found['relay_rate']:.0f} datagrams of a flood dropped, {arrived} of {sent} of another pair passed")
        assert found["share"] > 1000
        assert arrived >= 0.9 * sent and sent > 50
