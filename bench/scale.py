#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How ShadowMesh scales: 1 and 2 workers in every node, 1 and 8 peers that send to one node at once, on one machine.

    p0 … p7 ── router ── hub        backbone on `server`
    every p sends one TCP stream through its own tunnel to the hub; the row is their sum

All nodes and the load share the machine's cores: on two cores this shows what more workers and peers cost, not what more
cores would give. Then the memory of a node with many connected peers that send nothing, of as many workers as it has:

    crowd (tests/rogue/crowd.c), in the node's own namespace ── node
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "netns")]

import bench  # noqa: E402
import lab as labs  # noqa: E402
import rows  # noqa: E402

HUB = "10.10.10.100"
PORT = 5201
CONTROL_IDLE_S = 10
GIVE_BACK_S = 20


def options():
    parser = argparse.ArgumentParser(description="ShadowMesh with more workers and more peers.")
    parser.add_argument("--workers", default="1,2", help="worker counts, with commas (default 1,2)")
    parser.add_argument("--peers", default="1,8", help="peer counts, with commas (default 1,8)")
    parser.add_argument("--idle", type=int, default=1000, help="peers that send nothing (default 1000; 0: no such table)")
    parser.add_argument("--idle-workers", default="1,2,8", help="workers of these (default 1,2,8)")
    parser.add_argument("--seconds", type=float, default=3, help="length of a measurement (default 3)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each (default 3)")
    chosen = parser.parse_args()
    chosen.workers = [int(text) for text in chosen.workers.split(",")]
    chosen.peers = [int(text) for text in chosen.peers.split(",") if text]
    chosen.idle_workers = [int(text) for text in chosen.idle_workers.split(",")]
    return chosen


def streams(hub, peers, seconds):
    """Gbit/s that the hub got from all peers at once."""
    servers = [hub.start("iperf3", "-s", "-1", "-B", HUB, "-p", PORT + i, "--forceflush", name=f"server-{i}-{time.monotonic_ns()}")
               for i in range(len(peers))]
    for server in servers:
        server.wait_log("Server listening", 5)
    clients = [peer.start("iperf3", "-J", "-c", HUB, "-p", PORT + i, "-t", seconds, name=f"client-{time.monotonic_ns()}")
               for i, peer in enumerate(peers)]
    for client in clients:
        client.wait(seconds + 20)
    for server in servers:
        server.kill()
    return sum(json.loads(client.log())["end"]["sum_received"]["bits_per_second"] for client in clients) / 1e9


def measure(chosen, workers, count):
    """Medians over the rounds of one mesh: {"gbit", "cpu" (of all daemons, s/GB), "rss" (of the hub, MB)}."""
    lab = labs.Lab("scale", echo=lambda line: None)
    try:
        *peers, hub, server, _ = lab.internet([f"p{i}" for i in range(count)] + ["hub"])
        backbone = server.backbone()
        flags = ("-workers", workers)
        first = labs.receiver(hub, backbone, *flags, address=HUB)
        nodes = [labs.sender(peer, backbone, first, *flags, address=f"10.10.10.{i + 1}") for i, peer in enumerate(peers)]
        for node in nodes:
            node.host.wait_ping(HUB, 10)
            labs.wait_for(lambda: node.peer(first).get("path", {}).get("mtu", 0) > 1440, 15, "the path's size is found")
        daemons = [node.process for node in (first, *nodes)]
        rates, costs = [], []
        for _ in range(chosen.rounds):
            before = rows.cpu_seconds(daemons)
            rates.append(streams(hub, peers, chosen.seconds))
            costs.append((rows.cpu_seconds(daemons) - before) / (rates[-1] * chosen.seconds / 8))
        return {"gbit": statistics.median(rates), "cpu": statistics.median(costs), "rss": rows.resident_mb([first.process])}
    finally:
        lab.close()


def peak_mb(process):
    """The most that was resident since reset_peak."""
    return int(Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def reset_peak(process):
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")


class Crowd:
    """Idle peers of a node, each dialled from an address of its own."""

    def __init__(self, node, count, workers):
        host = node.host
        host.ip("link", "set", "lo", "up")
        host.ip("route", "add", "local", "10.0.0.0/8", "dev", "lo")
        self.process = subprocess.Popen(["ip", "netns", "exec", host.namespace, labs.program("tests/rogue/crowd"), str(count), str(workers), node.id, "127.0.0.1",
                                         "8443", "9443"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.hear("connected")

    def hear(self, word):
        said = self.process.stdout.readline().strip()
        assert said == word, f"the crowd says {said!r} instead of {word!r}"

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def change_keys(self):
        self.tell("change")
        self.hear("changed")

    def send(self, size, seconds):
        """All send frames of size bytes in turns; how many."""
        self.tell(f"send {size} {int(1000 * seconds)}")
        return int(self.process.stdout.readline().removeprefix("sent "))

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)


def measure_idle(count, workers):
    """MB of a node: {"open" (with all control connections), "idle", "peak" (while all change keys at once)}."""
    lab = labs.Lab("idle", echo=lambda line: None)
    try:
        host = lab.host("hub")
        host.sysctl("net.ipv6.conf.default.disable_ipv6", 1)  # whose solicitations would be data to everybody
        node = host.node("-port", 9443, "-control-port", 8443, "-tap-ip", HUB, "-tap-netmask", 24, "-public", "-workers", workers,
                         "-test-control-idle-seconds", CONTROL_IDLE_S)
        crowd = Crowd(node, count, workers)
        found = {"open": peak_mb(node.process)}
        labs.wait_for(lambda: idle_peers(node) == count, CONTROL_IDLE_S + 60, "all control connections have ended", every=0.5)
        time.sleep(GIVE_BACK_S)  # in which the node frees what connections have left
        found["idle"] = rows.resident_mb([node.process])
        reset_peak(node.process)
        crowd.change_keys()
        found["peak"] = peak_mb(node.process)
        crowd.close()
        return found
    finally:
        lab.close()


def idle_peers(node):
    return sum(peer["state"] == "connected" and peer["control"] == "idle" for peer in node.status()["peers"])


def print_idle(chosen):
    print(f"{'workers':>8}{'idle peers':>12}{'memory, connecting':>20}{'idle':>12}{'all change keys':>18}", flush=True)
    for workers in chosen.idle_workers:
        found = measure_idle(chosen.idle, workers)
        print(f"{workers:>8}{chosen.idle:>12}{found['open']:>17.1f} MB{found['idle']:>9.1f} MB{found['peak']:>15.1f} MB", flush=True)


def main():
    chosen = options()
    if os.geteuid() != 0:
        sys.exit("scale: network namespaces need root")
    labs.PREFIX = bench.labs.PREFIX
    keep = bench.guard()
    print(f"{'workers':>8}{'peers':>8}{'TCP, sum':>18}{'CPU of the daemons':>22}{'memory of the hub':>20}", flush=True)
    try:
        for count in chosen.peers:
            for workers in chosen.workers:
                found = measure(chosen, workers, count)
                print(f"{workers:>8}{count:>8}{found['gbit']:>11.2f} Gbit/s{found['cpu']:>17.2f} s/GB{found['rss']:>17.1f} MB", flush=True)
        if chosen.idle:
            print_idle(chosen)
    finally:
        os.close(keep)


if __name__ == "__main__":
    main()
