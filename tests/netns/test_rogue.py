# SPDX-License-Identifier: Apache-2.0
"""An admitted peer that lies (tests/rogue): what the others still get.

    victim ──┬── friend      has a tunnel to the victim, and keeps using it
             ├── newcomer    admitted, comes while the rogue is at it
             └── rogue       admitted, has a session, and abuses it

Each lab tells one lie at the highest rate that the rogue can make, and then asks for the same things: the victim's API
answers, the friend's tunnel carries, the newcomer connects, memory is bounded, and SIGTERM ends the node.
"""

import json
import os
import re
import socket
import statistics
import time

import lab as labs
import pytest
from lab import wait_for

ROGUE = os.environ.get("SHADOWMESH_ROGUE") or labs.program("tests/rogue/rogue")
SECONDS = 30
VICTIM, FRIEND, NEWCOMER = "10.10.10.1", "10.10.10.2", "10.10.10.3"
GATEWAY, SPARE = "10.10.10.254", "10.10.10.253"
API_S, CONNECT_S, STOP_S, GROWTH_KB = 0.1, 2, 2, 16 * 1024
KEPT = 0.9
# Two flooded workers and whatever else runs share what the rogue leaves of the machine: with two cores it is one.
KEPT_BY_BOTH_FLOODED = 0.9 if os.cpu_count() >= 4 else 0.5
FLOWS = 8  # so many that each of the victim's workers has some, but for once in a hundred times
FLOW_BITS = 2500000


class Stage:
    def __init__(self, lab, lan=False):
        self.lab = lab
        victim, friend, newcomer, rogue, _, _ = lab.internet(sites=("victim", "friend", "newcomer", "rogue"))
        self.rogue_host = rogue
        if lan:
            self.add_lan(victim)
        self.keys = rogue.node(start=False, label="rogue")
        self.friend, self.newcomer = friend.node(start=False), newcomer.node(start=False)
        admitted = [flag for node in (self.friend, self.newcomer, self.keys) for flag in ("-allow", node.id)]
        self.victim = victim.node("-tap-ip", VICTIM, "-tap-netmask", 24, *admitted, "-workers", 2, "-relay")
        for node, address in ((self.friend, FRIEND), (self.newcomer, NEWCOMER)):
            node.flags = ["-tap-ip", address, "-tap-netmask", "24", "-connect", f"{self.victim.id}@{victim.address}"]
        self.friend.start()
        friend.wait_ping(VICTIM, 10)

    def add_lan(self, victim):
        gateway = self.lab.host("gateway")
        self.lab.link(victim, "lan0", gateway, "eth0")
        victim.ip("addr", "add", "10.10.10.9/24", "dev", "lan0")
        gateway.ip("addr", "add", f"{GATEWAY}/24", "dev", "eth0")
        victim.ip("route", "add", "198.18.0.0/16", "via", GATEWAY, "dev", "lan0")

    @property
    def device_mac(self):
        return self.victim.host.mac(self.victim.status()["device"])

    def start_rogue(self, lie, *more, seconds=SECONDS):
        """Returns once the rogue has its session."""
        at = self.victim.host.address
        rogue = self.rogue_host.start(ROGUE, "-keydir", self.keys.keydir, "-to", self.victim.id, "-control", f"{at}:8443",
                                      "-data", f"{at}:9443", "-lie", lie, "-seconds", seconds, *more, name="rogue")
        rogue.wait_log("^connected$", 10)
        return rogue

    def api_seconds(self):
        """How long the victim's API takes to answer."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10 * labs.PATIENCE)
            begin = time.monotonic()
            s.connect(str(self.victim.run_dir / f"{self.victim.id}.sock"))
            s.sendall(b'{"cmd": "status"}\n')
            while not s.recv(65536).endswith(b"\n"):
                pass
            return time.monotonic() - begin

    def memory_kb(self):
        status = open(f"/proc/{self.node_pid()}/status").read()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])

    def node_pid(self):
        return next(pid for pid in self.victim.host.pids()
                    if open(f"/proc/{pid}/cmdline").read().split("\0")[0].endswith("shadowmesh-l2"))


def goes_first(process):
    """A line does not wait for the CPUs of this machine: the program that stands for it is not interrupted either, not
    even by a worker that has the right of way."""
    os.sched_setscheduler(process.pid, os.SCHED_RR, os.sched_param(2))


def answered(stream, count):
    """The share of the next so many pings that is answered."""
    first = stream.last() + 1
    stream.wait_sequence(first + count, 30)
    return sum(first <= seq < first + count for _, seq, _ in stream.replies()) / count


def others_are_served(stage, figure, lie, *more, line_rate=False, keep=KEPT):
    """Tells the lie, and asserts what the others get meanwhile. Returns the victim's drops by reason."""
    stream = stage.friend.host.ping_stream(VICTIM, interval=0.01)
    stream.wait_replies(20, 10)
    before, memory = answered(stream, 100), stage.memory_kb()
    rogue = stage.start_rogue(lie, *more)
    if line_rate:
        goes_first(rogue)
    api = statistics.median(stage.api_seconds() for _ in range(10))
    kept = answered(stream, 200)
    begin = time.monotonic()
    stage.newcomer.start(wait=False)
    wait_for(lambda: stage.newcomer.peer(stage.victim).get("state") == "connected", 20, "the newcomer is connected")
    connected = time.monotonic() - begin
    carried = streams_carried(stage) if line_rate else []
    grown = stage.memory_kb() - memory
    assert rogue.running, f"the lie was over too soon:\n{rogue.log()}"
    drops = stage.victim.drops()
    begin = time.monotonic()
    code = stage.victim.process.stop(seconds=20)
    stopped = time.monotonic() - begin
    figure(f"{lie}: API {1000 * api:.0f} ms, a newcomer {connected:.1f} s, SIGTERM {stopped:.1f} s, "
           f"{100 * kept:.0f} of {100 * before:.0f} % of pings, {grown} kB more"
           + "".join(f", {100 * share:.0f} % of {name}" for name, share in carried))
    assert api < API_S * labs.PATIENCE and connected < CONNECT_S * labs.PATIENCE and stopped < STOP_S * labs.PATIENCE
    assert kept >= keep * before and grown < GROWTH_KB * labs.PATIENCE and code == 0
    assert all(share >= keep for _, share in carried)
    return drops


def streams_carried(stage):
    """[(name, share)] of the friend's streams of 20 Mbit/s, each in several flows, that arrive at the victim."""
    friend, victim = stage.friend.host, stage.victim.host
    udp = friend.iperf(victim, VICTIM, "-P", FLOWS, udp=FLOW_BITS)["end"]["sum"]
    tcp = friend.iperf(victim, VICTIM, "-P", FLOWS, "-b", FLOW_BITS)["end"]["sum_received"]
    return [("UDP", 1 - udp["lost_percent"] / 100), ("TCP", tcp["bits_per_second"] / FLOWS / FLOW_BITS)]


LONG_LIES = ("full-probes", "wrong-answers", "same-step", "late-streams", "wrong-offers")


@pytest.mark.parametrize("lie", ["probes", "unasked-answers", "garbage", "fragments", "steps", "streams", "wrong-segments", "relay-words",
                                 *(pytest.param(lie, marks=pytest.mark.long) for lie in LONG_LIES)])
def test_others_are_served_while_a_peer_floods_control_datagrams(lab, figure, lie):
    drops = others_are_served(Stage(lab), figure, lie)
    if lie != "steps":
        assert drops["control_rate"] + drops["control_queue"] > 1000, drops


@pytest.mark.parametrize("lie", ["candidates", "wakes", "unknown-messages"])
def test_others_are_served_while_a_peer_floods_its_control_connection(lab, figure, lie):
    stage = Stage(lab)
    others_are_served(stage, figure, lie)
    assert "says more on its control connection than any node has to" in stage.victim.log()


@pytest.mark.parametrize("lie", ["links", "hellos"])
def test_others_are_served_while_a_peer_connects_again_and_again(lab, figure, lie):
    others_are_served(Stage(lab), figure, lie)


def test_others_are_served_while_a_peer_opens_trunks_for_ever(lab, figure):
    drops = others_are_served(Stage(lab), figure, "trunks")
    assert drops["stranger"] > 10, drops


def test_others_are_served_while_a_peer_floods_a_trunk_of_which_it_reads_nothing(lab, figure):
    drops = others_are_served(Stage(lab), figure, "trunk-frames")
    assert drops["storm"] > 1000, drops


def test_others_are_served_while_a_peer_floods_frames(lab, figure):
    drops = others_are_served(Stage(lab), figure, "frames")
    assert drops["storm"] > 1000, drops


@pytest.mark.alone
@pytest.mark.parametrize("lanes", [1, 2])
def test_a_peer_at_line_rate_to_our_own_address_leaves_the_others_theirs(lab, figure, lanes):
    """One lane overloads one of the victim's workers, two overload both. The rest of a machine of two cores is one."""
    stage = Stage(lab)
    drops = others_are_served(stage, figure, "frames", "-destination", stage.device_mac, "-lanes", lanes, line_rate=True,
                              keep=KEPT if lanes == 1 else KEPT_BY_BOTH_FLOODED)
    assert drops.get("overload", 0) > 1000, drops


def test_a_peer_takes_no_address_that_another_announced(lab):
    """It sends with the friend's MAC address, and says in HELLO that it is its own: the friend's pings come back."""
    stage = Stage(lab)
    mac = stage.friend.host.mac(stage.friend.status()["device"])
    stage.start_rogue("frames", "-source", mac, "-claim-mac", mac, "-rate", 2000)
    stage.friend.host.ping(VICTIM, count=100, interval=0.02)
    drops = stage.victim.drops()
    assert drops["pinned"] > 100, drops


def test_a_peer_takes_no_gateways_address(lab):
    """The victim's LAN overlaps the tunnel's subnet. What goes to its gateway keeps going there."""
    stage = Stage(lab, lan=True)
    rogue = stage.start_rogue("nothing", "-claim-address", f"{GATEWAY}/24", "-claim-address", f"{SPARE}/24")
    route = lambda to: stage.victim.host.run("ip", "route", "get", to).stdout
    wait_for(lambda: "dev tap0" in route(SPARE), 10, "an address that nobody has is routed to the rogue")
    assert "dev lan0" in route(GATEWAY)
    assert rogue.running


@pytest.mark.early
def test_a_peer_that_takes_steps_too_often_is_slowed_down(lab):
    stage = Stage(lab)
    rogue = stage.start_rogue("steps", seconds=18)
    rogue.wait(30)
    said = json.loads(rogue.log().splitlines()[-1])
    assert 1 <= said["steps"] <= 3, said
    stage.friend.host.ping(VICTIM, count=10)
