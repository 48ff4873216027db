#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mutants.py: would a test notice? Changes one place of the source at a time, in a copy, and runs the tests that are linked
with that file. A mutant that no test kills is a line that no test holds: its diff is printed. Seeded: the same seed makes
the same mutants, and a change elsewhere leaves the others as they are. Takes an hour."""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("node", "proto", "backbone")
# Other files than these: what only runs in a cage or needs root is not what unit tests and simulations hold.
LEFT_OUT = re.compile(r"(cage|main|device/|helper/.*(keeper|_helper))")
TEST_SECONDS = 120  # at most; a test that takes so many times as long as without a mutant hangs:
HANGS = 8
HANGS_LEAST = 10
TESTS_MAX = 15  # of one mutant
MEASURES = {"cost"}  # counts instructions: no judge, and slow
BUILD_SECONDS = 600

# What stands in a line, and what it becomes.
CONDITIONS = [(r"(?<![<>=!-])==(?!=)", "!="), (r"!=", "=="), (r"&&", "||"), (r"\|\|", "&&"),
              (r"(?<![<-])<(?![<=])", "<="), (r"<=", "<"), (r"(?<![->])>(?![>=])", ">="), (r">=", ">")]
LIMITS = [(r"(?<=[<>=] )([A-Z][A-Z0-9_]{3,})\b(?!\()", r"(\1 + 1)"), (r"(?<= )\+ 1\b", "+ 2"), (r"(?<= )- 1\b", "- 0")]
CALL = re.compile(r"^    +([a-z_]+)\((?!.*\bva_).*\);$")
# Calls without which there is only a leak, or that are there for people who debug.
CALLS_KEPT = re.compile(r"^(free|close|assert|log_debug|.*_free|.*_close|.*_fini|.*_decref|snprintf|memset|uv_.*|va_.*"
                        r"|static_assert|_Static_assert)$")
# Looked at: (file, new line without blanks around it, or the call that is dropped): why no test can tell.
MEANS_NOTHING = {
    ("connections.c", "pthread_mutex_destroy(&c->lock);"): "it holds nothing on Linux",
    ("overload.c", "else if (o->state != OVERLOAD_NONE && now_us - o->period_us > OVERLOAD_PERIOD_US)"): "a microsecond",
    ("worker_out.c", "if (w->backlog.state != BACKLOG_FREE || w->sent - w->sent_seen > BACKLOG_LOOK) {"): "a byte of 32 KB",
    ("mesh_datagram.c", "mesh_poll_paths(m, p, now_us);"): "the peer was touched: the tick after the event polls its paths",
}
CODE = re.compile(r"^    +(if|while|return|for|[a-z_]+ [=+-])|&&|\|\||\?")


def code_lines(text):
    """Yields (number, line) of what is code in a function."""
    for number, line in enumerate(text.splitlines()):
        if line.startswith("    ") and not line.lstrip().startswith(("/*", "*", "//", "#")) and '"' not in line:
            yield number, line.split("/*")[0].rstrip()


def mutants_of(path):
    """Yields (line number, what kind, the old line, the new one)."""
    for number, line in code_lines(path.read_text()):
        call = CALL.match(line)
        if call and not CALLS_KEPT.match(call.group(1)):
            yield number, "dropped call", line, re.sub(r"\S.*", ";", line)
        if not CODE.search(line) or "for (" in line:
            continue
        for kind, rules in (("condition", CONDITIONS), ("limit", LIMITS)):
            for pattern, becomes in rules:
                for match in re.finditer(pattern, line):
                    yield number, kind, line, line[:match.start()] + match.expand(becomes) + line[match.end():]


def rank(seed, mutant):
    """Where a mutant stands in the order: by itself alone."""
    path, _, kind, old, new = mutant
    return hashlib.sha256(f"{seed} {path.name} {kind} {old.strip()} {new.strip()}".encode()).digest()


def choose(seed, count):
    """As many from each layer; in turn, so that a part of a run is of all."""
    layers = []
    for layer in LAYERS:
        files = sorted(path for path in (ROOT / "src" / layer).rglob("*.c") if not LEFT_OUT.search(str(path.relative_to(ROOT))))
        every = [(path.relative_to(ROOT), *mutant) for path in files for mutant in mutants_of(path)]
        layers.append(sorted(every, key=lambda mutant: rank(seed, mutant))[:count // len(LAYERS)])
    return [mutant for turn in zip(*layers) for mutant in turn]


def run(argv, seconds, **options):
    """The exit code; None after the time."""
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True, **options)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        return None


def sources_of(program):
    """The files that a program was made of, by its debugging information."""
    told = subprocess.run(["readelf", "-wi", "--dwarf-depth=1", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, check=True)
    return {Path(found).name for found in re.findall(r"DW_AT_name.*?(src/\S+\.c)$", told.stdout, re.MULTILINE)}


def is_near(path, name):
    """Whether a test is named after a file or its folder."""
    folder = path.parts[2] if len(path.parts) > 3 else path.stem
    return (name == path.stem or path.stem.startswith(name + "_") or name.startswith(path.stem + "_")
            or name == folder or name.startswith(folder + "_") or path.stem.split("_")[0] == name.split("_")[0])


class Copy:
    """A copy of the tree with a build of its own, of these targets or all."""

    def __init__(self, folder, *targets):
        self.root = Path(folder) / "tree"
        shutil.copytree(ROOT, self.root, ignore=shutil.ignore_patterns("build", "build-*", "__pycache__"))
        subprocess.run(["tools/setup.sh", "build"], cwd=self.root, check=True, stdout=subprocess.DEVNULL)
        self.sound = {}  # test: how long it takes without a mutant; None: it fails
        if self.ninja(*targets) != 0:
            sys.exit(f"{Path(sys.argv[0]).name}: the tree does not build")
        self.tests = {}  # test: its sources
        for kind, prefix in (("unit", "test_"), ("sim", "sim_")):
            for program in sorted((self.root / "build/tests" / kind).glob(prefix + "*")):
                name = program.name.removeprefix(prefix)
                if program.is_file() and name not in MEASURES:
                    self.tests[kind, name] = sources_of(program)

    def ninja(self, *targets):
        return run(["nice", "-n", "19", "ninja", "-C", "build", *targets], BUILD_SECONDS, cwd=self.root)

    def run_test(self, kind, name, seconds):
        """Its exit code; None when it hangs. Raises ValueError when it cannot be built."""
        program = f"tests/{kind}/{'sim' if kind == 'sim' else 'test'}_{name}"
        if self.ninja(program, "shadowmesh-backbone") != 0:
            raise ValueError
        environment = {**os.environ, "VECTORS": str(self.root / "tests/vectors"),
                       "BACKBONE": str(self.root / "build/shadowmesh-backbone")}
        return run(["nice", "-n", "19", self.root / "build" / program], seconds, cwd=self.root, env=environment)

    def measure(self, test):
        """A test that fails anyway kills nothing."""
        if test in self.sound:
            return
        begun = time.monotonic()
        passed = self.run_test(*test, TEST_SECONDS) == 0
        self.sound[test] = time.monotonic() - begun if passed else None
        if not passed:
            print(f"{test[1]} fails without a mutant: left out", flush=True)

    def tests_for(self, path):
        """The tests with this file in them: those of its name first, then those that have the least else in them. Those of
        whole backbones start the program."""
        def order(test):
            return not is_near(path, test[1]), len(self.tests[test])

        linked = [test for test, sources in self.tests.items() if path.name in sources]
        chosen = sorted(linked, key=order)[:TESTS_MAX] + [("unit", "node_lists")] * (path.parts[1] == "backbone")
        for test in chosen:
            self.measure(test)
        return [test for test in chosen if self.sound[test] is not None]

    def try_out(self, path, number, line):
        """What became of the mutant: 'killed by …', 'does not build' or 'survived'."""
        tests = self.tests_for(path)
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
                code = self.run_test(kind, name, min(TEST_SECONDS, max(HANGS_LEAST, HANGS * self.sound[kind, name])))
            except ValueError:
                return "does not build"
            if code != 0:
                return f"killed by {name}" + (" (hangs)" if code is None else "")
        return "survived"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--list", action="store_true", help="only print them")
    parser.add_argument("--least", type=int, default=80, metavar="PERCENT", help="fail when fewer are killed")
    options = parser.parse_args()
    chosen = choose(options.seed, options.count)
    if options.list:
        for path, number, kind, _, new in chosen:
            print(f"{path}:{number + 1}: {kind}: {new.strip()}")
        return 0
    killed = survived = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Copy(folder)
        for path, number, kind, old, new in chosen:
            nothing = MEANS_NOTHING.get((path.name, new.strip() if new.strip() != ";" else old.strip()))
            verdict = f"means nothing: {nothing}" if nothing else copy.try_out(path, number, new)
            killed += verdict.startswith("killed")
            survived += verdict == "survived"
            print(f"{path}:{number + 1}: {kind}: {verdict}", flush=True)
            if verdict == "survived":
                print(f"    - {old.strip()}\n    + {new.strip()}", flush=True)
    share = 100 * killed / max(killed + survived, 1)
    print(f"{killed} killed, {survived} survived, {share:.0f} %")
    return 0 if share >= options.least else 1


if __name__ == "__main__":
    sys.exit(main())
