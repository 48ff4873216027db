#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the resident memory of a busy node is, mapping by mapping: the row "memory of one daemon" of `make bench`. One node and
its one peer carry TCP both ways and a flood of small datagrams first. Needs root.

    bench/memory.py [--build build] [--seconds 2] [--flags "-workers 1"]
"""

import argparse
import os
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "netns")]
LOAD = ("idle", "tcp1", "tcp4", "both", "udp64")


def options():
    parser = argparse.ArgumentParser(description="The resident memory of a busy node by mapping.")
    parser.add_argument("--build", default="build", help="build folder (default build)")
    parser.add_argument("--seconds", type=float, default=2, help="length of each load (default 2)")
    parser.add_argument("--flags", default="", help="more flags of both nodes")
    return parser.parse_args()


def mappings(pid):
    """[(name, {field: KB})], in the order of addresses."""
    found = []
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if words[0].endswith(":"):
            if words[-1] == "kB":
                found[-1][1][words[0][:-1]] = int(words[1])
        else:
            found.append((" ".join(words[5:]), {}))
    return found


def kind_of(name, fields):
    """Where a page belongs in the table. Anonymous mappings have no name: their size tells them apart."""
    if name.startswith("/"):
        return Path(name.split(" (")[0]).name
    if name:
        return name
    return f"anonymous, of {fields['Size']:,} KB"


def table(pid):
    kinds = defaultdict(lambda: [0, 0, 0])
    for name, fields in mappings(pid):
        row = kinds[kind_of(name, fields)]
        row[0] += fields.get("Rss", 0)
        row[1] += fields.get("Anonymous", 0)
        row[2] += 1
    return kinds


def show(pid):
    kinds = table(pid)
    print("| mapping | resident, KB | of it written to | mappings |\n|---|---|---|---|")
    for kind, (rss, anonymous, count) in sorted(kinds.items(), key=lambda item: -item[1][0]):
        if rss:
            print(f"| {kind} | {rss:,} | {anonymous:,} | {count} |")
    print(f"| all | {sum(row[0] for row in kinds.values()):,} | {sum(row[1] for row in kinds.values()):,} | |")


def main():
    chosen = options()
    os.environ["SHADOWMESH_BUILD"] = chosen.build
    import bench
    import ours
    import rows
    lab, blast = bench.labs.Lab("memory", echo=lambda line: None), str(bench.labs.BUILD / "bench" / "blast")
    a, b = bench.underlay(lab)
    program = ours.ShadowMesh(a, b)
    program.flags = tuple(chosen.flags.split())
    try:
        program.prepare()
        bench.start(program)
        control = bench.CONGESTION.read_text().strip()
        meter = rows.Meter(a, b, program, chosen.seconds, blast, control)
        for step in LOAD:
            meter.one(step)
        meter.rss()
        print(f"{meter.values['rss']:.1f} MB resident, the larger end; {meter.failed or 'every load ran'}\n")
        show(max(program.daemons(), key=lambda process: rows.resident_mb([process])).pid)
    finally:
        program.stop()
        lab.close()


if __name__ == "__main__":
    main()
