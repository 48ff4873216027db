# SPDX-License-Identifier: Apache-2.0
"""Every pair connects, whatever routers are between: the two reference commands, a ping within 5 s, then iperf3.

    site-a ──── router of a kind ──┬── inet ──┬── router of a kind ──── site-b
                                 server: backbone

make check runs a sample. `make check-reach` runs all of them and writes docs/REACH.md (tools/reach.py).
"""

import itertools
import json
from dataclasses import asdict, dataclass

import pytest
import routers
from lab import A_OVERLAY, B_OVERLAY
from routers import KINDS

PING_SECONDS = 5
MIXED = "IPv4 against IPv6"
# What differs where addresses are not translated, or not shared.
OWN6 = [name for name, kind in KINDS.items() if kind.own6]


@dataclass(frozen=True)
class Pair:
    family: str
    a: str
    b: str
    same_subnet: bool
    slow: bool

    def __str__(self):
        return f"{self.family}: {self.a} and {self.b}"


def all_pairs():
    """Half of them with one private subnet at both sites, half with 30 ms and loss between them."""
    wanted = [("IPv4", *pair) for pair in itertools.combinations_with_replacement(KINDS, 2)]
    wanted += [(family, *pair) for family in ("IPv6", "dual stack") for pair in itertools.combinations_with_replacement(OWN6, 2)]
    wanted += [(MIXED, *pair) for pair in itertools.product(OWN6, OWN6)]
    return [Pair(*pair, same_subnet=number % 2 == 0, slow=number // 2 % 2 == 1) for number, pair in enumerate(wanted)]


SAMPLE = {
    ("IPv4", "port-restricted", "port-restricted"),
    ("IPv4", "port-restricted, unguarded", "symmetric, random"),
    ("IPv4", "symmetric, sequential", "double NAT"),
    ("IPv4", "none", "UDP blocked"),
    ("IPv4", "full cone", "backbone's port alone"),
    ("IPv4", "HTTP proxy alone", "HTTP proxy alone"),
    ("IPv6", "port-restricted", "port-restricted"),
    ("dual stack", "UDP blocked", "UDP blocked"),
    (MIXED, "port-restricted", "port-restricted"),
}


def parameters():
    for pair in all_pairs():
        marks = [] if (pair.family, pair.a, pair.b) in SAMPLE else [pytest.mark.reach]
        yield pytest.param(pair, id=str(pair), marks=marks)


def sites(lab, pair):
    inet, server = routers.internet(lab)
    families = {MIXED: ("IPv4", "IPv6"), "dual stack": ("dual", "dual")}.get(pair.family, (pair.family, pair.family))
    a = routers.Site(lab, inet, "site-a", KINDS[pair.a], families[0], net=0, slow=pair.slow)
    b = routers.Site(lab, inet, "site-b", KINDS[pair.b], families[1], net=1, subnet="192.168.1" if pair.same_subnet else "192.168.2")
    return a, b, server


def start(site, server, overlay, *flags):
    """One of the two reference commands, without -ip where a router has the outer address."""
    ip = [] if site.kind.rules4 else ["-ip", site.host.address]
    return site.host.node("-backbone", routers.backbone_url(site.family, server), *ip, "-port", 9443, "-tap-ip", overlay,
                          "-tap-netmask", 24, *site.flags, *flags)


@pytest.mark.parametrize("pair", parameters())
def test_pair_connects(lab, pair, record_property):
    a_site, b_site, server = sites(lab, pair)
    server.backbone()
    a = start(a_site, server, A_OVERLAY, "-public")
    b = start(b_site, server, B_OVERLAY, "-connect", a.id)
    seconds = b.host.wait_ping(A_OVERLAY, PING_SECONDS)
    first = b.peer(a)["path"]["kind"]
    rate = b.host.throughput(a.host, A_OVERLAY, seconds=2)
    assert rate > 0
    last = b.peer(a)["path"]["kind"]
    record_property("reach", json.dumps({**asdict(pair), "first": first, "last": last, "seconds": round(seconds, 1),
                                         "mbits": round(rate / 1e6, 1)}))
