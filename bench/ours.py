# SPDX-License-Identifier: Apache-2.0
"""ShadowMesh in `make bench`, and what else of it is measured beside it: without its cipher, over TCP, and by those who relay.

    a eth0 198.51.100.1 ───────────────────────────── 198.51.100.2 eth0 b
    a 198.51.101.2 ── 203.0.113.2 which relays, or not ── 198.51.102.2 b     with eth0 down
"""

from pathlib import Path
from types import SimpleNamespace

import lab as labs
from lab import wait_for
from program import A, B, Program, first_line

NULL_BUILD = labs.BUILD.resolve().parent / "build-bench-null"
MIDDLE, RELAY = "203.0.113.2", "10.10.10.5"
FREE = ("-relay-rate", "100000", "-source-rate", "100000")


class ShadowMesh(Program):
    key, title = "shadowmesh", "ShadowMesh"
    binary = None  # of another build
    flags = ()
    kind = "direct"  # of the path that is measured
    backbone = None

    def missing(self):
        return None if Path(self.binary or labs.program("shadowmesh-l2")).exists() else "not built: run make"

    def version(self):
        return first_line(self.binary or labs.program("shadowmesh-l2"), "-version")

    def address(self, host):
        return host.address

    def node(self, host, address, *more):
        return labs.Node(host, [*self.flags, "-backbone", self.backbone.url, "-ip", self.address(host), "-tap-ip", address, *more],
                         label=self.key, binary=self.binary)

    def prepare(self):
        self.backbone = labs.Backbone(self.a)
        self.node_a = self.node(self.a, A, "-public")
        self.node_b = self.node(self.b, B, "-connect", self.node_a.id)
        assert self.node_b.id

    def start_a(self):
        if not self.backbone.process or not self.backbone.process.running:
            self.backbone.start()
        self.node_a.start(wait=False)
        self.processes = [self.node_a.process]
        self.wait_device(self.a, "tap0")
        self.node_a.wait_ready()
        wait_for(lambda: self.backbone.knows(self.node_a), 10, "the backbone knows the waiting node")

    def start_b(self):
        self.node_b.start(wait=False)
        self.processes.append(self.node_b.process)

    def is_settled(self, node, other):
        path = node.peer(other).get("path") or {}
        return path.get("kind") == self.kind and path["mtu"] > 1440

    def settled(self):
        wait_for(lambda: self.is_settled(self.node_a, self.node_b) and self.is_settled(self.node_b, self.node_a), 30,
                 f"a path of kind {self.kind}, and its size")

    def stop(self):
        super().stop()
        if self.backbone and self.backbone.process and self.backbone.process.running:
            self.backbone.stop()


class OverTcp(ShadowMesh):
    """The same over TCP to the peer's own port, as where no UDP passes."""
    key, title, limit = "shadowmesh-tcp", "own, over TCP", True
    flags = ("-carrier", "tcp")
    kind = "tcp"


class NullCipher(ShadowMesh):
    """The same program with a cipher that does nothing, which exists in this build only: what encryption costs."""
    key, title, limit = "null", "own, no cipher", True
    binary = str(NULL_BUILD / "shadowmesh-l2")
    flags = ("-test-null-cipher",)

    def missing(self):
        if "bench_null" not in (labs.ROOT / "meson_options.txt").read_text():
            return "this source has no null cipher"
        return super().missing()


class Relayed(ShadowMesh):
    """Nothing straight passes: both ends reach only a third host, which does not route."""
    limit = True
    kind = "relay"
    backbone_flags = FREE
    addresses = {"a": "198.51.101.2", "b": "198.51.102.2"}

    def address(self, host):
        return MIDDLE if host is self.middle else self.addresses[host.name]

    def ends(self):
        return [(self.a, "eth1"), (self.b, "eth1"), (self.middle, "to-a"), (self.middle, "to-b")]

    def prepare(self):
        self.middle = self.a.lab.host(self.key)
        self.middle.address = MIDDLE
        self.middle.ip("addr", "add", f"{MIDDLE}/32", "dev", "lo")
        self.backbone = labs.Backbone(self.middle, flags=self.backbone_flags)
        self.node_a = self.node(self.a, A, "-public")
        self.node_b = self.node(self.b, B, "-connect", self.node_a.id)
        assert self.node_b.id

    def connect(self):
        for host in (self.a, self.b):
            self.a.lab.link(host, "eth1", self.middle, f"to-{host.name}")
            host.ip("addr", "add", f"{self.address(host)}/32", "dev", "eth1")
            host.ip("route", "add", MIDDLE, "dev", "eth1")
            self.middle.ip("route", "add", self.address(host), "dev", f"to-{host.name}", "src", MIDDLE)
            host.ip("link", "set", "eth0", "down")

    def daemons(self):
        return [*self.processes, self.backbone.process]

    def stop(self):
        super().stop()
        for host in (self.a, self.b):
            host.ip("link", "del", "eth1", check=False)
            host.ip("link", "set", "eth0", "up")


class BackboneRelay(Relayed):
    """By the backbone's relay."""
    key, title = "backbone-relay", "own, by backbone"


class PeerRelay(Relayed):
    """By another node, which relays for these two."""
    key, title = "peer-relay", "own, by a peer"
    backbone_flags = ("-relay-rate", "0")

    def prepare(self):
        super().prepare()
        self.relay = self.node(self.middle, RELAY, "-relay", *FREE[:2], "-allow", self.node_a.id, "-allow", self.node_b.id)
        for node in (self.node_a, self.node_b):
            node.flags += ["-connect", f"{self.relay.id}@{MIDDLE}"]

    def start_a(self):
        self.backbone.start()
        self.relay.start()
        super().start_a()

    def daemons(self):
        return [*self.processes, self.relay.process]

    def stop(self):
        super().stop()
        if self.relay.process and self.relay.process.running:
            self.relay.stop()


class Uplink(Relayed):
    """Over TCP by the backbone's uplink, as where nothing else passes: a process beside each node carries it."""
    key, title = "uplink", "own, by uplink"
    flags = ("-carrier", "tcp")
    kind = "tcp"

    def daemons(self):
        carriers = [SimpleNamespace(pid=pid) for process in self.processes for pid in labs.helpers(process).values()]
        return [*super().daemons(), *carriers]
