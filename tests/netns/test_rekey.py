# SPDX-License-Identifier: Apache-2.0
"""New keys under traffic: by ratchet, and by whole handshakes. Nothing is lost at either.

    site-a ──── inet ──── site-b      shortened: a ratchet every second, a handshake every six
"""

import socket
import struct

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY

RATCHETS = 20
REHANDSHAKES = 3


def test_20_ratchets_and_3_handshakes_under_a_10_ms_ping_lose_nothing(lab, figure):
    often = ("-test-ratchet-seconds", 1, "-test-rehandshake-seconds", 6)
    a, b, _, _ = labs.reference_pair(lab, a_flags=often, b_flags=often)
    b.host.ping(A_OVERLAY, count=5)
    before = b.peer(a)
    forth, back = b.host.ping_stream(A_OVERLAY), a.host.ping_stream(B_OVERLAY)

    def rekeyed():
        now = b.peer(a)
        return (now["ratchets"] - before["ratchets"] >= RATCHETS
                and now["handshakes"] - before["handshakes"] >= REHANDSHAKES) and now
    after = labs.wait_for(rekeyed, 90, f"{RATCHETS} ratchets and {REHANDSHAKES} handshakes", every=0.5)
    results = [stream.stop() for stream in (forth, back)]
    figure(f"{after['ratchets'] - before['ratchets']} ratchets and {after['handshakes'] - before['handshakes']} handshakes: "
           f"{sum(r.sent for r in results)} pings, {sum(r.lost for r in results)} lost")
    for stream, result in ((forth, results[0]), (back, results[1])):
        # The last one may be on its way when ping is stopped.
        assert result.sent - result.received <= 1 and stream.lost() == [], stream.lost()
        assert result.duplicates == 0
    assert b.peer(a)["loss"] == 0 and a.peer(b)["loss"] == 0


@pytest.mark.parametrize("reverse", [False, True], ids=["from B", "from A"])
def test_rekeying_does_not_slow_a_tcp_stream(lab, reverse):
    often = ("-test-ratchet-seconds", 1, "-test-rehandshake-seconds", 3)
    a, b, _, _ = labs.reference_pair(lab, a_flags=often, b_flags=often)
    before = b.peer(a)
    report = b.host.iperf(a.host, A_OVERLAY, seconds=8, reverse=reverse)
    after = b.peer(a)
    assert after["ratchets"] > before["ratchets"] and after["handshakes"] > before["handshakes"]
    rates = [interval["sum"]["bits_per_second"] for interval in report["intervals"]]
    # A key change that stalled the stream would show as an empty second; a busy machine only as a slow one.
    assert min(rates) > 0.02 * max(rates), rates
    for node in (a, b):
        drops = node.drops()
        assert not any(drops.get(reason, 0) for reason in ("auth", "key_spent")), drops


def test_ratchet_is_the_openers_to_ask_for(lab):
    a, b, _, _ = labs.reference_pair(lab, a_flags=("-test-ratchet-seconds", 8), b_flags=("-test-ratchet-seconds", 1))
    stream = b.host.ping_stream(A_OVERLAY)
    labs.wait_for(lambda: b.peer(a)["ratchets"] >= 5 and a.peer(b)["ratchets"] >= 5, 20, "five ratchets asked for by B")
    stream.stop()
    assert stream.lost() == []


def test_idle_session_goes_on_after_its_keys_are_old(lab):
    """Without use there is no ratchet; the first frame after a long pause is not lost."""
    often = ("-test-ratchet-seconds", 1, "-test-rehandshake-seconds", 3)
    a, b, _, _ = labs.reference_pair(lab, a_flags=often, b_flags=often)
    start = b.peer(a)["handshakes"]
    labs.wait_for(lambda: b.peer(a)["handshakes"] >= start + 2, 20, "handshakes without traffic", every=0.5)
    b.host.ping(A_OVERLAY, count=10)


NETLINK_KOBJECT_UEVENT = 15


def kernel_event(host, **properties):
    """Makes the kernel tell the host of a changed device. What it tells comes from itself, as from its own drivers."""
    path = "/devices/platform/QEMUVGID:00"
    strings = [f"change@{path}", "ACTION=change", f"DEVPATH={path}", *(f"{key}={value}" for key, value in properties.items())]
    payload = b"".join(text.encode() + b"\0" for text in strings)
    with host.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_KOBJECT_UEVENT) as netlink:
        netlink.sendto(struct.pack("=IHHII", 16 + len(payload), 16, 1, 0, 0) + payload, (0, 0))


@pytest.mark.parametrize("who", ["A", "B"])
def test_machine_resumed_from_a_snapshot_makes_every_session_anew(lab, figure, who):
    a, b, _, _ = labs.reference_pair(lab)
    resumed, other = (a, b) if who == "A" else (b, a)
    before = other.peer(resumed)
    kernel_event(resumed.host, SUBSYSTEM="net")
    kernel_event(resumed.host, SUBSYSTEM="acpi", NEW_VMGENID=1)
    resumed.process.wait_log("resumed from a snapshot: every session is made anew")
    labs.wait_for(lambda: other.peer(resumed).get("handshakes", 0) > before["handshakes"], 5, "a new handshake")
    seconds = b.host.wait_ping(A_OVERLAY, 5)
    assert resumed.log().count("every session is made anew") == 1
    figure(f"{who} resumed from a snapshot: traffic {seconds:.2f} s after the new handshake")
