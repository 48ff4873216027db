#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""One node with many live peers: what passes through it beside what passes with one. Prints tables, and asserts nothing. Needs
root, and open files (`ulimit -n`) for three times as many as there are peers.

    crowd (tests/rogue/crowd.c: all peers in one process, in the node's own namespace) ── node ── veth ── node b

    bench/many.py [--build build] [--peers 500] [--workers 1,2] [--seconds 3] [--rounds 3]

From the crowd: all of it sends frames in turns, as one thread seals them, against a crowd of one. Beside it: one ordinary peer, while
the crowd is there and sends nothing, against no crowd. To it: frames for everybody, each of which the node seals for all.
"""

import argparse
import os
import socket
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests" / "netns")]
HUB, OTHER = "10.10.10.100", "10.10.10.3"
FULL, SMALL = 1428, 78  # bytes of a frame: what fits a datagram, and UDP with 36
EXPERIMENTAL = b"\x88\xb5"
BROADCAST, INNER = 78, 12
BROADCASTS = (20, 200)  # a second


def options():
    parser = argparse.ArgumentParser(description="One node with many live peers.")
    parser.add_argument("--build", default=ROOT / "build", type=Path)
    parser.add_argument("--peers", default=500, type=int)
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--seconds", default=3, type=float)
    parser.add_argument("--rounds", default=3, type=int)
    return parser.parse_args()


class Hub:
    """A node, an ordinary peer of it, and a crowd of count."""

    def __init__(self, lab, count, workers):
        import bench
        import lab as labs
        import scale
        self.a, self.b = bench.underlay(lab)
        for host in (self.a, self.b):
            host.sysctl("net.ipv6.conf.default.disable_ipv6", 1)  # whose solicitations would be frames for everybody
        flags = ("-port", 9443, "-control-port", 8443, "-tap-netmask", 24, "-workers", workers)
        self.node = self.a.node(*flags, "-tap-ip", HUB, "-public")
        self.other = self.b.node(*flags, "-tap-ip", OTHER, "-connect", f"{self.node.id}@{self.a.address}:8443")
        self.b.wait_ping(HUB, 20)
        labs.wait_for(lambda: self.other.peer(self.node)["path"]["mtu"] > 1440, 20, "the path's size is found")
        self.crowd = scale.Crowd(self.node, count, workers) if count else None

    def frames_written(self):
        """By the node, to its device."""
        return int(Path(f"/proc/{self.node.process.pid}/net/dev").read_text().split("tap0:")[1].split()[1])

    def cpu(self):
        import lab as labs
        return labs.cpu_s(self.node.process.pid)

    def from_crowd(self, size, seconds):
        """(Thousands of frames a second that reach the device, CPU µs of the node for each)."""
        frames, cpu, begin = self.frames_written(), self.cpu(), time.monotonic()
        self.crowd.send(size, seconds)
        taken = time.monotonic() - begin
        frames, cpu = self.frames_written() - frames, self.cpu() - cpu
        return frames / taken / 1e3, cpu / frames * 1e6

    def beside(self, chosen):
        """(Gbit/s of a TCP stream from the ordinary peer, thousands of datagrams of 64 bytes)."""
        import rows
        blast = Path(os.environ["SHADOWMESH_BUILD"]) / "bench" / "blast"
        gbit = self.b.throughput(self.a, HUB, "-C", "cubic", seconds=chosen.seconds) / 1e9
        return gbit, rows.most_datagrams(blast, self.b, self.a, HUB, 64, chosen.seconds) / 1e3

    def sent_to_peers(self):
        """Frames for everybody, each peer's counted, by their bytes: those of inner headers are counted too."""
        return sum(peer["tx_bytes"] for peer in self.node.status()["peers"]) / (BROADCAST + INNER)

    def to_crowd(self, rate, seconds):
        """While frames for everybody enter the node's device: how many each second, to how many peers each went, and the CPU of the
        node, as a share of one core."""
        with self.a.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as device:
            device.bind(("tap0", 0))
            frame = b"\xff" * 6 + bytes.fromhex(self.a.mac("tap0").replace(":", "")) + EXPERIMENTAL + bytes(BROADCAST - 14)
            to_peers, cpu, begin, sent = self.sent_to_peers(), self.cpu(), time.monotonic(), 0
            while time.monotonic() - begin < seconds:
                device.send(frame)
                sent += 1
                time.sleep(max(begin + sent / rate - time.monotonic(), 0))
            taken = time.monotonic() - begin
        cpu = self.cpu() - cpu
        return sent / taken, (self.sent_to_peers() - to_peers) / sent, cpu / taken

    def close(self):
        if self.crowd:
            self.crowd.close()


def measured(chosen, count, workers):
    """{what: [figures]} of one round."""
    from lab import Lab
    lab = Lab("many", echo=lambda line: None)
    try:
        hub, found = Hub(lab, count, workers), {}
        if count:
            found["full"], found["small"] = hub.from_crowd(FULL, chosen.seconds), hub.from_crowd(SMALL, chosen.seconds)
        if count != 1:
            found["beside"] = hub.beside(chosen)
        if count > 1:
            found["broadcast"] = [hub.to_crowd(rate, chosen.seconds) for rate in BROADCASTS]
        hub.close()
        return found
    finally:
        lab.close()


def middle(rounds, what, *index):
    def pick(value):
        for number in index:
            value = value[number]
        return value
    return statistics.median(pick(found[what]) for found in rounds)


def tell(chosen, workers, rounds):
    many, one, none = (rounds[count] for count in (chosen.peers, 1, 0))
    print(f"\n-workers {workers}\n\n| | with {chosen.peers} peers | with one | ratio |\n|---|---|---|---|")
    for what, title in (("full", f"frames of {FULL} bytes from peers"), ("small", f"frames of {SMALL} bytes from peers")):
        (rate, cost), (rate_one, cost_one) = ([middle(side, what, index) for index in (0, 1)] for side in (many, one))
        print(f"| {title}, thousands a second | {rate:.0f} | {rate_one:.0f} | {rate / rate_one:.2f} |")
        print(f"| CPU of the node for each, µs | {cost:.2f} | {cost_one:.2f} | {cost / cost_one:.2f} |")
    for index, title in ((0, "TCP of an ordinary peer, Gbit/s"), (1, "its UDP of 64 bytes, kpps")):
        beside, alone = (middle(side, "beside", index) for side in (many, none))
        print(f"| {title} | {beside:.2f} | {alone:.2f} | {beside / alone:.2f} |")
    for index in range(len(BROADCASTS)):
        made, reached, share = (middle(many, "broadcast", index, number) for number in (0, 1, 2))
        print(f"| {made:.0f} frames a second for everybody, each sent to {reached:.0f}: CPU of the node, cores | {share:.2f} | | |")
    sys.stdout.flush()


def main():
    chosen = options()
    os.environ["SHADOWMESH_BUILD"] = str(chosen.build.resolve())
    for workers in chosen.workers.split(","):
        rounds = {count: [] for count in (chosen.peers, 1, 0)}
        for _ in range(chosen.rounds):
            for count, found in rounds.items():
                found.append(measured(chosen, count, workers))
        tell(chosen, workers, rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
