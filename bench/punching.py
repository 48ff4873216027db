#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""How often two sites become direct by punching, and how soon: the labs of tests/netns/test_punch.py, many times. Other machines of
the site whose NAT numbers ports in sequence may take ports meanwhile. Prints figures, and asserts none. Needs root.

    bench/punching.py [--build build] [--runs 50] [--kinds "symmetric, sequential" "port-restricted"] [--others 0 10 50] [--seconds 15]
    bench/punching.py --kinds "symmetric, random" "port-restricted" --others 0 --seconds 30      (the birthday)
"""

import argparse
import os
import socket
import statistics
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def options():
    parser = argparse.ArgumentParser(description="How often two sites become direct by punching, and how soon.")
    parser.add_argument("--build", default=ROOT / "build", type=Path)
    parser.add_argument("--runs", default=50, type=int)
    parser.add_argument("--kinds", nargs=2, default=["symmetric, sequential", "port-restricted"])
    parser.add_argument("--others", nargs="*", default=[0, 10, 50], type=int, help="new mappings a second, of site A's others")
    parser.add_argument("--seconds", default=15, type=float, help="how long a pair has for it")
    return parser.parse_args()


class Others:
    """Takes ports of the site's NAT, so many a second."""

    def __init__(self, host, server, rate):
        self.end = threading.Event()
        with host.inside():
            self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
        self.thread = threading.Thread(target=self.run, args=(server, rate))
        self.thread.start()

    def run(self, server, rate):
        port = 10000
        while rate and not self.end.wait(1 / rate):
            port += 1
            self.sockets[0].sendto(b"x", (server, port))

    def close(self):
        self.end.set()
        self.thread.join()
        self.sockets[0].close()


def tries(kinds, runs, rate, most):
    """Seconds from the first ping to a straight path, of those runs that had one within so many."""
    import lab as labs
    import test_punch
    found = []
    lab = labs.Lab("punching", echo=lambda line: None)
    try:
        a_site, b_site, server = test_punch.two_sites(lab, *kinds)
        others = Others(a_site.host, server.address, rate)
        for number in range(runs):
            a = test_punch.start(a_site, server, test_punch.A_OVERLAY, "-public", port=20000 + number)
            b = test_punch.start(b_site, server, test_punch.B_OVERLAY, "-connect", a.id, port=20000 + number)
            b.host.wait_ping(test_punch.A_OVERLAY, 10)
            begin = time.monotonic()
            try:
                test_punch.seconds_until_direct(a, b, most)
                found.append(time.monotonic() - begin)
            except AssertionError:
                pass
            b.stop()
            a.stop()
        others.close()
    finally:
        lab.close()
    return found


def main():
    chosen = options()
    os.environ["SHADOWMESH_BUILD"] = str(chosen.build.resolve())
    sys.path.insert(0, str(ROOT / "tests" / "netns"))
    print(f"{' and '.join(chosen.kinds)}, {chosen.runs} runs each\n")
    print("| mappings a second of others | direct | seconds, median | worst |\n|---|---|---|---|")
    for rate in chosen.others:
        found = tries(chosen.kinds, chosen.runs, rate, chosen.seconds)
        times = f"{statistics.median(found):.1f} | {max(found):.1f}" if found else "- | -"
        print(f"| {rate} | {len(found)} of {chosen.runs} | {times} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
