#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""How long data stands still while networks change: a laptop that roams between two uplinks every 5 s for a minute, a NAT that
is restarted under a stream, and a NAT that forgets UDP after 10 s. Runs these labs of tests/netns so often, and prints what they
measured. Needs root; a run takes two minutes.

    bench/roaming.py [--build build] [--runs 3]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LABS = ("tests/netns/test_roaming.py", "tests/netns/test_nat.py")
CHOSEN = "(laptop_that_roams and 12) or within_half_a_second or idle_mapping"


def options():
    parser = argparse.ArgumentParser(description="How long data stands still while networks change.")
    parser.add_argument("--build", default=ROOT / "build", type=Path)
    parser.add_argument("--runs", default=3, type=int)
    return parser.parse_args()


def measured(build):
    """(what was measured, in words; whether the lab passed) of each lab."""
    environment = os.environ | {"SHADOWMESH_BUILD": str(build.resolve()), "SHADOWMESH_LONG": "1"}
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        subprocess.run([sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report.name}",
                        "-k", CHOSEN, *LABS], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=False)
        cases = list(xml.parse(report.name).iter("testcase"))
    for case in cases:
        passed = case.find("failure") is None and case.find("error") is None
        figures = [each.get("value") for each in case.iter("property")]
        yield "; ".join(figures) or case.get("name"), passed


def main():
    chosen = options()
    failed = 0
    for number in range(chosen.runs):
        print(f"run {number + 1}", flush=True)
        for text, passed in measured(chosen.build):
            print(f"  {text}{'' if passed else ': FAILED'}", flush=True)
            failed += not passed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
