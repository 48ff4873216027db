# SPDX-License-Identifier: Apache-2.0
"""What the tests of `make check` came to: counted by suite, told as they come, and at the end."""

import re
import sys
import xml.etree.ElementTree as ElementTree

TAIL_LINES = 60


def say(text):
    # One write: a line of one thread is not torn by another's.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def tail(text, lines=TAIL_LINES):
    kept = text.rstrip().splitlines()
    if len(kept) > lines:
        kept = [f"... ({len(kept) - lines} lines above)"] + kept[-lines:]
    return "\n".join(kept)


class Results:
    """The outcome of each test by suite; a failure keeps the text that explains it."""

    def __init__(self):
        self.suites = {}
        self.failures = []
        self.second_tries = []
        self.figures = []

    def suite(self, name):
        return self.suites.setdefault(name, {"passed": 0, "failed": 0, "skipped": 0, "seconds": 0.0, "cpu": 0.0})

    def add(self, suite, name, outcome, text=""):
        self.suite(suite)[outcome] += 1
        if outcome == "failed":
            self.failures.append((suite, name, text))
            say(f"  FAILED {name}")

    def forgive(self, failure):
        """The test failed once and passed alone: it counts as passed, and is told of."""
        self.failures.remove(failure)
        self.second_tries.append(failure)
        self.suites[failure[0]]["failed"] -= 1
        self.suites[failure[0]]["passed"] += 1

    def took(self, suite, seconds=0.0, cpu=0.0):
        """cpu: of its processes and of all that these waited for."""
        self.suite(suite)["seconds"] += seconds
        self.suite(suite)["cpu"] += cpu

    def total(self, what):
        return sum(counts[what] for counts in self.suites.values())


TAP_LINE = re.compile(r"^(?P<bad>not )?ok \d+(?: -)? ?(?P<name>[^#]*)(?P<skip># SKIP ?(?P<skipped>.*))?$", re.IGNORECASE)


def tap_outcomes(output):
    """Yields (test, outcome) of cmocka's TAP output: a skipped test reads `not ok 3 # SKIP name`."""
    for line in output.splitlines():
        match = TAP_LINE.match(line.strip())
        if not match:
            continue
        if match["skip"]:
            yield (match["name"].strip() or match["skipped"].strip()), "skipped"
        else:
            yield match["name"].strip(), "failed" if match["bad"] else "passed"


def record_program(results, suite, test, code, output):
    """Counts what one program says. One that dies, hangs or leaks without naming a test is a failure of its own."""
    outcomes = list(tap_outcomes(output))
    planned = sum(int(plan) for plan in re.findall(r"(?m)^1\.\.(\d+)\s*$", output))
    failed = sum(outcome == "failed" for _, outcome in outcomes)
    for name, outcome in outcomes:
        results.add(suite, f"{test}: {name}", outcome, output)
    if not outcomes and code == 0:
        results.add(suite, test, "passed")
        return
    for _ in range(max(planned - len(outcomes), 0)):
        results.add(suite, f"{test}: a test that was planned did not run (exit code {code})", "failed", output)
        failed += 1
    if code != 0 and not failed:
        results.add(suite, f"{test}: exit code {code}", "failed", output)


def record_report(results, suite, report, code, may_be_empty):
    try:
        cases = list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        results.add(suite, f"no report, exit code {code}", "failed", str(error))
        return
    failed = 0
    for case in cases:
        name = f"{case.get('classname', '').split('.')[-1]}::{case.get('name')}"
        for entry in case.iter("property"):
            if entry.get("name") == "figure":
                results.figures.append(f"{name}: {entry.get('value')}")
        bad = [child for child in case if child.tag in ("failure", "error")]
        if bad:
            failed += 1
            results.add(suite, name, "failed", "\n".join((child.text or child.get("message") or "") for child in bad))
        elif case.find("skipped") is not None:
            results.add(suite, name, "skipped")
        else:
            results.add(suite, name, "passed")
    if code not in (0, 5) and not failed or (code == 5 and not may_be_empty):
        results.add(suite, f"pytest's exit code {code}", "failed")


def report(results, seconds):
    for suite, name, text in results.second_tries:
        say(f"\n---- passed alone only, and failed before [{suite}] {name}\n{tail(text)}")
    for suite, name, text in results.failures:
        say(f"\n---- FAILED [{suite}] {name}")
        if text:
            say(tail(text))
    if results.figures:
        say("\nfigures measured:")
        for figure in results.figures:
            say(f"  {figure}")
    say("")
    say(f"{'suite':<28}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}{'CPU s':>8}")
    for suite, counts in results.suites.items():
        say(f"{suite:<28}{counts['passed']:>8}{counts['failed']:>8}{counts['skipped']:>9}{counts['seconds']:>9.0f}{counts['cpu']:>8.0f}")
    say(f"{'all, wall clock':<28}{'':>25}{seconds:>9.0f}{results.total('cpu'):>8.0f}\n")
    line = f"{results.total('passed')} passed, {results.total('failed')} failed"
    if results.total("skipped"):
        line += f", {results.total('skipped')} skipped"
    say(line)
