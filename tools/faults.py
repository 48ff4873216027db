#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""faults.py: would the simulations notice? Plants one fault of tests/sim/faults.toml at a time, in a copy of the tree, and runs
what is to find it: sim_judge, unless the fault names other tests. Prints which seed and invariant found it, or SURVIVED. Takes
a quarter of an hour; a fault whose text is not in its file any more is an error (tests/tree/test_faults.py tells it at once)."""

import argparse
import contextlib
import os
import re
import sys
import tempfile
import tomllib
from pathlib import Path

from mutants import ROOT, Copy, run

LIST = ROOT / "tests/sim/faults.toml"
JUDGE = "sim/judge"
JUDGE_SECONDS = 600
SEEDS = 1000
# The lines that tell: of the judge, an assertion of the code's own, one of cmocka's.
TOLD = re.compile(r"^ *\d+\.\d+ s: (.*)|Assertion `(.*)' failed|^\s*not ok \d+ - (.*)", re.MULTILINE)
SEED = re.compile(r"^seed (\d+) at", re.MULTILINE)


class FaultError(Exception):
    """A fault that cannot be planted: the list is to be mended."""


def plant(fault, text):
    """The file's text with the fault in it."""
    old, new = fault["old"].lstrip("\n"), fault["new"].lstrip("\n")
    if text.count(old) != 1 or old == new:
        raise FaultError(f"{fault['name']}: its text stands {text.count(old)} times in {fault['file']}, not once")
    return text.replace(old, new)


def load():
    return tomllib.loads(LIST.read_text())["fault"]


def tests_of(fault):
    return fault.get("tests", [JUDGE])


def program_of(test):
    kind, name = test.split("/")
    return f"tests/{kind}/{'sim' if kind == 'sim' else 'test'}_{name}"


def run_test(copy, test, arguments):
    """None when it passes, else what it told."""
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        environment = {**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP", "VECTORS": str(copy.root / "tests/vectors")}
        code = run(["nice", "-n", "19", copy.root / "build" / program_of(test), *(arguments if test == JUDGE else [])],
                   JUDGE_SECONDS, cwd=copy.root, env=environment, stdout=output, stderr=output)
        output.seek(0)
        return None if code == 0 else describe(test, code, output.read())


def describe(test, code, output):
    told, seed = TOLD.search(output), SEED.search(output)
    last = "it hangs" if code is None else (output.strip() or f"it ends with {code}").splitlines()[-1]
    what = next(filter(None, told.groups())) if told else last
    return (f"seed {seed.group(1)}" if seed else test) + f": {what}"


def try_out(copy, fault, arguments):
    with planted(copy.root / fault["file"], fault):
        if copy.ninja(*map(program_of, tests_of(fault))) != 0:
            raise FaultError(f"{fault['name']}: it does not build")
        return next(filter(None, (run_test(copy, test, arguments) for test in tests_of(fault))), None)


@contextlib.contextmanager
def planted(path, fault):
    whole = path.read_text()
    path.write_text(plant(fault, whole))
    try:
        yield
    finally:
        path.write_text(whole)


def check_sound(copy, faults, arguments):
    for test in sorted({test for fault in faults for test in tests_of(fault)}):
        told = run_test(copy, test, arguments)
        if told:
            sys.exit(f"faults.py: without a fault there is one already: {told}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="faults whose name has TEXT")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of sim_judge, from the first")
    options = parser.parse_args()
    faults = [fault for fault in load() if options.only in fault["name"]]
    arguments = ["1", str(options.seeds)]
    survived = 0
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        copy = Copy(folder, *sorted({program_of(test) for fault in faults for test in tests_of(fault)}))
        check_sound(copy, faults, arguments)
        for fault in faults:
            found = try_out(copy, fault, arguments)
            survived += found is None
            print(f"{fault['name']:<56} {found or 'SURVIVED'}", flush=True)
    print(f"{len(faults) - survived} found, {survived} survived")
    return 1 if survived or not faults else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FaultError as error:
        sys.exit(f"faults.py: {error}")
