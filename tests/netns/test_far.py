# SPDX-License-Identifier: Apache-2.0
"""Two nodes that are far from each other: what the path does to datagrams, the frames in them tell.

    site-a ──── a wire of 5 ms, which marks (bench/wire.c) ──── site-b
"""

import json
import re

import lab as labs
import pytest
from lab import A_OVERLAY, BUILD

pytestmark = pytest.mark.alone

DELAY_MS = 5
MARKED_PERCENT = 1  # of what knows ECN; the rest is lost as often
FULL = 1448  # of TCP with time stamps in 1,500 bytes


@pytest.fixture
def far(lab):
    """Nodes a and b, and the wire."""
    middle, a, b = lab.host("wire"), lab.host("site-a"), lab.host("site-b")
    wire = middle.start(BUILD / "bench" / "wire", "wa", "wb", DELAY_MS, MARKED_PERCENT, 1, 0, 0, "mark")
    wire.wait_log("ready")
    for device, host, address in (("wa", a, "198.51.100.1"), ("wb", b, "198.51.100.2")):
        middle.ip("link", "set", device, "netns", host.namespace, "name", "eth0")
        host.ip("addr", "add", f"{address}/24", "dev", "eth0")
        host.ip("link", "set", "eth0", "up")
        host.sysctl("net.ipv4.tcp_ecn", 1)
        host.address = address
    backbone = a.backbone()
    node_a = labs.receiver(a, backbone)
    node_b = labs.sender(b, backbone, node_a)
    b.wait_ping(A_OVERLAY, 20)
    for node, other in ((node_a, node_b), (node_b, node_a)):
        labs.wait_for(lambda: node.peer(other).get("path", {}).get("mtu", 0) > 1440, 20, "the path's size is found")
    return node_a, node_b, wire


def stat(host, name):
    return int(re.search(rf"^{name}\s+(\d+)", host.run("nstat", "-asz", name, echo=False).stdout, re.MULTILINE)[1])


def test_marks_and_size_of_the_path_reach_the_ends_of_a_stream(far, figure):
    a, b, wire = far
    ping = b.host.ping(A_OVERLAY, count=5, check=False)
    before = stat(b.host, "TcpExtTCPDeliveredCE")
    report = b.host.iperf(a.host, A_OVERLAY, "-C", "cubic", seconds=1)
    told = stat(b.host, "TcpExtTCPDeliveredCE") - before
    size = report["start"]["tcp_mss_default"]
    figure(f"far away: ping {ping.average_ms:.1f} ms, segments of {size} bytes, {told} told of marks")
    assert ping.average_ms >= 2 * DELAY_MS
    assert told > 0
    assert size < FULL
    assert wire.stop() == 0
    assert sum(json.loads(wire.log().splitlines()[-1])[name]["marked"] for name in ("wa", "wb")) > 0
