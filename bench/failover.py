#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""How long a stream and pings stand still when the path that carries them fails: median and worst of many runs of the labs of
tests/netns/failover.py. Prints figures, and asserts none. Needs root.

    bench/failover.py [--build build] [--runs 20] [-k TEXT]
"""

import argparse
import os
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def options():
    parser = argparse.ArgumentParser(description="How long data stands still when a path fails.")
    parser.add_argument("--build", default=ROOT / "build", type=Path)
    parser.add_argument("--runs", default=20, type=int)
    parser.add_argument("-k", dest="keyword", default="", help="only faults whose name contains this")
    return parser.parse_args()


def measured(name, fault, runs):
    import failover
    from lab import Lab
    outcomes = []
    for _ in range(runs):
        lab = Lab(name, echo=lambda line: None)
        try:
            outcomes.append(failover.outcome_of(fault.begin(lab), fault))
        finally:
            lab.close()
    return outcomes


def row(name, outcomes):
    cells = []
    for seconds in ([o.pings_s for o in outcomes], [o.stream_s for o in outcomes]):
        cells += [f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}"]
    carries = ", ".join(sorted({o.carries for o in outcomes}))
    print(f"| {name} | {' | '.join(cells)} | {carries} |", flush=True)


def main():
    chosen = options()
    os.environ["SHADOWMESH_BUILD"] = str(chosen.build.resolve())
    sys.path.insert(0, str(ROOT / "tests" / "netns"))
    from failover import FAULTS
    print(f"{chosen.runs} runs each; seconds\n")
    print("| what happens | pings, median | worst | stream, median | worst | then carries |\n|---|---|---|---|---|---|")
    for name, fault in FAULTS.items():
        if chosen.keyword in name:
            row(name, measured(name, fault, chosen.runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
