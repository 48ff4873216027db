#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""coverage.py FOLDER: makes a build that counts lines in FOLDER, runs its unit tests and simulations, and prints how many lines
of each folder of src they reach, by gcovr, and the files of which they reach the least. Fails when a test does, or when a
folder is below its floor, which is told in TAP, as make check reads it."""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("base", "frame", "crypto", "proto", "net", "node", "backbone", "cli")
FLOORS = {"node": 85, "backbone": 85, "cli": 70}  # percent
LEAST = 12  # files named
# Lines count as they are written only with little optimisation; several threads count.
OPTIONS = ["-Db_coverage=true", "-Doptimization=g", "-Dc_args=-fprofile-update=atomic"]
PATIENCE = 4  # times what a test has: counting is slow, and it runs beside others


def configure(folder):
    if not (folder / "build.ninja").exists():
        subprocess.run([ROOT / "tools/setup.sh", folder, *OPTIONS], check=True, stdout=subprocess.DEVNULL)


def tests_of(folder, layers):
    """The unit tests that are linked with one of the layers, as ninja knows."""
    listing = subprocess.run(["meson", "introspect", folder, "--tests"], check=True, stdout=subprocess.PIPE, text=True)
    archives = {f"src/{layer}/libsm_{layer}.a" for layer in layers}
    for test in json.loads(listing.stdout):
        program = Path(test["cmd"][0]).relative_to(folder)
        if program.parts[:2] == ("tests", "unit"):
            inputs = subprocess.run(["ninja", "-C", folder, "-t", "inputs", program], check=True, stdout=subprocess.PIPE, text=True)
            if archives & set(inputs.stdout.split()):
                yield test["name"]


def run_tests(folder, chosen):
    """Builds what they need, no more. Counters of earlier runs go first: they would add up."""
    for old in folder.rglob("*.gcda"):
        old.unlink()
    done = subprocess.run(["meson", "test", "-C", folder, "-t", str(PATIENCE), *chosen],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        print(done.stdout)
    return done.returncode == 0


def measure(folder):
    """Yields (file, lines, lines that ran). A file in two programs counts once."""
    done = subprocess.run(["gcovr", "--root", ROOT, "--object-directory", folder, "--filter", "src/", "--json-summary", "-"],
                          check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    for file in json.loads(done.stdout)["files"]:
        yield file["filename"], file["line_total"], file["line_covered"]


def percent(part, whole):
    return 100 * part / whole if whole else 100.0


def sum_up(files, layer):
    """(lines, lines that ran) of a folder."""
    mine = [(lines, ran) for name, lines, ran in files if name.startswith(f"src/{layer}/")]
    return sum(row[0] for row in mine), sum(row[1] for row in mine)


def print_folders(files):
    print(f"{'folder':<12}{'lines':>8}{'reached':>9}{'%':>8}{'floor':>8}")
    for layer in LAYERS:
        lines, ran = sum_up(files, layer)
        print(f"{layer:<12}{lines:>8}{ran:>9}{percent(ran, lines):>8.1f}{FLOORS.get(layer, '-'):>8}")


def judge_folders(files):
    """One line of TAP for each folder that has a floor; True when all are good."""
    shares = {layer: percent(*reversed(sum_up(files, layer))) for layer in FLOORS}
    print(f"1..{len(FLOORS)}")
    for number, (layer, share) in enumerate(shares.items(), 1):
        good = share >= FLOORS[layer]
        print(f"{'ok' if good else 'not ok'} {number} - src/{layer}: tests reach {share:.1f} % of its lines, {FLOORS[layer]} % is "
              f"the least{'' if good else ': add tests'}")
    return all(share >= FLOORS[layer] for layer, share in shares.items())


def print_least(files):
    print("\nthe least reached:")
    for name, lines, ran in sorted(files, key=lambda file: percent(file[2], file[1]))[:LEAST]:
        print(f"  {name:<44}{lines - ran:>5} lines not, {percent(ran, lines):>5.1f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--floors", action="store_true", help="only the tests that reach folders with a floor")
    options = parser.parse_args()
    folder = options.folder.resolve()
    if not shutil.which("gcovr"):
        sys.exit("coverage.py: gcovr is missing: `tools/deps.sh check` installs it")
    configure(folder)
    passed = run_tests(folder, ["--suite", "unit", *tests_of(folder, FLOORS)] if options.floors else ["--suite", "unit", "--suite", "sim"])
    files = list(measure(folder))
    print_folders(files)
    print_least(files)
    return 0 if judge_folders(files) and passed else 1


if __name__ == "__main__":
    sys.exit(main())
