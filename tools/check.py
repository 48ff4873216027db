#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every test and counts each: what `make check` does.

Builds three times (plain, ASan+UBSan, TSan), and checks the source tree and the protocol's model meanwhile. Runs the unit and
simulation programs and the replay of the fuzz corpora in each build (with TSan those that can start threads), and the labs in
network namespaces. Labs mostly wait, so they run side by side. What computes fills the gaps with the lowest priority: the
sanitized programs, the lines that tests reach, the checks of the built programs and the count of instructions. The reference
lab with the sanitized builds, which may be slow, runs among them. Labs marked `alone` measure or load the machine and come
last. A lab that failed is tried once more when nothing runs beside it: what
passes then counts as passed and is named (retry_labs). Prints the failures with the ends of their output, a table,
and as its last line `N passed, N failed` (and `, N skipped` if any were). Exits 0 only if tests ran and none failed.
"""

import argparse
import ast
import concurrent.futures
import configparser
import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from results import Results, record_program, record_report, report, say

ROOT = Path(__file__).resolve().parent.parent
JOBS = os.cpu_count() or 2
# Labs wait more than they compute: six at once took 363 to 436 s, and 320 s of CPU.
LABS_AT_ONCE = JOBS + 4
# Calls that start a thread, or load what may start one. A program that makes none of them has one thread: TSan can find no race.
THREADS = re.compile(r" (pthread_create|thrd_create|uv_(thread_create\w*|queue_work|getaddrinfo|getnameinfo|fs_\w+|random)"
                     r"|MHD_start_daemon|call_rcu\w*|create_call_rcu_data\w*|timer_create|dlopen)(@|$)", re.MULTILINE)
PROGRAM_SECONDS = 300
LABS_SECONDS = 40 * 60
# So many labs may fail beside others and pass alone; more are no accident of a busy machine.
RETRIES_MAX = 3

SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99",
    "TSAN_OPTIONS": f"halt_on_error=1:exitcode=99:second_deadlock_stack=1:suppressions={ROOT / 'tools' / 'tsan.supp'}",
}

# With little optimisation, and of debug information the lines that reports name: that halves what compiling costs.
SANITIZED = ["-Db_lundef=false", "-Doptimization=1", "-Ddebug=false", "-Dc_args=-g1"]
BUILDS = {
    "plain": ("build", []),
    "asan": ("build-asan", ["-Db_sanitize=address,undefined", *SANITIZED]),
    "tsan": ("build-tsan", ["-Db_sanitize=thread", *SANITIZED]),
    "arm64": ("build-arm64", ["--arch", "arm64"]),
    "s390x": ("build-s390x", ["--arch", "s390x"]),  # where the first byte of a number is its highest
}
SLOWER = {"asan": 4, "tsan": 4, "arm64": 20, "s390x": 20}
TRACED = ("arm64",)  # where OpenSSL draws as it does here; its P-384 for s390x draws more
EMULATED = ("arm64", "s390x")  # run by qemu-user, and only when they are asked for
PROGRAMS = ("shadowmesh", "shadowmesh-l2", "shadowmesh-backbone")

running, running_labs = set(), set()
stopping = threading.Event()


def kill_running():
    """What other threads have started ends, and they start nothing more. Labs take down their namespaces first."""
    stopping.set()
    for process in list(running_labs):
        process.terminate()
    for process in list(running):
        kill_group(process)


def reap(process):
    """Waits for its end; returns the seconds of CPU of it and of all that it waited for."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def kill_group(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def run(argv, timeout, **options):
    """Runs argv in a process group of its own. Returns (exit code, output, seconds of CPU); the code is None after the timeout."""
    if stopping.is_set():
        return None, "(stopped)", 0.0
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace", start_new_session=True, cwd=ROOT, **options)
    running.add(process)
    late = threading.Event()
    overdue = threading.Timer(timeout, lambda: (late.set(), kill_group(process)))
    overdue.start()
    try:
        output = process.stdout.read()
        cpu = reap(process)
    except BaseException:
        kill_group(process)
        process.wait()
        raise
    finally:
        running.discard(process)
        overdue.cancel()
        process.stdout.close()
    if late.is_set():
        return None, output + f"\n(stopped after {timeout} s)", cpu
    return process.returncode, output, cpu


def build(results, flavour, wanted):
    """Configures and builds one flavour, a sanitized one as far as it is run. One that fails counts as one failed test."""
    folder, options = BUILDS[flavour]
    start = time.monotonic()
    say(f"== build {flavour} ({folder})")
    done = (ROOT / folder / "build.ninja").exists() or build_step(results, flavour, ["tools/setup.sh", folder, *options])
    done = done and build_step(results, flavour, ["ninja", "-C", folder, *targets(results, flavour, wanted)])
    if done:
        results.add("build", flavour, "passed")
        results.took("build", time.monotonic() - start)
    return done


def build_step(results, flavour, step):
    code, output, cpu = run(step, timeout=1800)
    results.took("build", cpu=cpu)
    if code != 0:
        results.add("build", f"{flavour}: {' '.join(step[:3])}", "failed", output)
    return code == 0


def targets(results, flavour, wanted):
    """What ninja is to build: everything of the plain build, else the programs and the tests that are run."""
    if flavour == "plain":
        return []
    folder = ROOT / BUILDS[flavour][0]
    return [*PROGRAMS, *(str(Path(test["cmd"][0]).relative_to(folder)) for _, test in list_tests(results, flavour, wanted))]


NICE = ["nice", "-n", "19"]


def program_command(flavour, command):
    # TSan maps its shadow at fixed addresses, which some kernels' address randomisation collides with.
    if flavour == "tsan" and shutil.which("setarch"):
        return ["setarch", "-R", *command]
    if flavour in EMULATED:
        return [*emulator(flavour), *command]
    return command


@functools.cache
def emulator(flavour):
    """The command that runs its programs, of the description that tools/setup.sh gave to Meson."""
    cross = configparser.ConfigParser(interpolation=None)
    cross.read(ROOT / BUILDS[flavour][0] / "cross.ini")
    return ast.literal_eval(cross["binaries"]["exe_wrapper"])


def has_threads(program):
    """Read from the plain build's program; one that is not there may have some."""
    code, output, _ = run(["nm", "--dynamic", "--undefined-only", program], timeout=60)
    return code != 0 or THREADS.search(output) is not None


def list_tests(results, flavour, wanted):
    """[(kind, test)] of the programs that Meson knows as tests, and that this flavour runs."""
    folder = ROOT / BUILDS[flavour][0]
    code, output, _ = run(["meson", "introspect", folder, "--tests"], timeout=60)
    if code != 0:
        results.add("build", f"{flavour}: list of tests", "failed", output)
        return []
    tests = []
    for test in json.loads(output):
        kind = next((s.split(":")[-1] for s in test["suite"]), "unit")
        plain = ROOT / BUILDS["plain"][0] / Path(test["cmd"][0]).relative_to(folder)
        if wanted(kind, test["name"]) and (flavour != "tsan" or has_threads(plain)):
            tests.append((kind, test))
    return tests


def run_program(flavour, test, politely):
    """(exit code, output, seconds, seconds of CPU) of one of them."""
    environment = {**os.environ, **SANITIZER_OPTIONS, **test["env"], "CMOCKA_MESSAGE_OUTPUT": "TAP"}
    start = time.monotonic()
    limit = max(test.get("timeout") or 0, 60) * SLOWER.get(flavour, 1)
    command = [*(NICE if politely else []), *program_command(flavour, test["cmd"])]
    most = LABS_SECONDS if flavour in EMULATED else 2 * PROGRAM_SECONDS
    code, output, cpu = run(command, timeout=min(limit, most), env=environment)
    return code, output, time.monotonic() - start, cpu


def programs(results, flavour, wanted, politely=False):
    """Runs the programs, each counted test by test, several at a time."""
    tests = list_tests(results, flavour, wanted)
    say(f"== unit, sim and fuzz programs, {flavour}: {len(tests)}")
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        outcomes = pool.map(lambda item: run_program(flavour, item[1], politely), tests)
        for (kind, test), (code, output, seconds, cpu) in zip(tests, outcomes):
            suite = f"{kind} ({flavour})"
            record_program(results, suite, test["name"], code, output)
            results.took(suite, seconds, cpu)


def traces(results, flavour):
    """What a simulation sends is a function of its seed alone: the same bytes at the same times on every architecture."""
    plain, program = BUILDS["plain"][0], "tests/sim/sim_trace"
    here = (ROOT / plain / "build.ninja").exists() or build_step(results, "plain", ["tools/setup.sh", plain])
    if not here or not build_step(results, "plain", ["ninja", "-C", plain, program]):
        return
    for seed in ("1", "2", "3"):
        _, ours, _ = run([f"{plain}/{program}", seed], timeout=PROGRAM_SECONDS)
        _, theirs, _ = run([*emulator(flavour), f"{BUILDS[flavour][0]}/{program}", seed], timeout=PROGRAM_SECONDS)
        same = ours == theirs and re.fullmatch("[0-9a-f]{16} [0-9a-f]{16}\n", ours)
        results.add(f"traces ({flavour})", f"seed {seed}", "passed" if same else "failed", f"here {ours}there {theirs}")


def pytest(results, suite, folder, paths, build_folder, keyword, as_root=False, more=(), politely=False):
    """Runs pytest, shows its progress as it comes, and counts its tests from the report that it writes. With a keyword
    or a mark among `more`, there may be no test."""
    if stopping.is_set():
        return
    written = ROOT / build_folder / f"report-{re.sub('[^a-z]+', '-', suite).strip('-')}.xml"
    written.parent.mkdir(exist_ok=True)
    written.unlink(missing_ok=True)
    # Not the python3 of PATH: Debian's, which has the packages.
    command = ["/usr/bin/python3", "-u", "-B", "-m", "pytest", "-p", "no:cacheprovider", "--tb=short", "-v", "-ra",
               "--no-header", "-o", "junit_family=xunit1", f"--junitxml={written}", *more, *paths]
    if keyword:
        command += ["-k", keyword]
    environment = {**os.environ, **SANITIZER_OPTIONS, "SHADOWMESH_BUILD": str(ROOT / build_folder),
                   "PYTHONDONTWRITEBYTECODE": "1"}
    if as_root and os.geteuid() != 0:
        passed_on = [f"{key}={environment[key]}" for key in (*SANITIZER_OPTIONS, "SHADOWMESH_BUILD", "PYTHONDONTWRITEBYTECODE")]
        command = ["sudo", "env", *passed_on, *command]
    if politely:
        command = [*NICE, *command]
    say(f"== {suite}")
    start = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", env=environment, cwd=folder)
    running_labs.add(process)
    # Asks first: the labs take down their namespaces.
    overdue = threading.Timer(LABS_SECONDS, process.terminate)
    overdue.start()
    try:
        show_progress(process.stdout, side_by_side="-n" in more)
        cpu = reap(process)
    except BaseException:
        process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    finally:
        running_labs.discard(process)
        overdue.cancel()
    results.took(suite, time.monotonic() - start, cpu)
    record_report(results, suite, written, process.returncode, bool(keyword))


STARTED_LINE = re.compile(r"^tests/\S+::.* $")


def show_progress(lines, side_by_side):
    """Where tests run side by side, pytest also says when each begins: a line a test is enough."""
    for line in lines:
        line = line.rstrip("\n")
        if not (side_by_side and STARTED_LINE.match(line)):
            say(line)


def instructions(results):
    """What a datagram costs in each step of the data path, against what is recorded."""
    say("== instructions per datagram")
    start = time.monotonic()
    code, output, cpu = run([*NICE, "/usr/bin/python3", "-B", "bench/micro_check.py", "--build", BUILDS["plain"][0]],
                            timeout=2 * PROGRAM_SECONDS)
    record_program(results, "instructions", "micro", code, output)
    results.took("instructions", time.monotonic() - start, cpu)


def coverage(results):
    """How many lines of each folder with a floor unit tests reach, in a build of its own. What simulations reach has none."""
    say("== lines that tests reach")
    start = time.monotonic()
    code, output, cpu = run([*NICE, "tools/coverage.py", "build-coverage", "--floors"], timeout=LABS_SECONDS)
    record_program(results, "coverage", "lines", code, output)
    results.took("coverage", time.monotonic() - start, cpu)


def model(results):
    """The quick part of the searches of docs/model; `make model` runs them all."""
    say("== the model of the handshake and the ratchet")
    start = time.monotonic()
    code, output, cpu = run([*NICE, "/usr/bin/python3", "-B", "docs/model/check.py", "--quick"], timeout=2 * PROGRAM_SECONDS)
    record_program(results, "model", "maude", code, output)
    results.took("model", time.monotonic() - start, cpu)


def labs(results, flavour, keyword, more=(), how="", path="tests/netns"):
    suite = f"labs ({flavour}{', ' + how if how else ''})"
    pytest(results, suite, ROOT, [path], BUILDS[flavour][0], keyword, as_root=True, more=more)


def retry_labs(results):
    """Labs judge real programs by a real clock, on a machine that may be others', too. So one that failed beside others is tried
    again alone. Races are still found: what fails twice fails, and so does everything where more than RETRIES_MAX failed."""
    failed = [failure for failure in results.failures if failure[0].startswith("labs (plain") and "::" in failure[1]]
    if not failed or len(failed) > RETRIES_MAX or stopping.is_set():
        return
    again = Results()
    pytest(again, "labs (plain, once more)", ROOT, [f"tests/netns/{name.replace('::', '.py::', 1)}" for _, name, _ in failed],
           BUILDS["plain"][0], "", as_root=True)
    failed_again = {name for _, name, _ in again.failures}
    if again.total("passed") + len(failed_again) == len(failed):
        for failure in failed:
            if failure[1] not in failed_again:
                results.forgive(failure)


@contextlib.contextmanager
def beside(*tasks):
    """Runs the tasks, each in a thread of its own, beside the body; none outlives an interruption."""
    with concurrent.futures.ThreadPoolExecutor(max(len(tasks), 1)) as pool:
        work = [pool.submit(task) for task in tasks]
        try:
            yield
            for each in work:
                each.result()
        except BaseException:
            kill_running()
            raise


SUITES = ("tree", "built", "model", "unit", "sim", "fuzz", "bench", "coverage", "netns")


def options():
    parser = argparse.ArgumentParser(description="Runs every test and counts each.")
    parser.add_argument("--only", metavar="SUITE", action="append", choices=SUITES, help=", ".join(SUITES) + "; may repeat")
    parser.add_argument("-k", dest="keyword", default="", help="only tests whose name contains this (pytest's -k in labs)")
    parser.add_argument("--flavour", action="append", choices=list(BUILDS), help="only this build; may repeat")
    return parser.parse_args()


def stop(signum, _frame):
    raise KeyboardInterrupt(signal.Signals(signum).name)


def main():
    chosen = options()
    suites = set(chosen.only or SUITES)
    flavours = chosen.flavour or [flavour for flavour in BUILDS if flavour not in EMULATED]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    results = Results()
    start = time.monotonic()

    def wanted(kind, name):
        return kind in suites and chosen.keyword in name

    def sources():
        if "tree" in suites:
            pytest(results, "tree", ROOT, ["tests/tree"], "build", chosen.keyword)
        if "model" in suites:
            model(results)

    built = []
    with beside(sources):
        if suites - {"tree", "model", "coverage"}:
            built = [flavour for flavour in flavours if build(results, flavour, wanted)]
    slower = [flavour for flavour in built if flavour != "plain"]
    if "plain" in built and suites & {"unit", "sim", "fuzz"}:
        programs(results, "plain", wanted)

    def what_was_built():
        if "built" in suites and "plain" in built:
            pytest(results, "built", ROOT, ["tests/built"], BUILDS["plain"][0], chosen.keyword, politely=True)
        if "bench" in suites and "plain" in built:
            instructions(results)

    def slower_programs():
        for flavour in slower:
            if suites & {"unit", "sim", "fuzz"}:
                programs(results, flavour, wanted, politely=True)
            if flavour in TRACED and wanted("sim", "sim_trace"):
                traces(results, flavour)

    def sanitized_labs():
        for flavour in slower:
            if "netns" in suites:
                # Slow, as it is meant to be: the reference scenario shows the races and leaks.
                labs(results, flavour, chosen.keyword, path="tests/netns/test_reference.py")

    def lines_reached():
        if "coverage" in suites:
            coverage(results)

    with beside(what_was_built, slower_programs, lines_reached, sanitized_labs):
        if "netns" in suites and "plain" in built:
            labs(results, "plain", chosen.keyword, ["-m", "not alone", "-n", str(LABS_AT_ONCE)], "side by side")
    if "netns" in suites and "plain" in built:
        labs(results, "plain", chosen.keyword, ["-m", "alone"], "alone")
        retry_labs(results)
    report(results, time.monotonic() - start)
    return 0 if results.total("failed") == 0 and results.total("passed") > 0 else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("\nstopped\n0 passed, 1 failed")
        sys.exit(130)
