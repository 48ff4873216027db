#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Searches the models of what workers and control share without locks, with Spin: what `make check-model` does.

Every claim must hold in every reachable state of a model as it is, and every flaw must break the claim that names it.
A search that does not end, a warning or a missing tool is a failure. The last line is `N passed, N failed`. README.md
explains it all.

  check.py              everything
  check.py --trail NAME one case by its name, step by step to what was found
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
SECONDS = 300  # for one search; the longest takes 2
DEPTH = 1_000_000
BOUNDS = {"fdb": {"CHANGES": 2}, "window": {"DATAGRAMS": 2}, "publication": {"LOOKS": 2, "CHANGES": 2},
          "walk": {"LOOKS": 2, "CHANGES": 4}}
# The claims by their names in the models, and how Spin writes what they assert.
CLAIMS = {"WRONG_VALUE": "((value/4)==wanted)", "WRONG_REFRESH": "count[(0*2)]-1))]==0)||", "TWICE": "==1)",
          "NEGATIVE": "(value<=highest)", "WHOLE": "(there==1)", "MET_TWICE": "(met_a<=1)", "MET": "(at<8)"}


class Case(NamedTuple):
    model: str
    flaw: str = ""
    claim: str = ""  # what is broken; "": none is
    bounds: dict = {}

    def name(self):
        return ":".join(filter(None, (self.model, self.flaw, *(f"{key}={value}" for key, value in self.bounds.items()))))


CASES = [
    *(Case(model) for model in BOUNDS),
    *(Case("fdb", flaw, "WRONG_VALUE") for flaw in ("NO_BUSY", "NO_RECHECK", "RELAXED_VALUE")),
    Case("fdb", "BLIND_REFRESH", "WRONG_REFRESH"),
    # What is known and put up with: README.md, "What was found".
    Case("fdb", "", "WRONG_VALUE", {"CHANGES": 3}),
    *(Case("window", flaw, "TWICE") for flaw in ("NO_HOLD", "WARM_UNHELD")),
    *(Case("window", flaw, "NEGATIVE") for flaw in ("RELAXED_RECEIVED", "RELAXED_READ", "HIGHEST_FIRST")),
    *(Case("publication", flaw, "WHOLE") for flaw in ("RELAXED_LINK", "NO_GRACE", "RELAXED_GRACE", "USED_AFTER")),
    *(Case("walk", flaw, "MET") for flaw in ("RELAXED_LINK", "NO_GRACE", "RELAXED_GRACE", "LINK_FIRST")),
    Case("walk", "AT_HEAD", "MET_TWICE"),
]


def run(argv, folder):
    """(whether it ended well, what it said)"""
    try:
        done = subprocess.run(argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return False, f"{argv[0]} did not end within {SECONDS} s"
    return done.returncode == 0, done.stdout


def search(case, folder):
    """What Spin says of a case, in a folder with the models."""
    bounds = {**BOUNDS[case.model], **case.bounds}
    defined = [f"-D{key}={value}" for key, value in bounds.items()] + [f"-D{case.flaw}"] * bool(case.flaw)
    said = ""
    for step in (["spin", "-a", *defined, f"{case.model}.pml"], ["gcc", "-w", "-O2", "-DSAFETY", "-o", "pan", "pan.c"],
                 ["./pan", f"-m{DEPTH}"]):
        well, said = run(step, folder)
        if not well:
            return f"{' '.join(step)}: {said}"
    return said


def verdict(case, said):
    """None, or what is wrong."""
    if "errors: " not in said or re.search(r"truncated|max search depth|out of memory|warning: (?!never)", said):
        return said
    broken = re.search(r"assertion violated (.*) \(at depth", said)
    if not case.claim:
        return broken[0] if broken or "errors: 0" not in said else None
    return None if broken and CLAIMS[case.claim] in broken[1] else f"{case.claim} was to be broken:\n{said}"


def flaws_without_case():
    """The flaws that a model names and no case uses."""
    named = {(path.stem, flaw) for path in HERE.glob("*.pml") for flaw in re.findall(r"#ifn?def (\w+)", path.read_text())}
    used = {(case.model, case.flaw) for case in CASES}
    shared = {flaw for _, flaw in used}
    return sorted(flaw for model, flaw in named - used if model in BOUNDS or flaw not in shared)


def show_trail(name):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(HERE, folder, dirs_exist_ok=True)
        [case] = [case for case in CASES if case.name() == name]
        print(search(case, folder))
        print(run(["./pan", "-r"], folder)[1])


def main():
    parser = argparse.ArgumentParser(description="Searches the models of what threads share, with Spin.")
    parser.add_argument("--trail", choices=[case.name() for case in CASES], metavar="NAME")
    chosen = parser.parse_args()
    if chosen.trail:
        return show_trail(chosen.trail)
    missing = [tool for tool in ("spin", "gcc") if not shutil.which(tool)] + flaws_without_case()
    failed = [f"missing: {what}" for what in missing]
    for case in [] if missing else CASES:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(HERE, folder, dirs_exist_ok=True)
            said = search(case, folder)
        wrong = verdict(case, said)
        states = re.search(r"(\d+) states, stored", said)
        print(f"{'FAILED' if wrong else 'ok':6}  {case.name():30} {case.claim + ' is broken' if case.claim else 'holds':24} "
              f"{states[1] if states else '?':>8} states", flush=True)
        failed += [f"{case.name()}: {wrong}"] if wrong else []
    print(*failed, f"{len(CASES) - len(failed)} passed, {len(failed)} failed", sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
