#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Connects every pair of routers that the labs know, and writes what came of it to docs/REACH.md: what `make check-reach` does.

Each pair is a test of tests/netns/test_reach.py; several run side by side. A failed pair is in the table, too, and makes the
exit code 1.
"""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "REACH.md"
PAIRS_AT_ONCE = (os.cpu_count() or 2) + 1

INTRODUCTION = """# Reach

Which pairs of nodes connect, and how. `make check-reach` writes this page: it starts the two commands of the README's
reference scenario at two sites, each behind a router of a kind, and a backbone with both address families on the
internet between them. Whoever runs it anew gets the same pairs in the same order; times and rates differ.

- **Path** is what carried after iperf3, and before it where that was another: `direct`, `relay` (UDP by a relay) or
  `tcp` (the backbone's uplink, or the peer's own port).
- **Ping** is the time from when both devices are up to the second node's first answered ping. It has to be below 5 s.
- **Mbit/s** is one TCP stream of 2 s. The labs share one small machine: compare rows, not products.
- **Besides**: `subnet`: both sites have the same private subnet. `slow`: site A is 30 ms away, and loses 1 % each way.

The kinds are in [routers.py](../tests/netns/routers.py), and measured by [test_routers.py](../tests/netns/test_routers.py).
An IPv6 address is not translated: kinds that differ in translation alone stand among IPv4's pairs only. *Port-restricted*
is then a firewall that lets in answers alone.
"""
HEAD = "| site A | site B | path | ping, s | Mbit/s | besides |\n|---|---|---|---|---|---|\n"


def run(report):
    """Runs all pairs; pytest shows its progress."""
    return subprocess.run(["/usr/bin/python3", "-B", "-m", "pytest", "-p", "no:cacheprovider", "-q", "-n", str(PAIRS_AT_ONCE),
                           "-o", "junit_family=xunit1", f"--junitxml={report}", "tests/netns/test_reach.py",
                           "-k", "test_pair_connects"],
                          cwd=ROOT, env={**os.environ, "SHADOWMESH_REACH": "1"}).returncode


def cell_of(case):
    """What a test measured; None when it measured nothing."""
    return next((json.loads(entry.get("value")) for entry in case.iter("property") if entry.get("name") == "reach"), None)


def row_of(case):
    """(path, the rest of its row) of one test."""
    cell = cell_of(case)
    if cell:
        path = cell["last"] if cell["first"] == cell["last"] else f"{cell['first']}, then {cell['last']}"
        besides = [name for name, there in (("subnet", cell["same_subnet"]), ("slow", cell["slow"])) if there]
        return path, f"{cell['seconds']:.1f} | {cell['mbits']:.1f} | {', '.join(besides)}"
    skipped = case.find("skipped")
    if skipped is not None:
        return f"skipped: {skipped.get('message')}", " | | "
    return "**fails**", " | | "


def table(cases):
    """Rows by family, in the order of test_reach.py."""
    families = {}
    for case in cases:
        name = case.get("name").partition("[")[2].rstrip("]")
        family, _, pair = name.partition(": ")
        a, _, b = pair.partition(" and ")
        path, rest = row_of(case)
        families.setdefault(family, []).append(f"| {a} | {b} | {path} | {rest} |\n")
    return families


def in_order(cases):
    """pytest-xdist reports them as they end."""
    sys.path.insert(0, str(ROOT / "tests" / "netns"))
    import test_reach
    order = {f"test_pair_connects[{pair}]": number for number, pair in enumerate(test_reach.all_pairs())}
    return sorted((case for case in cases if case.get("name") in order), key=lambda case: order[case.get("name")])


def summary(cases):
    cells = [cell for cell in map(cell_of, cases) if cell]
    straight = sum(cell["last"] == "direct" for cell in cells)
    return (f"\n{len(cells)} of {len(cases)} pairs connect, {straight} of them straight. The longest first ping took "
            f"{max((cell['seconds'] for cell in cells), default=0):.1f} s.\n")


def document(report):
    cases = in_order(ElementTree.parse(report).iter("testcase"))
    sections = (f"\n## {family}\n\n{HEAD}{''.join(rows)}" for family, rows in table(cases).items())
    return INTRODUCTION + summary(cases) + "".join(sections)


def main():
    report = ROOT / os.environ.get("BUILD", "build") / "report-reach.xml"
    report.unlink(missing_ok=True)
    code = run(report)
    text = document(report)
    DOCUMENT.write_text(text)
    print(text[len(INTRODUCTION):])
    return code


if __name__ == "__main__":
    sys.exit(main())
