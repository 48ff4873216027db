#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Connects every pair of routers that the labs know, and writes what came of it to docs/REACH.md, beside what the
oracle says of it: what `make check-reach` does.

Each pair is a test of tests/netns/test_reach.py; several run side by side. A failed pair is in the table, too, and makes the
exit code 1.
"""

import json
import os
import statistics
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "REACH.md"
PAIRS_AT_ONCE = 2 * (os.cpu_count() or 2) + 1  # they mostly wait

INTRODUCTION = """# Reach

Which pairs of nodes connect, and how. `make check-reach` writes this page: it starts the two commands of the README's
reference scenario at two sites, each behind a router of a kind, and a backbone with both address families on the
internet between them. Whoever runs it anew gets the same pairs in the same order; times and rates differ.

- **Oracle** is what the routers' rules allow: `direct`, `by chance` (ports that nobody can know, which may be hit) or
  `never`. [oracle.py](../tests/netns/oracle.py) computes it from the rules, and from nothing that a node says.
- **Path** is what carried after iperf3, and at the first ping where that was another: `direct`, `relay` (UDP by a
  relay) or `tcp` (the backbone's uplink, or the peer's own port).
- **Direct** is when both nodes had a direct path. It has to be within 15 s where the oracle says `direct`. A pair that
  is direct though the oracle says `never` fails, too: the oracle would be wrong. Those are watched for 15 s.
- **Ping** is when the second node's first ping was answered. It has to be within 5 s. Both count in seconds from when
  both devices are up.
- **Mbit/s** is one TCP stream of 2 s. The labs share one small machine: compare rows, not products.
- **Besides**: `subnet`: both sites have the same private subnet. `slow`: site A is 30 ms away, and loses 1 % each way.
- **Why not** is what `shadowmesh peers -l` says behind "not direct:", at A and at B where they differ.

The kinds are in [routers.py](../tests/netns/routers.py), and measured by [test_routers.py](../tests/netns/test_routers.py).
An IPv6 address is not translated: kinds that differ in translation alone stand among IPv4's pairs only. *Port-restricted*
is then a firewall that lets in answers alone. *One carrier* is a provider's NAT in front of both sites: they meet at
its outer address where it leads that back inside (hairpin), and nowhere else.
"""
HEAD = ("| site A | site B | oracle | path | direct, s | ping, s | Mbit/s | besides | why not |\n"
        "|---|---|---|---|---|---|---|---|---|\n")


def run(report):
    """Runs all pairs; pytest shows its progress."""
    return subprocess.run(["/usr/bin/python3", "-B", "-m", "pytest", "-p", "no:cacheprovider", "-q", "-n", str(PAIRS_AT_ONCE),
                           "-o", "junit_family=xunit1", f"--junitxml={report}", "tests/netns/test_reach.py",
                           "-k", "test_pair_connects"],
                          cwd=ROOT, env={**os.environ, "SHADOWMESH_REACH": "1"}).returncode


def cell_of(case):
    """What a test measured; None when it measured nothing."""
    return next((json.loads(entry.get("value")) for entry in case.iter("property") if entry.get("name") == "reach"), None)


def why_of(cell):
    """What A says, and B where it says something else."""
    if len(set(cell["why"])) < 2:
        return "".join(cell["why"][:1])
    return f"A: {cell['why'][0]}. B: {cell['why'][1]}"


def row_of(pair, case):
    cell = cell_of(case)
    besides = ", ".join(name for name, there in (("subnet", pair.same_subnet), ("slow", pair.slow)) if there)
    if not cell:
        failure = next((part for part in case if part.tag in ("failure", "error", "skipped")), {})
        message = (failure.get("message") or "").partition("\n")[0]
        columns = ["**fails**", "", "", "", besides, message.replace("|", "/")]
    else:
        path = cell["last"] if cell["first"] == cell["last"] else f"{cell['first']}, then {cell['last']}"
        direct = "" if cell["direct"] is None else f"{cell['direct']:.1f}"
        columns = [path, direct, f"{cell['seconds']:.1f}", f"{cell['mbits']:.1f}", besides, why_of(cell)]
    return f"| {' | '.join([pair.a, pair.b, pair.oracle, *columns])} |\n"


def table(judged):
    """Rows by family."""
    families = {}
    for pair, case in judged:
        families.setdefault(pair.family, []).append(row_of(pair, case))
    return families


def in_order(cases):
    """[(pair, its test)], as test_reach.py has them; pytest-xdist reports them as they end."""
    sys.path.insert(0, str(ROOT / "tests" / "netns"))
    import test_reach
    by_name = {case.get("name"): case for case in cases}
    named = [(pair, by_name.get(f"test_pair_connects[{pair}]")) for pair in test_reach.all_pairs()]
    return [(pair, case) for pair, case in named if case is not None]


def median(numbers):
    return statistics.median(numbers) if numbers else 0


def summary(judged):
    """How many of the pairs are as the oracle says; what failed has no cell."""
    def of(outcome):
        """(how many pairs it says this of, what was measured of them)"""
        cells = [cell_of(case) for pair, case in judged if pair.oracle == outcome]
        return len(cells), [cell for cell in cells if cell]

    (can, reached), (may, met), (cannot, others) = (of(outcome) for outcome in ("direct", "by chance", "never"))
    seconds = [cell["direct"] for cell in reached]
    slow = [cell["direct"] for cell in reached if cell["slow"]]
    pings = [cell["seconds"] for cell in reached + met + others]
    hits = sum(cell["direct"] is not None for cell in met)
    return "\n" + textwrap.fill(" ".join((
        f"{len(pings)} of {len(judged)} pairs connect, the slowest within {max(pings, default=0):.1f} s.",
        f"The oracle says `direct` of {can}: {len(reached)} are, half of them within {median(seconds):.1f} s, all within",
        f"{max(seconds, default=0):.1f} s; of the {len(slow)} with 30 ms and loss half within {median(slow):.1f} s.",
        f"Of {may} pairs that may meet by chance {hits} did. {cannot} can never be direct: {len(others)} of them connect,",
        "none of them directly, and each says why.")), 118) + "\n"


def document(report):
    judged = in_order(ElementTree.parse(report).iter("testcase"))
    sections = (f"\n## {family}\n\n{HEAD}{''.join(rows)}" for family, rows in table(judged).items())
    return INTRODUCTION + summary(judged) + "".join(sections)


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
