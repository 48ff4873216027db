# SPDX-License-Identifier: Apache-2.0
"""An uplink that is slower than the node: what waits for it is bounded in time, whoever fills it.

    site-a ───────────────── inet ──── 100 Mbit/s ──── site-b
"""

import threading

import lab as labs
import pytest
from lab import A_OVERLAY, median

pytestmark = pytest.mark.alone

RATE = 100e6
# The shaper itself holds 10 MB, 0.8 s: nothing but the node keeps the queue short.
SHAPER = ("rate", "100mbit", "burst", "128k", "limit", "10m")
# A TCP window of 3 MB, all of it in the queue, is 250 ms.
LONGEST_MS = 80


@pytest.fixture
def slow(lab):
    a, b, _, _ = labs.reference_pair(lab)
    labs.wait_for(lambda: b.peer(a)["path"]["mtu"] > 1440, 10, "the path's size is found")
    shaped = b.host.run("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", *SHAPER, check=False)
    if shaped.returncode:
        pytest.skip(f"no shaper (tbf) in this kernel: {shaped.stderr.strip()}")
    return a, b


def pings_beside(a, b, *flags, **load):
    """What iperf3 reports, and the round trips in ms and losses of pings beside it, after its first second."""
    reports = []
    runner = threading.Thread(target=lambda: reports.append(b.host.iperf(a.host, A_OVERLAY, *flags, **load)))
    runner.start()
    try:
        threading.Event().wait(1)
        pings = b.host.ping_stream(A_OVERLAY, interval=0.02)
        pings.wait_replies(100, 10, "a ping answered beside the load")
        times, lost = [rtt for _, _, rtt in pings.replies()], pings.lost()
        pings.stop()
    finally:
        runner.join()
    return reports[0], times, lost


def test_ping_stays_short_beside_a_stream_that_fills_the_uplink(slow, figure):
    a, b = slow
    # CUBIC fills whatever queue it finds.
    report, times, lost = pings_beside(a, b, "-C", "cubic", seconds=4)
    rate = report["end"]["sum_received"]["bits_per_second"]
    figure(f"uplink of 100 Mbit/s: TCP {rate / 1e6:.0f} Mbit/s, ping beside it {median(times):.0f} ms")
    assert median(times) < LONGEST_MS
    assert rate > 0.75 * RATE
    assert not lost
    assert b.drops()["backlog"] > 0


def test_small_frames_pass_a_flood_that_the_uplink_cannot_take(slow, figure):
    a, b = slow
    _, times, lost = pings_beside(a, b, seconds=4, udp="300M")
    figure(f"uplink of 100 Mbit/s, 300 Mbit/s of UDP: ping beside it {median(times):.0f} ms, {len(lost)} of {len(times)} lost")
    assert median(times) < LONGEST_MS
    assert not lost
    assert b.drops()["backlog"] > 1000


def test_a_flow_that_knows_ecn_is_marked(slow):
    a, b = slow
    for host in (a.host, b.host):
        host.sysctl("net.ipv4.tcp_ecn", 1)
    report, times, _ = pings_beside(a, b, "-C", "cubic", seconds=4)
    assert median(times) < LONGEST_MS
    assert report["end"]["sum_received"]["bits_per_second"] > 0.75 * RATE
    marked = a.host.run("nstat", "-asz", "IpExtInCEPkts", echo=False).stdout
    assert int(marked.split("IpExtInCEPkts")[1].split()[0]) > 0
