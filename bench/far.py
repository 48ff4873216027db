#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""ShadowMesh far away: the same path with and without the tunnel, over a wire that takes its time (bench/wire.c). Prints
tables, and asserts nothing. Needs root.

    a 198.51.100.1 ── eth0 ══ wire: delay, loss, rate, marks ══ eth0 ── 198.51.100.2 b

    bench/far.py [--build build] [--rounds 3] [--seconds 10] [--rows carries,tcp,bottleneck,ecn] [--controls cubic,bbr]
                 [--round-trips 20,50,100] [--losses 0,0.1,1]
"""

import argparse
import contextlib
import itertools
import json
import os
import re
import statistics
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests" / "netns")]
ROWS = ("carries", "tcp", "bottleneck", "ecn")
ROUND_TRIPS = (20, 50, 100)
LOSSES = (0, 0.1, 1)
CONTROLS = ("cubic", "bbr")
STREAMS = 8  # where losses limit each: their chance is told only by many of them
BOTTLENECK = (50, 100)  # Mbit/s, ms of buffer
SETTLE_S = 4  # a stream that chance limits begins far above its rate
WAYS = ("without", "tunnel")


def options():
    parser = argparse.ArgumentParser(description="TCP, pings and ECN over a long way, with and without the tunnel.")
    parser.add_argument("--build", default=ROOT / "build", type=Path)
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--seconds", default=10, type=float)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--round-trips", default=",".join(map(str, ROUND_TRIPS)), metavar="MS")
    parser.add_argument("--losses", default=",".join(map(str, LOSSES)), metavar="PERCENT")
    parser.add_argument("--controls", default=",".join(CONTROLS), help="congestion controls of TCP")
    chosen = parser.parse_args()
    chosen.round_trips = [float(ms) for ms in chosen.round_trips.split(",")]
    chosen.losses = [float(percent) for percent in chosen.losses.split(",")]
    chosen.rows, chosen.controls = chosen.rows.split(","), chosen.controls.split(",")
    return chosen


class Far:
    """Two hosts and what lies between them."""

    def __init__(self, lab, delay_ms, loss=0, seed=1, *more):
        import lab as labs
        self.a, self.b, middle = lab.host("a"), lab.host("b"), lab.host("wire")
        self.wire = middle.start(labs.BUILD / "bench" / "wire", "wa", "wb", delay_ms, loss, seed, *more)
        self.wire.wait_log("ready")
        for device, host, address in (("wa", self.a, "198.51.100.1"), ("wb", self.b, "198.51.100.2")):
            middle.ip("link", "set", device, "netns", host.namespace, "name", "eth0")
            host.ip("addr", "add", f"{address}/24", "dev", "eth0")
            host.ip("link", "set", "eth0", "up")
            host.address = address

    @contextlib.contextmanager
    def by(self, way):
        """The overlay's addresses: on the devices themselves, or on the tunnel's."""
        import programs
        from lab import wait_for
        program = {"without": programs.Veth, "tunnel": programs.ShadowMesh}[way](self.a, self.b)
        try:
            program.prepare()
            program.start_a()
            program.start_b()
            wait_for(lambda: self.b.answers(programs.A), 30, "an answer to a ping")
            program.settled()
            yield program
        finally:
            program.stop()

    def tcp(self, control, streams, seconds):
        """Mbit/s of all streams, and segments sent again."""
        import programs
        end = self.b.iperf(self.a, programs.A, "-C", control, "-P", streams, "-O", SETTLE_S, seconds=seconds)["end"]
        return end["sum_received"]["bits_per_second"] / 1e6, end["sum_sent"].get("retransmits", 0)

    def end(self):
        """What the wire counted in either direction."""
        self.wire.stop()
        return list(json.loads(self.wire.log().splitlines()[-1]).values())


@contextlib.contextmanager
def far(title, *wire):
    from lab import Lab
    lab = Lab(title, echo=lambda line: None)
    try:
        yield Far(lab, *wire)
    finally:
        lab.close()


def say(line):
    print(line, flush=True)


def streams_of(control, loss):
    return STREAMS if control == "cubic" and loss else 1


def shown(values):
    """Median ± half the range."""
    middle = statistics.median(values)
    return f"{middle:.4g} ±{50 * (max(values) - min(values)) / middle:.0f}%" if middle else "0"


def worst(counts, key):
    return max(count[key] for count in counts)


def carries(chosen):
    """What the wire itself carries: without delay TCP is as fast as it."""
    values = {way: [] for way in WAYS}
    for _ in range(chosen.rounds):
        for way in WAYS:
            with far("carries", 0) as place:
                with place.by(way):
                    values[way].append(place.tcp("cubic", 1, chosen.seconds)[0])
                counts = place.end()
    say(f"\nWithout delay the wire carries {shown(values['without'])} Mbit/s, and {shown(values['tunnel'])} through the tunnel; "
        f"it lost {worst(counts, 'no_room') + worst(counts, 'refused')} packets for want of room")


def tcp(chosen):
    say("\n| round trip, loss | control | streams | without, Mbit/s | tunnel, Mbit/s | tunnel / without | late |\n|---|---|---|---|---|---|---|")
    for ms, loss in itertools.product(chosen.round_trips, chosen.losses):
        values, late = {(way, control): [] for way in WAYS for control in chosen.controls}, 0
        for number, way in itertools.product(range(chosen.rounds), WAYS):
            with far("tcp", ms / 2, loss, number) as place:
                with place.by(way):
                    for control in chosen.controls:
                        values[way, control].append(place.tcp(control, streams_of(control, loss), chosen.seconds)[0])
                late = max(late, worst(place.end(), "late_ms"))
        for control in chosen.controls:
            without, tunnel = (values[way, control] for way in WAYS)
            ratios = [mine / other for mine, other in zip(tunnel, without)]
            say(f"| {ms:g} ms, {loss:g} % | {control} | {streams_of(control, loss)} | {shown(without)} | {shown(tunnel)} | {statistics.median(ratios):.3f} ({min(ratios):.2f} to {max(ratios):.2f}) | {late:.1f} ms |")


def pings(place, control, seconds):
    """p50, p99 of pings beside a stream, ms, and the stream's Mbit/s, once it has settled."""
    import programs
    rates = []
    runner = threading.Thread(target=lambda: rates.append(place.tcp(control, 1, seconds)[0]))
    runner.start()
    time.sleep(SETTLE_S)
    begin, stream = time.time(), place.b.ping_stream(programs.A, interval=0.02)
    time.sleep(seconds)
    stream.stop()
    times = sorted(rtt for at, _, rtt in stream.replies() if at > begin)
    runner.join()
    return times[len(times) // 2], times[int(len(times) * 0.99)], rates[0]


def bottleneck(chosen):
    rate, buffer = BOTTLENECK
    say(f"\nBottleneck of {rate} Mbit/s with {buffer} ms of buffer, 20 ms round trip:\n\n"
        "| control | way | ping p50, ms | p99 | stream, Mbit/s |\n|---|---|---|---|---|")
    for control in chosen.controls:
        values = {way: [] for way in WAYS}
        for _, way in itertools.product(range(chosen.rounds), WAYS):
            with far("bottleneck", 10, 0, 1, rate, buffer) as place, place.by(way):
                values[way].append(pings(place, control, 2 * chosen.seconds))
        for way in WAYS:
            say(f"| {control} | {way} | " + " | ".join(shown(column) for column in zip(*values[way])) + " |")


def nstat(host, name):
    text = host.run("nstat", "-asz", echo=False).stdout
    return int(re.search(rf"^{name}\s+(\d+)", text, re.MULTILINE)[1])


def ecn(chosen):
    """The wire marks instead of losing: who is told by the marks sends nothing again."""
    say("\nThe wire marks 1 % of the packets that know ECN (20 ms round trip):\n\n"
        "| way | marked by the wire | lost | sender told of marks | sent again | Mbit/s |\n|---|---|---|---|---|---|")
    for way in WAYS:
        with far("ecn", 10, 1, 1, 0, 0, "mark") as place:
            for host in (place.a, place.b):
                host.sysctl("net.ipv4.tcp_ecn", 1)
            with place.by(way):
                before = nstat(place.b, "TcpExtTCPDeliveredCE")
                rate, again = place.tcp("cubic", 1, chosen.seconds)
                told = nstat(place.b, "TcpExtTCPDeliveredCE") - before
            counts = place.end()
        say(f"| {way} | {worst(counts, 'marked')} | {worst(counts, 'lost')} | {told} | {again} | {rate:.0f} |")


def main():
    chosen = options()
    os.environ["SHADOWMESH_BUILD"] = str(chosen.build.resolve())
    for row in chosen.rows:
        globals()[row](chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
