#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mutants.py: would a test notice? Changes one place of the source at a time, in a copy, and runs the tests that reach
that file. A mutant that no test kills is a line that no test holds: its diff is printed. Seeded: the same seed makes the
same mutants of the same source. Takes an hour."""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("node", "proto", "backbone")
# Other files than these: what only runs in a cage or needs root is not what unit tests and simulations hold.
LEFT_OUT = re.compile(r"(cage|main|device/|helper/.*(keeper|_helper))")
TEST_SECONDS = 120
BUILD_SECONDS = 600

# What stands in a line, and what it becomes.
CONDITIONS = [(r"(?<![<>=!-])==(?!=)", "!="), (r"!=", "=="), (r"&&", "||"), (r"\|\|", "&&"),
              (r"(?<![<-])<(?![<=])", "<="), (r"<=", "<"), (r"(?<![->])>(?![>=])", ">="), (r">=", ">")]
LIMITS = [(r"(?<=[<>=] )([A-Z][A-Z0-9_]{3,})\b(?!\()", r"(\1 + 1)"), (r"(?<= )\+ 1\b", "+ 2"), (r"(?<= )- 1\b", "- 0")]
CALL = re.compile(r"^    +([a-z_]+)\((?!.*\bva_).*\);$")
# Calls without which there is only a leak, or that are there for people who debug.
CALLS_KEPT = re.compile(r"^(free|close|assert|log_debug|.*_free|.*_close|snprintf|memset|uv_.*|va_.*|static_assert|_Static_assert)$")
CODE = re.compile(r"^    +(if|while|return|for|[a-z_]+ [=+-])|&&|\|\||\?")


def code_lines(text):
    """Yields (number, line) of what is code in a function."""
    for number, line in enumerate(text.splitlines()):
        if line.startswith("    ") and not line.lstrip().startswith(("/*", "*", "//", "#")) and '"' not in line:
            yield number, line.split("/*")[0].rstrip()


def mutants_of(path):
    """Yields (line number, what kind, the new line)."""
    for number, line in code_lines(path.read_text()):
        call = CALL.match(line)
        if call and not CALLS_KEPT.match(call.group(1)):
            yield number, "dropped call", re.sub(r"\S.*", ";", line)
        if not CODE.search(line) or "for (" in line:
            continue
        for kind, rules in (("condition", CONDITIONS), ("limit", LIMITS)):
            for pattern, becomes in rules:
                for match in re.finditer(pattern, line):
                    yield number, kind, line[:match.start()] + match.expand(becomes) + line[match.end():]


def choose(seed, count):
    """As many from each layer; in turn, so that a part of a run is of all."""
    layers = []
    for layer in LAYERS:
        files = sorted(path for path in (ROOT / "src" / layer).rglob("*.c") if not LEFT_OUT.search(str(path.relative_to(ROOT))))
        every = [(path.relative_to(ROOT), *mutant) for path in files for mutant in mutants_of(path)]
        layers.append(random.Random(f"{seed} {layer}").sample(every, count // len(LAYERS)))
    return [mutant for turn in zip(*layers) for mutant in turn]


def run(argv, seconds, **options):
    """The exit code; None after the time."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True, **options)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        return None


class Copy:
    """A copy of the tree with a build of its own."""

    def __init__(self, folder):
        self.root = Path(folder) / "tree"
        shutil.copytree(ROOT, self.root, ignore=shutil.ignore_patterns("build", "build-*", "__pycache__"))
        subprocess.run(["tools/setup.sh", "build"], cwd=self.root, check=True, stdout=subprocess.DEVNULL)
        self.sound = {}  # test: whether it passes without a mutant

    def ninja(self, *targets):
        return run(["nice", "-n", "19", "ninja", "-C", "build", *targets], BUILD_SECONDS, cwd=self.root)

    def run_test(self, kind, name):
        """Its exit code; None when it hangs. Raises ValueError when it cannot be built."""
        program = f"tests/{kind}/{'sim' if kind == 'sim' else 'test'}_{name}"
        if self.ninja(program, "shadowmesh-backbone") != 0:
            raise ValueError
        environment = {**os.environ, "VECTORS": str(self.root / "tests/vectors"),
                       "BACKBONE": str(self.root / "build/shadowmesh-backbone")}
        return run(["nice", "-n", "19", self.root / "build" / program], TEST_SECONDS, cwd=self.root, env=environment)

    def sound_tests(self, path):
        """Those that pass as things are: one that fails anyway kills nothing."""
        for test in tests_for(path):
            if test not in self.sound:
                self.sound[test] = self.run_test(*test) == 0
                if not self.sound[test]:
                    print(f"{test[1]} fails without a mutant: left out", flush=True)
            if self.sound[test]:
                yield test

    def try_out(self, path, number, line):
        """What became of the mutant: 'killed by …', 'does not build' or 'survived'."""
        tests = list(self.sound_tests(path))
        whole = (self.root / path).read_text()
        lines = whole.splitlines(keepends=True)
        lines[number] = line + "\n"
        (self.root / path).write_text("".join(lines))
        try:
            return self.judge(tests)
        finally:
            (self.root / path).write_text(whole)

    def judge(self, tests):
        for kind, name in tests:
            try:
                code = self.run_test(kind, name)
            except ValueError:
                return "does not build"
            if code != 0:
                return f"killed by {name}" + (" (hangs)" if code is None else "")
        return "survived"


def tests_for(path):
    """(suite, name) of the tests that reach a file: its own and its folder's by name, then those of the whole."""
    names = sorted(file.stem.removeprefix("test_") for file in (ROOT / "tests/unit").glob("test_*.c"))
    layer = path.parts[1]
    near = [name for name in names if name == path.stem or path.stem.startswith(name + "_") or name.startswith(path.stem + "_")
            or (len(path.parts) > 3 and (name == path.parts[2] or name.startswith(path.parts[2] + "_")))
            or (path.stem.split("_")[0] == name.split("_")[0])]
    whole = {"proto": [("sim", "mesh"), ("sim", "allocation"), ("unit", "node")],
             "node": [("unit", "node"), ("unit", "node_lists")],
             "backbone": [("unit", "server"), ("unit", "routes"), ("unit", "node_lists")]}[layer]
    near = [("unit", name) for name in near]
    return near + [test for test in whole if test not in near]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--list", action="store_true", help="only print them")
    parser.add_argument("--least", type=int, default=80, metavar="PERCENT", help="fail when fewer are killed")
    options = parser.parse_args()
    chosen = choose(options.seed, options.count)
    if options.list:
        for path, number, kind, line in chosen:
            print(f"{path}:{number + 1}: {kind}: {line.strip()}")
        return 0
    killed = survived = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Copy(folder)
        for path, number, kind, line in chosen:
            verdict = copy.try_out(path, number, line)
            killed += verdict.startswith("killed")
            survived += verdict == "survived"
            print(f"{path}:{number + 1}: {kind}: {verdict}", flush=True)
            if verdict == "survived":
                print(f"    - {(ROOT / path).read_text().splitlines()[number].strip()}\n    + {line.strip()}", flush=True)
    share = 100 * killed / max(killed + survived, 1)
    print(f"{killed} killed, {survived} survived, {share:.0f} %")
    return 0 if share >= options.least else 1


if __name__ == "__main__":
    sys.exit(main())
