# SPDX-License-Identifier: Apache-2.0
"""Every pair connects, whatever routers are between, and is direct where their rules allow it: the two reference
commands, a ping within 5 s, a direct path within 15 s where the oracle says so, then iperf3.

    site-a ──── router of a kind ──┬── inet ──┬── router of a kind ──── site-b
                                 server: backbone

    site-a ──── router of a kind ──┐
                                   carrier ──── inet ──── server: backbone
    site-b ──── router of a kind ──┘

What is possible, oracle.py computes from the rules. A pair that is not direct though it could be fails. So does one
that is direct though it cannot be: then the oracle is wrong. Who is not direct has to say why.

make check runs a sample. `make check-reach` runs all of them and writes docs/REACH.md (tools/reach.py).
"""

import itertools
import json
import os
import time
from dataclasses import asdict, dataclass

import lab as labs
import oracle
import pytest
import routers
from lab import A_OVERLAY, B_OVERLAY
from routers import KINDS

PING_SECONDS, DIRECT_SECONDS, CHANCE_SECONDS, WHY_SECONDS = 5, 15, 40, 40
# Who need not become direct is watched for as long as others have, and until it says why. make check has no time for it.
WATCHED = os.environ.get("SHADOWMESH_REACH") == "1"
NO_REASONS = (None, "it is being tried")
MIXED = "IPv4 against IPv6"
SITES_HAVE = {"IPv6": ("IPv6", "IPv6"), "dual stack": ("dual", "dual"), MIXED: ("IPv4", "IPv6")}
HAIRPIN, NO_HAIRPIN = "one carrier, hairpin", "one carrier, no hairpin"
# What differs where addresses are not translated, or not shared.
OWN6 = [name for name, kind in KINDS.items() if kind.own6]
# Behind a carrier that has one port for each socket, as long as no two sites have the same.
SHARING = ["full cone", "address-restricted", "port-restricted", "symmetric, random"]


@dataclass(frozen=True)
class Pair:
    family: str
    a: str
    b: str
    same_subnet: bool
    slow: bool

    def __str__(self):
        return f"{self.family}: {self.a} and {self.b}"

    @property
    def shared(self):
        return self.family in (HAIRPIN, NO_HAIRPIN)

    @property
    def families(self):
        """Of the two sites."""
        return SITES_HAVE.get(self.family, ("IPv4", "IPv4"))

    @property
    def oracle(self):
        if self.family == NO_HAIRPIN:
            return oracle.NEVER
        return oracle.of_kinds(KINDS[self.a], self.families[0], KINDS[self.b], self.families[1])


def all_pairs():
    """Half of them with one private subnet at both sites, half with 30 ms and loss between them."""
    wanted = [("IPv4", *pair) for pair in itertools.combinations_with_replacement(KINDS, 2)]
    wanted += [(family, *pair) for family in ("IPv6", "dual stack") for pair in itertools.combinations_with_replacement(OWN6, 2)]
    wanted += [(MIXED, *pair) for pair in itertools.product(OWN6, OWN6)]
    wanted += [(family, *pair) for family in (HAIRPIN, NO_HAIRPIN)
               for pair in itertools.combinations_with_replacement(SHARING, 2)]
    return [Pair(*pair, same_subnet=number % 2 == 0, slow=number // 2 % 2 == 1) for number, pair in enumerate(wanted)]


SAMPLE = {
    ("IPv4", "port-restricted", "port-restricted"),
    ("IPv4", "port-restricted, unguarded", "symmetric, random"),
    ("IPv4", "symmetric, sequential", "double NAT"),
    ("IPv4", "none", "UDP blocked"),
    ("IPv4", "full cone", "backbone's port alone"),
    ("IPv4", "HTTP proxy alone", "HTTP proxy alone"),
    (NO_HAIRPIN, "full cone", "full cone"),
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
    outside = routers.shared_carrier(lab, inet, pair.family == HAIRPIN) if pair.shared else inet
    a = routers.Site(lab, outside, "site-a", KINDS[pair.a], pair.families[0], slow=pair.slow, shared=pair.shared)
    b = routers.Site(lab, outside, "site-b", KINDS[pair.b], pair.families[1], net=1, shared=pair.shared,
                     subnet="192.168.1" if pair.same_subnet else "192.168.2")
    return a, b, server


def start(site, server, overlay, *flags, port=9443):
    """One of the two reference commands, without -ip where a router has the outer address."""
    ip = [] if site.kind.translates else ["-ip", site.host.address]
    return site.host.node("-backbone", routers.backbone_url(site.family, server), *ip, "-port", port,
                          "-tap-ip", overlay, "-tap-netmask", 24, *site.flags, *flags)


def kinds_of(a, b):
    return [(one.peer(other).get("path") or {}).get("kind") for one, other in ((a, b), (b, a))]


def reasons(a, b):
    """Why it is not direct, as `peers -l` says it at either end; an empty list before both have one."""
    said = [one.peer(other).get("not_direct") for one, other in ((a, b), (b, a))]
    return [] if any(reason in NO_REASONS for reason in said) else said


def is_direct(a, b):
    return kinds_of(a, b) == ["direct"] * 2


def judge(pair, a, b, begun):
    """(seconds from `begun` until the pair is direct or None, the reasons why it is not), once both can be told."""
    limit = (CHANCE_SECONDS if pair.oracle == oracle.CHANCE else DIRECT_SECONDS) * labs.PATIENCE
    while (pair.oracle == oracle.DIRECT or WATCHED) and not is_direct(a, b) and time.monotonic() - begun < limit:
        time.sleep(0.1)
    seconds = time.monotonic() - begun
    if is_direct(a, b):
        return seconds, []
    assert pair.oracle != oracle.DIRECT, f"not direct in {limit} s, though routers allow it: {kinds_of(a, b)} {reasons(a, b)}"
    return None, labs.wait_for(lambda: reasons(a, b), WHY_SECONDS, "why it is not direct") if WATCHED else []


@pytest.mark.parametrize("pair", parameters())
def test_pair_connects(lab, pair, record_property):
    a_site, b_site, server = sites(lab, pair)
    server.backbone()
    a = start(a_site, server, A_OVERLAY, "-public")
    b = start(b_site, server, B_OVERLAY, "-connect", a.id, port=9444 if pair.shared else 9443)
    begun = time.monotonic()
    seconds = b.host.wait_ping(A_OVERLAY, PING_SECONDS)
    first = b.peer(a)["path"]["kind"]
    direct, why = judge(pair, a, b, begun)
    rate = b.host.throughput(a.host, A_OVERLAY, seconds=2)
    assert rate > 0
    last = b.peer(a)["path"]["kind"]
    assert pair.oracle != oracle.NEVER or "direct" not in kinds_of(a, b), "direct against the rules: the oracle is wrong"
    record_property("reach", json.dumps({
        **asdict(pair), "oracle": pair.oracle, "first": first, "last": last, "seconds": round(seconds, 1),
        "direct": direct and round(direct, 1), "why": why, "mbits": round(rate / 1e6, 1)}))
