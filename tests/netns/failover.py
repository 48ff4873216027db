# SPDX-License-Identifier: Apache-2.0
"""What may happen to two sites while a stream runs between them, and how long it then stands still.

    site-a 198.51.100.2 ──── inet ──── 198.51.101.2 site-b
                              │
                           server: backbone

The straight path carries, and the ways by the backbone, its relay and over TCP, are warm. Each fault is a change at the internet's router.
Where a relay fails, the sites are those of relay_lab.py: two nodes relay for them, and nothing else carries.
test_failover.py runs each once, bench/failover.py many times.
"""

import threading
from dataclasses import dataclass

import lab as labs
from lab import A_OVERLAY, B_OVERLAY
from relay_lab import Relayed

EVERY = 0.1    # s: of iperf3's intervals
LOOK_S = 6     # the stream goes on so long behind the fault
BETWEEN = "ip saddr { 198.51.100.2, 198.51.101.2 } ip daddr { 198.51.100.2, 198.51.101.2 }"
FAULT = """
table inet fault {{
    chain passing {{ type filter hook forward priority 0; {rule} }}
    chain told {{ type filter hook output priority 0; icmp type destination-unreachable drop; }}
}}"""


def drop(rule):
    return lambda pair: pair.inet.nft(FAULT.format(rule=rule))


def shrink(pair):
    """What passes between the sites is at most 1200 bytes long; nobody tells them."""
    drop("")(pair)
    for number, name in enumerate(("site-a", "site-b")):
        pair.inet.ip("route", "add", f"198.51.{100 + number}.0/24", "dev", name, "mtu", "lock", "1200", "table", "100")
    pair.inet.ip("route", "add", "203.0.113.0/24", "dev", "server", "table", "100")
    pair.inet.ip("rule", "add", "to", "198.51.100.0/23", "from", "198.51.100.0/23", "lookup", "100")


def settled(lab):
    """The reference scenario, as Pair has it."""
    return Pair(lab)


def relayed(lab):
    """Two nodes relay, and both ways are proven."""
    sites = Relayed(lab)
    sites.b.host.wait_ping(A_OVERLAY, 20)
    sites.wait_warm(2)
    return sites


def kill_relay(sites):
    """The one by which the stream goes."""
    used = sites.a.peer(sites.b)["path"]["remote"]
    next(node for node in sites.nodes if sites.address_of(node) == used).kill()


@dataclass(frozen=True)
class Fault:
    happens: object
    limit: float           # s that pings, and the stream, may stand still
    carries: str = "relay"  # what carries then; None: any
    begin: object = settled


FAULTS = {
    "the straight path is cut": Fault(drop(f"{BETWEEN} meta l4proto udp drop;"), 1.0),
    "UDP is blocked": Fault(drop("meta l4proto udp drop;"), 2.0, "tcp"),
    # A path that carries less is a path: whichever answers first carries.
    "the path shrinks from 1500 to 1200 bytes and nobody says so": Fault(shrink, 1.0, None),
    "the backbone is killed": Fault(lambda pair: pair.backbone.kill(), 0.0, "direct"),
    # Probes have 548, 1200 or all the bytes that pass, their answers less than 100.
    "probes pass and data does not": Fault(drop(f"{BETWEEN} udp length 100-500 drop;"), 3.0),
    "the node that relays is killed": Fault(kill_relay, 1.0, begin=relayed),
}


@dataclass
class Outcome:
    pings_s: float   # the longest time in which no ping was answered
    stream_s: float  # … and in which the stream delivered nothing
    carries: str


class Pair:
    """The reference scenario, settled: the straight path carries at its full size, the backbone's are proven."""

    def __init__(self, lab):
        self.a, self.b, self.backbone, self.inet = labs.reference_pair(lab)
        for node, other in ((self.a, self.b), (self.b, self.a)):
            labs.wait_for(lambda: self.is_settled(node, other), 20, "all ways are proven")

    @staticmethod
    def is_settled(node, other):
        peer = node.peer(other)
        kinds = {path["kind"] for path in peer["paths"] if path["state"] == "proven"}
        return peer["path"]["kind"] == "direct" and peer["path"]["mtu"] > 1440 and {"tcp", "relay"} <= kinds


def kind_of(pair):
    """How both ends send; None while they do not agree."""
    a, b = (node.peer(other)["path"]["kind"] for node, other in ((pair.a, pair.b), (pair.b, pair.a)))
    return a if a == b else None


def longest_silence(report):
    """Of a stream that iperf3's client received, in s."""
    longest = run = 0
    for interval in report["intervals"]:
        run = run + 1 if interval["sum"]["bytes"] == 0 else 0
        longest = max(longest, run)
    return longest * EVERY


def outcome_of(pair, fault):
    """The fault happens while a stream from A to B and pings run."""
    reports = []
    stream = threading.Thread(target=lambda: reports.append(
        pair.b.host.iperf(pair.a.host, A_OVERLAY, "-i", EVERY, seconds=LOOK_S + 1, reverse=True)))
    stream.start()
    try:
        pings = pair.a.host.ping_stream(B_OVERLAY)
        pings.wait_replies(100, 10)
        at = pings.last()
        fault.happens(pair)
    finally:
        stream.join()
    labs.wait_for(lambda: pings.last() > at + 100, 20, "pings answered behind the fault")
    kind = labs.wait_for(lambda: kind_of(pair), 40, "both ends send the same way")
    pings.stop()
    return Outcome(pings.longest_gap(after=at - 10), longest_silence(reports[0]), kind)
