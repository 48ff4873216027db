# SPDX-License-Identifier: Apache-2.0
"""A laptop with two ways out, and a relay alone to its peer: each router gives every address another port.

    laptop wifi 192.168.1.2 ──── home   198.51.101.2 ──┐
           cell 192.168.2.2 ──── mobile 198.51.102.2 ──┤ inet ──── office 198.51.100.2 ──── site-a 192.168.3.2
                                                       └────────── server 203.0.113.2: backbone, which relays

The kernel prefers the first. Where it dies, its link stays up.
"""

import pytest

import lab as labs
from lab import A_OVERLAY, B_OVERLAY, PATIENCE
from routers import KINDS

GAP_S = 1.0


def relayed_by(b, a):
    """(The interface by which B's datagrams leave to the relay or None, whether that answers); None: no relay carries."""
    path = b.peer(a)["path"]
    return (path["interface"], path["state"]) if path and path["kind"] == "relay" else None


@pytest.fixture
def relayed(lab):
    """A, the laptop's node, the router that the kernel prefers."""
    office, home, mobile, server, _ = lab.internet(sites=("office", "home", "mobile"))
    for router in (office, home, mobile):
        router.sysctl("net.ipv4.ip_forward", 1)
        router.nft(KINDS["symmetric, random"].rules4(router.address))
    a_host, laptop = lab.host("site-a"), lab.host("laptop")
    lab.attach(a_host, office, "192.168.3")
    for number, (device, router) in enumerate((("wifi", home), ("cell", mobile)), 1):
        lab.link(laptop, device, router, "inside")
        router.ip("addr", "add", f"192.168.{number}.1/24", "dev", "inside")
        laptop.ip("addr", "add", f"192.168.{number}.2/24", "dev", device)
        laptop.ip("route", "add", "default", "via", f"192.168.{number}.1", "dev", device, "metric", 100 * number)
    backbone = server.backbone()
    a = a_host.node("-backbone", backbone.url, "-tap-ip", A_OVERLAY, "-tap-netmask", 24, "-public")
    b = laptop.node("-backbone", backbone.url, "-tap-ip", B_OVERLAY, "-tap-netmask", 24, "-connect", a.id)
    laptop.wait_ping(A_OVERLAY, 5)
    labs.wait_for(lambda: relayed_by(b, a) == (None, "proven"), 20, "the relay carries")
    return a, b, home


@pytest.mark.alone
@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.long)])
def test_relay_goes_on_by_the_standby_when_the_network_in_use_dies_in_silence(relayed, figure, times):
    a, b, home = relayed
    stream = b.host.ping_stream(A_OVERLAY, interval=0.02)
    stream.wait_replies(50, 10)
    gaps = []
    for _ in range(times):
        at = stream.last()
        home.ip("link", "set", "eth0", "down")
        labs.wait_for(lambda: (relayed_by(b, a) or (None,))[0], 20, "the standby carries")
        stream.wait_sequence(stream.last() + 50, 20)
        gaps.append(stream.longest_gap(after=at - 5))
        at = stream.last()
        home.ip("link", "set", "eth0", "up")
        home.ip("route", "replace", "default", "via", "198.51.101.1")
        labs.wait_for(lambda: relayed_by(b, a) == (None, "proven"), 60, "the network that is preferred carries again")
        stream.wait_sequence(stream.last() + 50, 20)
    stream.stop()
    figure(f"relay alone, the network in use dies in silence, times: {times}, gaps: median {labs.median(gaps):.2f}, "
           f"worst {max(gaps):.2f} s; none when it is back: {stream.longest_gap(after=at + 50):.2f} s")
    assert labs.median(gaps) < GAP_S * PATIENCE
