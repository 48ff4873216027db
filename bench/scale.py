#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How ShadowMesh scales: 1 and 2 workers in every node, 1 and 8 peers that send to one node at once, on one machine.

    p0 … p7 ── router ── hub        backbone on `server`
    every p sends one TCP stream through its own tunnel to the hub; the row is their sum

All nodes and the load share the machine's cores: on two cores this shows what more workers and peers cost, not what more
cores would give.
"""

import argparse
import json
import os
import statistics
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


def options():
    parser = argparse.ArgumentParser(description="ShadowMesh with more workers and more peers.")
    parser.add_argument("--workers", default="1,2", help="worker counts, with commas (default 1,2)")
    parser.add_argument("--peers", default="1,8", help="peer counts, with commas (default 1,8)")
    parser.add_argument("--seconds", type=float, default=3, help="length of a measurement (default 3)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each (default 3)")
    chosen = parser.parse_args()
    chosen.workers = [int(text) for text in chosen.workers.split(",")]
    chosen.peers = [int(text) for text in chosen.peers.split(",")]
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
    finally:
        os.close(keep)


if __name__ == "__main__":
    main()
