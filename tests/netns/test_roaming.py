# SPDX-License-Identifier: Apache-2.0
"""A laptop with two ways out, each behind a router of its own that lets in answers alone. The kernel prefers the first.

    laptop wifi 192.168.1.2 ──── home   198.51.101.2 ──┐
           cell 192.168.2.2 ──── mobile 198.51.102.2 ──┤ inet ──── office 198.51.100.2 ──── site-a 192.168.3.2
                                                       └────────── server 203.0.113.2
"""

import time

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY, PATIENCE
from routers import KINDS, routes6, without_waiting

GAP_S = 1.0
METRICS = {"wifi": 100, "cell": 200}
GATEWAYS = {"wifi": "192.168.1.1", "cell": "192.168.2.1"}
SITES = ("office", "home", "mobile")


def put_up(laptop, device):
    """As a network manager does, once it has a lease."""
    net = GATEWAYS[device].rpartition(".")[0]
    laptop.ip("link", "set", device, "up")
    laptop.ip("addr", "replace", f"{net}.2/24", "dev", device)
    laptop.ip("route", "replace", "default", "via", GATEWAYS[device], "dev", device, "metric", METRICS[device])


def take_down(laptop, device):
    laptop.ip("addr", "flush", "dev", device)
    laptop.ip("link", "set", device, "down")


@pytest.fixture(params=["behind a router", "public"])
def roaming(lab, request):
    """(A, the laptop's node, the routers by name)"""
    *sites, server, inet = lab.internet(sites=SITES)
    routers = dict(zip(SITES, sites))
    for router in sites:
        router.sysctl("net.ipv4.ip_forward", 1)
        router.nft(KINDS["port-restricted"].rules4(router.address))
    a_host, laptop = routers["office"], lab.host("laptop")
    if request.param == "behind a router":
        a_host = lab.host("site-a")
        lab.attach(a_host, routers["office"], "192.168.3")
    else:
        a_host.run("nft", "flush", "ruleset")
    for device, router in (("wifi", "home"), ("cell", "mobile")):
        lab.link(laptop, device, routers[router], "inside")
        routers[router].ip("addr", "add", f"{GATEWAYS[device]}/24", "dev", "inside")
        put_up(laptop, device)
    backbone = server.backbone()
    a = a_host.node("-backbone", backbone.url, "-tap-ip", A_OVERLAY, "-tap-netmask", 24, "-public")
    b = laptop.node("-backbone", backbone.url, "-tap-ip", B_OVERLAY, "-tap-netmask", 24, "-connect", a.id)
    laptop.wait_ping(A_OVERLAY, 5)
    labs.wait_for(lambda: b.peer(a)["path"]["kind"] == "direct", 15, "the path becomes direct")
    return a, b, routers


def standby(b, a):
    """The state of the path by the way out that the kernel does not choose, or None."""
    return next((path["state"] for path in b.peer(a)["paths"] if path["interface"]), None)


def moves(b, stream, count, every):
    """The laptop leaves the network that it uses for the other one, so often; the longest gaps, one for each move."""
    gaps, device = [], "wifi"
    for _ in range(count):
        at = stream.last()
        other = "cell" if device == "wifi" else "wifi"
        take_down(b.host, device)
        put_up(b.host, other)
        time.sleep(every)  # the laptop stays for so long
        gaps.append(stream.longest_gap(after=at - 5))
        device = other
    return gaps


@pytest.mark.alone
@pytest.mark.parametrize("count, every", [(3, 2), pytest.param(12, 5, marks=pytest.mark.long)])
def test_laptop_that_roams_has_no_gap_over_1_second(roaming, figure, count, every):
    a, b, _ = roaming
    take_down(b.host, "cell")
    stream = b.host.ping_stream(A_OVERLAY, interval=0.02)
    stream.wait_replies(50, 10)
    gaps = moves(b, stream, count, every)
    stream.wait_replies(50, 10)
    stream.stop()
    figure(f"{count} moves, gaps: median {labs.median(gaps):.2f}, worst {max(gaps):.2f} s")
    assert max(gaps) < GAP_S * PATIENCE


@pytest.mark.alone
def test_standby_takes_over_within_1_second_when_the_network_in_use_dies_in_silence(roaming, figure):
    a, b, routers = roaming
    stream = b.host.ping_stream(A_OVERLAY, interval=0.02)
    labs.wait_for(lambda: standby(b, a) == "proven", 10, "the standby answers")
    assert not b.peer(a)["path"]["interface"]
    at = stream.last()
    routers["home"].ip("link", "set", "eth0", "down")
    stream.wait_sequence(at + 250, 20)
    gap = stream.longest_gap(after=at - 5)
    assert b.peer(a)["path"]["interface"] == "cell"
    shown = b.host.run(labs.program("shadowmesh"), "peers", "-l", "-run", b.run_dir, echo=False).stdout
    assert "by cell" in shown
    routers["home"].ip("link", "set", "eth0", "up")
    routers["home"].ip("route", "replace", "default", "via", "198.51.101.1")
    labs.wait_for(lambda: not b.peer(a)["path"]["interface"], 30, "the network that is preferred carries again")
    stream.stop()
    figure(f"the network in use dies in silence: {gap:.2f} s without an answer, none when it is back: "
           f"{stream.longest_gap(after=at + 150):.2f} s")
    assert gap < GAP_S * PATIENCE


ANSWERS_ALONE = KINDS["port-restricted"].rules6(None)
# A node can be dialled, and its datagrams are answered: who sends others has to be sent to first.
CONTROL_PORT_AND_ANSWERS = """
table ip6 firewall {
    chain passing { type filter hook forward priority 0; iifname "eth0" tcp dport 8443 accept;
                    iifname "eth0" ct state established,related accept; iifname "eth0" drop; }
}"""
SILENCE = "table ip6 silence { chain passing { type filter hook forward priority -10; drop; }; }"


def router6(lab, inet, name, net, firewall=ANSWERS_ALONE):
    """A router of IPv6 alone, with 2001:db8:aNET::/64 inside."""
    router = without_waiting(lab.router(name))
    routes6(router)
    lab.link(router, "eth0", inet, name)
    router.ip("addr", "add", f"2001:db8:{net}::2/64", "dev", "eth0", "nodad")
    inet.ip("addr", "add", f"2001:db8:{net}::1/64", "dev", name, "nodad")
    router.ip("route", "add", "default", "via", f"2001:db8:{net}::1")
    inet.ip("route", "add", f"2001:db8:a{net}::/64", "via", f"2001:db8:{net}::2")
    router.nft(firewall)
    return router


def behind6(lab, host, device, router, net, metric):
    lab.link(host, device, router, "inside")
    router.ip("addr", "add", f"2001:db8:a{net}::1/64", "dev", "inside", "nodad")
    host.ip("addr", "add", f"2001:db8:a{net}::2/64", "dev", device, "nodad")
    host.ip("route", "add", "default", "via", f"2001:db8:a{net}::1", "dev", device, "metric", metric)


@pytest.mark.alone
def test_standby_of_ipv6_takes_over_and_gives_back(lab, figure):
    inet, a_host, laptop = (without_waiting(host) for host in (lab.router("inet"), lab.host("site-a"), lab.host("laptop")))
    routes6(inet)
    behind6(lab, a_host, "eth0", router6(lab, inet, "office", 3, CONTROL_PORT_AND_ANSWERS), 3, 100)
    home = router6(lab, inet, "home", 1)
    behind6(lab, laptop, "wifi", home, 1, METRICS["wifi"])
    behind6(lab, laptop, "cell", router6(lab, inet, "mobile", 2), 2, METRICS["cell"])
    a = a_host.node("-tap-ip", A_OVERLAY, "-tap-netmask", 24, "-public")
    b = laptop.node("-tap-ip", B_OVERLAY, "-tap-netmask", 24, "-connect", f"{a.id}@[2001:db8:a3::2]")
    laptop.wait_ping(A_OVERLAY, 5)
    stream = laptop.ping_stream(A_OVERLAY, interval=0.02)
    labs.wait_for(lambda: standby(b, a) == "proven", 10, "the standby answers")
    at = stream.last()
    home.nft(SILENCE)
    labs.wait_for(lambda: b.peer(a)["path"]["interface"] == "cell", 20, "the standby carries")
    stream.wait_sequence(stream.last() + 50, 20)
    gap = stream.longest_gap(after=at - 5)
    at = stream.last()
    home.run("nft", "delete", "table", "ip6", "silence")
    labs.wait_for(lambda: not b.peer(a)["path"]["interface"], 30, "the network that is preferred carries again")
    stream.wait_sequence(stream.last() + 50, 20)
    stream.stop()
    figure(f"IPv6, the network in use dies in silence: {gap:.2f} s without an answer, when it is back: "
           f"{stream.longest_gap(after=at):.2f} s")
    assert gap < GAP_S * PATIENCE


def session(a):
    """Whether A has one with its only peer."""
    return any(peer["suite"] for peer in a.status()["peers"])


def everyone(node):
    """The node's processes: itself, and its helpers."""
    return [node.process.pid, *labs.helpers(node.process).values()]


@pytest.mark.alone
def test_laptop_that_slept_until_its_session_was_ended_is_back_within_3_seconds(lab, figure):
    a_host, home, server, _ = lab.internet(sites=("site-a", "home"))
    home.sysctl("net.ipv4.ip_forward", 1)
    home.nft(KINDS["port-restricted"].rules4(home.address))
    laptop = lab.host("laptop")
    lab.attach(laptop, home, "192.168.1")
    backbone = server.backbone()
    hasty = ("-backbone", backbone.url, "-tap-netmask", 24, "-test-rehandshake-seconds", 6)
    a = a_host.node(*hasty, "-tap-ip", A_OVERLAY, "-public")
    b = laptop.node(*hasty, "-tap-ip", B_OVERLAY, "-connect", a.id)
    laptop.wait_ping(A_OVERLAY, 5)
    asleep = everyone(b)
    for pid in asleep:
        laptop.run("kill", "-STOP", pid)
    home.ip("link", "set", "laptop", "down")
    labs.wait_for(lambda: not session(a), 60, "A has ended the session")
    labs.flush_conntrack(home)
    home.ip("link", "set", "laptop", "up")
    for pid in asleep:
        laptop.run("kill", "-CONT", pid)
    began = time.monotonic()
    laptop.wait_ping(A_OVERLAY, 20)
    back = time.monotonic() - began
    b.process.wait_log("this machine slept")
    figure(f"a laptop that slept until its peer had ended the session: back after {back:.2f} s")
    assert back < 3 * PATIENCE
