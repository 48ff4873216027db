#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""One TCP stream between two nodes: straight, by a node that relays, by the backbone's relay, and by coturn, the usual TURN server, all
in one run on one machine. Prints Mbit/s and what each relay costs, and asserts nothing. Needs root, and coturn.

    a 198.51.100.2 ──┐
    b 198.51.101.2 ──┼── inet ── 203.0.113.2: the backbone, or coturn
    c 198.51.102.2 ──┘   c relays, or is the user of TURN by which a reaches b (bench/turn.c)

    bench/relays.py [--build build] [--seconds 5] [--runs 3]
"""

import argparse
import os
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "netns"))
FREE = ("-relay-rate", "100000", "-source-rate", "100000")
APART = """
table inet apart {
    chain passing { type filter hook forward priority 0; ip saddr 198.51.100.0/23 ip daddr 198.51.100.0/23 meta l4proto udp drop; }
}"""

SHUT = """
table inet shut {
    chain in { type filter hook input priority 0; udp dport 8080 drop; }
}"""


def options():
    parser = argparse.ArgumentParser(description="One TCP stream straight, by our relays, and by coturn.")
    parser.add_argument("--build", default=ROOT / "build", type=Path)
    parser.add_argument("--seconds", default=5, type=int)
    parser.add_argument("--runs", default=3, type=int)
    return parser.parse_args()


def measured(a, b, relay, seconds):
    """(Mbit/s, CPU s per GB of the process relay) of a stream from b to a."""
    from lab import A_OVERLAY, cpu_s
    before = cpu_s(relay) if relay else 0
    received = b.host.iperf(a.host, A_OVERLAY, seconds=seconds)["end"]["sum_received"]
    cpu = cpu_s(relay) - before if relay else 0
    return received["bits_per_second"] / 1e6, cpu / received["bytes"] * 1e9


def wait_path(node, other, kind, mtu, remote=""):
    import lab as labs
    labs.wait_for(lambda: (path := node.peer(other).get("path")) and path["kind"] == kind and path["mtu"] >= mtu
                  and path["remote"].startswith(remote), 40, f"a path of kind {kind}")


def ours(lab, seconds):
    """Straight, by a node, by the backbone."""
    from lab import A_OVERLAY, B_OVERLAY
    from relay_lab import node_on
    a_host, b_host, c_host, server, inet = lab.internet(sites=("site-a", "site-b", "site-c"))
    backbone = server.backbone(flags=FREE)
    a, b, c = (node_on(host, backbone, address) for host, address in (
        (a_host, A_OVERLAY), (b_host, B_OVERLAY), (c_host, "10.10.10.21")))
    c.flags += ["-relay", "-relay-rate", "100000", "-allow", a.id, "-allow", b.id]
    a.flags += ["-connect", f"{c.id}@198.51.102.2", "-allow", b.id]
    b.flags += ["-connect", f"{c.id}@198.51.102.2", "-connect", a.id]
    for node in (c, a, b):
        node.start()
    b_host.wait_ping(A_OVERLAY, 20)
    for node, other in ((a, b), (b, a)):
        wait_path(node, other, "direct", 1472)
    rows = {"straight": measured(a, b, None, seconds)}
    inet.nft(APART)
    server.nft(SHUT)
    for node, other in ((a, b), (b, a)):
        wait_path(node, other, "relay", 1464, "198.51.102.2")
    rows["by a node"] = measured(a, b, c.process.pid, seconds)
    server.run("nft", "delete", "table", "inet", "shut")
    c.kill()
    for node, other in ((a, b), (b, a)):
        wait_path(node, other, "relay", 1464, "203.0.113.2")
    rows["by the backbone"] = measured(a, b, backbone.process.pid, seconds)
    return rows


def coturn(lab, build, seconds):
    """a's datagrams for b go to the user of TURN, which b names as its address."""
    import lab as labs
    from lab import A_OVERLAY, B_OVERLAY
    a_host, b_host, c_host, server, inet = lab.internet(sites=("site-a", "site-b", "site-c"))
    inet.nft(APART)
    turn = server.start("turnserver", "-n", "--no-auth", "--no-tls", "--no-dtls", "--no-cli", "-L", "203.0.113.2", "-p", "3478",
                        "--log-file", "stdout", "--pidfile", server.dir / "turn.pid", name="turnserver")
    labs.wait_for(lambda: ":3478" in server.run("ss", "-Huln", echo=False).stdout, 10, "coturn listens")
    user = c_host.start(build / "bench" / "turn", "9443", "203.0.113.2:3478", "198.51.101.2:9443", name="turn")
    user.wait_log("ready", 10)
    b = b_host.node("-tap-ip", B_OVERLAY, "-tap-netmask", 24, "-public", "-ip", "198.51.102.2", "-carrier", "udp")
    a = a_host.node("-tap-ip", A_OVERLAY, "-tap-netmask", 24, "-connect", f"{b.id}@198.51.101.2", "-carrier", "udp")
    b_host.wait_ping(A_OVERLAY, 30)
    wait_path(a, b, "direct", 1440, "198.51.102.2")
    wait_path(b, a, "direct", 1440, "203.0.113.2")
    return {"by coturn": measured(a, b, turn.pid, seconds)}


def main():
    chosen = options()
    os.environ["SHADOWMESH_BUILD"] = str(chosen.build.resolve())
    from lab import Lab
    runs = []
    for number in range(chosen.runs):
        rows = {}
        for measure in (lambda lab: ours(lab, chosen.seconds), lambda lab: coturn(lab, chosen.build.resolve(), chosen.seconds)):
            lab = Lab(f"relays {number}", echo=lambda line: None)
            try:
                rows |= measure(lab)
            finally:
                lab.close()
        runs.append(rows)
        print(f"run {number + 1}: " + ", ".join(f"{name} {mbit:.0f} Mbit/s" for name, (mbit, _) in rows.items()), flush=True)
    print("\n| way | Mbit/s, median | of straight | CPU s/GB of the relay |\n|---|---|---|---|")
    straight = statistics.median(rows["straight"][0] for rows in runs)
    for name in runs[0]:
        mbit, cpu = (statistics.median(rows[name][index] for rows in runs) for index in (0, 1))
        print(f"| {name} | {mbit:.0f} | {mbit / straight:.2f} | {f'{cpu:.2f}' if cpu else ''} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
