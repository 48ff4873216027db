# SPDX-License-Identifier: Apache-2.0
"""A laptop with two ways out, and a relay or the backbone's uplink alone to its peer: each router gives every address another
port, or lets no UDP pass.

    laptop wifi 192.168.1.2 ──── home   198.51.101.2 ──┐
           cell 192.168.2.2 ──── mobile 198.51.102.2 ──┤ inet ──── office 198.51.100.2 ──── site-a 192.168.3.2
                                                       └────────── server 203.0.113.2: backbone, which relays

The kernel prefers the first. Where it dies, its link stays up.
"""

import pytest

import lab as labs
from lab import A_OVERLAY, B_OVERLAY, PATIENCE
from routers import KINDS

RELAY_GAP_S = 1.0
UPLINK_GAP_S = 2.5


def carried(b, a, kind):
    """(The interface by which B's datagrams leave or None, whether that answers), by a path of this kind; None: it does not carry."""
    path = b.peer(a)["path"]
    return (path["interface"], path["state"]) if path and path["kind"] == kind else None


def connected(lab, kind, routers):
    """A, the laptop's node, the router that the kernel prefers."""
    office, home, mobile, server, _ = lab.internet(sites=("office", "home", "mobile"))
    for router in (office, home, mobile):
        router.sysctl("net.ipv4.ip_forward", 1)
        router.nft(KINDS[routers].rules4(router.address))
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
    laptop.wait_ping(A_OVERLAY, 10)
    labs.wait_for(lambda: carried(b, a, kind) == (None, "proven"), 20, f"{kind} carries")
    return a, b, home


def gaps_when_it_dies(nodes, kind, times):
    """How long nothing passes when the network in use dies in silence, each time, and when it is back at most."""
    a, b, home = nodes
    stream = b.host.ping_stream(A_OVERLAY, interval=0.02)
    stream.wait_replies(50, 10)
    gaps, returns = [], []
    for _ in range(times):
        at = stream.last()
        home.ip("link", "set", "eth0", "down")
        labs.wait_for(lambda: carried(b, a, kind) == ("cell", "proven"), 20, "the standby carries")
        stream.wait_sequence(stream.last() + 50, 20)
        gaps.append(stream.longest_gap(after=at - 5))
        at = stream.last()
        home.ip("link", "set", "eth0", "up")
        home.ip("route", "replace", "default", "via", "198.51.101.1")
        labs.wait_for(lambda: carried(b, a, kind) == (None, "proven"), 90, "the network that is preferred carries again")
        stream.wait_sequence(stream.last() + 50, 20)
        returns.append(stream.longest_gap(after=at))
    stream.stop()
    return gaps, max(returns)


@pytest.mark.alone
@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.long)])
def test_relay_goes_on_by_the_standby_when_the_network_in_use_dies_in_silence(lab, figure, times):
    gaps, back = gaps_when_it_dies(connected(lab, "relay", "symmetric, random"), "relay", times)
    figure(f"relay alone, the network in use dies in silence, times: {times}, gaps: median {labs.median(gaps):.2f}, "
           f"worst {max(gaps):.2f} s; when it is back: {back:.2f} s")
    assert labs.median(gaps) < RELAY_GAP_S * PATIENCE


@pytest.mark.alone
@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.long)])
def test_uplink_goes_on_by_the_standby_when_the_network_in_use_dies_in_silence(lab, figure, times):
    nodes = connected(lab, "tcp", "UDP blocked")
    gaps, back = gaps_when_it_dies(nodes, "tcp", times)
    figure(f"uplink alone, the network in use dies in silence, times: {times}, gaps: median {labs.median(gaps):.2f}, "
           f"worst {max(gaps):.2f} s; when it is back: {back:.2f} s")
    assert labs.median(gaps) < UPLINK_GAP_S * PATIENCE
    assert "interface" not in nodes[1].status()["backbone"]["uplink"]
