#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""coverage.py FOLDER: runs the unit tests and simulations of a build with -Db_coverage=true, and prints how many lines of
each folder of src they reach, by gcovr, and the files of which they reach the least. Fails when a test does, or when a
folder is below its floor."""

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


def run_tests(folder):
    """Counters of earlier runs go first: they would add up."""
    for old in folder.rglob("*.gcda"):
        old.unlink()
    done = subprocess.run(["meson", "test", "-C", folder, "--no-rebuild", "--suite", "unit", "--suite", "sim"],
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


def too_low(files):
    """One line for each folder below its floor."""
    shares = {layer: percent(*reversed(sum_up(files, layer))) for layer in FLOORS}
    return [f"coverage.py: src/{layer}: {share:.1f} % of its lines are reached, {FLOORS[layer]} % is the least: add tests"
            for layer, share in shares.items() if share < FLOORS[layer]]


def print_least(files):
    print("\nthe least reached:")
    for name, lines, ran in sorted(files, key=lambda file: percent(file[2], file[1]))[:LEAST]:
        print(f"  {name:<44}{lines - ran:>5} lines not, {percent(ran, lines):>5.1f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    if not shutil.which("gcovr"):
        sys.exit("coverage.py: gcovr is missing: `tools/deps.sh coverage` installs it")
    passed = run_tests(folder)
    files = list(measure(folder))
    print_folders(files)
    print_least(files)
    low = too_low(files)
    for line in low:
        print(line, file=sys.stderr)
    return 0 if passed and not low else 1


if __name__ == "__main__":
    sys.exit(main())
