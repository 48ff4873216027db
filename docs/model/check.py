#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Searches the model of the handshake, the ratchet, joining and revoking with Maude: what `make model` does.

Every claim must hold in every reachable state of the model as it is; every planted flaw must be found by the claim that
names it, and be the only cause: the same search without it finds nothing. A search that does not end, a warning or a
missing tool is a failure. The last line is `N passed, N failed`. docs/model/README.md explains it all.

  check.py              everything
  check.py --quick      what takes seconds: the part for `make check`
  check.py --trail NAME one case by its name, with the way to what was found
"""

import argparse
import concurrent.futures
import itertools
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
FILES = ("terms.maude", "nodes.maude", "claims.maude")
NETWORK_FILES = ("network.maude",)
SECONDS = 300  # for one search; the longest takes 40 s of CPU
NETWORK = ("joining", "false-token", "revoking")  # scenarios of NETWORK_FILES


class Case(NamedTuple):
    expected: str  # "holds" or "found"
    flaw: str
    scenario: str
    powers: str  # what the intruder has besides the network
    steps: int  # of the ratchet
    claim: str
    quick: bool = True

    @property
    def files(self):
        return NETWORK_FILES if self.scenario in NETWORK else FILES

    @property
    def name(self):
        powers = f"+{self.powers.replace(' ', '+')}" if self.powers else ""
        return f"{self.flaw or 'sound'}:{self.scenario}{powers}/{self.steps}:{self.claim}"


# Each flaw, and where which claim finds it.
FLAWS = [
    ("no-hello-binding", "pair", "records", 0, "agreement-fails"),
    ("no-acceptor-hello", "pair", "records", 0, "agreement-fails"),
    ("no-role", "pair", "", 0, "reflection"),
    ("unchecked-id", "pair", "", 0, "secrecy-fails"),
    ("unchecked-id", "rogue", "public", 0, "agreement-fails"),
    ("unchecked-id", "stranger", "", 0, "identity-shown"),
    ("signature-without-transcript", "pair", "", 0, "secrecy-fails"),
    ("no-opener-signature", "pair", "", 0, "secrecy-fails"),
    ("no-fresh-values", "twice", "", 0, "agreement-fails"),
    ("open-certificates", "stranger", "", 0, "identity-shown"),
    ("no-admission", "stranger", "", 0, "hello-shown"),
    ("exporter-alone", "pair", "theft", 1, "secrecy-fails"),
    ("shares-kept", "pair", "theft", 1, "secrecy-fails"),
    ("old-roots-kept", "pair", "theft", 1, "secrecy-fails"),
    ("no-step-share", "pair", "theft", 1, "secrecy-fails"),
    ("no-last-root", "pair", "lanes", 1, "secrecy-fails"),
    ("no-transcript", "pair", "lanes encodings", 1, "agreement-fails"),
    ("offer-under-old-keys", "pair", "lanes", 2, "step-fails"),
    ("answers-again", "pair", "", 1, "step-fails"),
    ("unchecked-issuer", "joining", "", 1, "proof-shown"),
    ("unchecked-network", "false-token", "", 1, "lured"),
    ("proof-alone", "joining", "records", 1, "stranger-joins"),
    ("proof-without-channel", "joining", "records key-files", 1, "thief-joins"),
    ("used-again", "joining", "token", 1, "used-twice"),
    ("answer-before-write", "joining", "token", 2, "same-address"),
    ("any-list", "revoking", "", 2, "unrevoked"),
    ("list-that-shrinks", "revoking", "backup", 3, "unrevoked"),
    ("lists-not-kept", "revoking", "", 2, "unrevoked"),
    ("issuers-revoke-issuers", "revoking", "issuer-key", 2, "issuer-shut-out"),
    ("unsigned-lists", "revoking", "", 2, "shut-by-nobody"),
]

# Where every claim is searched at once: scenario, powers, steps, quick.
SOUND = [
    ("pair", "", 2, True),
    ("pair", "records", 2, True),
    ("pair", "records any-share", 1, True),
    ("pair", "theft", 1, True),
    ("pair", "theft", 2, False),
    ("pair", "theft any-share", 1, False),
    ("pair", "thefts", 1, False),
    ("pair", "records theft", 1, False),
    ("pair", "lanes", 2, True),
    ("pair", "lanes encodings", 1, True),
    ("pair", "key-files", 1, False),
    ("pair", "old-peers theft", 1, True),
    ("pair", "public theft", 1, True),
    ("crossed", "", 0, True),
    ("mirror", "records", 0, True),
    ("mirror", "", 2, True),
    ("rogue", "public", 1, True),
    ("rogue", "public records", 0, True),
    ("twice", "", 0, True),
    ("again", "records", 0, True),
    ("again", "", 2, True),
    ("joining", "records token", 2, True),
    ("false-token", "records token key-files", 1, True),
    ("joining", "records token key-files", 1, True),
    ("revoking", "backup", 3, True),
    ("revoking", "issuer-key", 3, True),
]

# What must be reachable: that the searches above are not empty, and what docs/SECURITY.md says is shown.
REACHED = [
    ("pair", "", 2, "complete"),
    ("pair", "theft", 1, "complete"),
    ("stranger", "", 1, "complete"),
    ("stranger", "", 0, "server-shown"),
    ("pair", "theft", 1, "thief-stays"),
    ("pair", "old-peers records theft", 1, "secrecy-fails"),
    ("joining", "", 1, "joined"),
    ("joining", "token", 1, "token-thief-joins"),
    ("revoking", "", 2, "revoked"),
    ("revoking", "issuer-key", 2, "thief-revokes"),
]


def cases():
    listed = [Case("holds", "", scenario, powers, steps, "network-broken" if scenario in NETWORK else "broken", quick)
              for scenario, powers, steps, quick in SOUND]
    listed += [Case("found", "", *reached) for reached in REACHED]
    for flaw in FLAWS:
        listed += [Case("found", *flaw), Case("holds", "", *flaw[1:])]
    return list(dict.fromkeys(listed))


def program(case, more=""):
    """What Maude reads: the switches of this run, the model, the search."""
    powers = " ".join(f"'{power}" for power in case.powers.split()) or "nothing"
    return f"""
fmod CASE is
  protecting QID .
  protecting NAT .
  sort Powers .
  subsort Qid < Powers .
  op nothing : -> Powers [ctor] .
  op __ : Powers Powers -> Powers [ctor assoc comm id: nothing] .
  op flaw : -> Qid .
  op powers : -> Powers .
  op last-step : -> Nat .
  eq flaw = '{case.flaw or 'none'} .
  eq powers = {powers} .
  eq last-step = {case.steps} .
endfm
{''.join((HERE / name).read_text() for name in case.files)}
search [1] {case.scenario} =>* Q:{"World" if case.scenario in NETWORK else "State"} such that {case.claim}(Q:{"World" if case.scenario in NETWORK else "State"}) .
{more}
quit
"""


def maude(text):
    run = subprocess.run(["maude", "-no-banner", "-no-ansi-color", "-no-wrap", "-batch"], input=text, text=True,
                         capture_output=True, timeout=SECONDS, check=False)
    said = run.stdout + run.stderr
    if run.returncode or "Warning" in said or "Advisory" in said:
        raise ValueError(f"maude ended with {run.returncode}:\n{said[-3000:]}")
    return run.stdout


def search(case):
    """(outcome, states looked at, state where it was found): holds only when the search ended by itself."""
    output = maude(program(case))
    states = re.search(r"^states: (\d+) ", output, flags=re.MULTILINE)
    found = re.search(r"^Solution 1 \(state (\d+)\)", output, flags=re.MULTILINE)
    ended = re.search(r"^No solution\.", output, flags=re.MULTILINE)
    if not states or bool(found) == bool(ended):
        raise ValueError(f"the search was cut short:\n{output[-3000:]}")
    return "found" if found else "holds", int(states[1]), int(found[1]) if found else None


def judge(case):
    """(passed, a line of TAP without its number)"""
    start = time.monotonic()
    try:
        outcome, states, _ = search(case)
        note = f"{outcome}, {states} states"
    except subprocess.TimeoutExpired:
        outcome, note = "", f"not searched to its end within {SECONDS} s"
    except ValueError as error:
        outcome, note = "", str(error)
    if outcome != case.expected:
        note += f", expected: {case.expected}"
    return outcome == case.expected, f"{case.name}: {note} ({time.monotonic() - start:.1f} s)"


def untested():
    """Switches that the model has and no case uses, or the other way round: a search for nothing."""
    model = "".join((HERE / name).read_text() for name in FILES + NETWORK_FILES)
    flaws = set(re.findall(r"flaw == '([a-z-]+)", model)) ^ {flaw[0] for flaw in FLAWS}
    used = {power for case in cases() for power in case.powers.split()}
    return sorted(flaws | (set(re.findall(r"can\('([a-z-]+)\)", model)) ^ used))


def trail(name):
    chosen = [case for case in cases() if case.name == name]
    if not chosen:
        sys.exit(f"check.py: no case '{name}'; the names are those that check.py prints")
    _, _, state = search(chosen[0])
    if state is None:
        sys.exit("nothing was found: the claim holds in every state")
    path = maude(program(chosen[0], f"show path {state} ."))
    path = re.split("state 0, (?:State|World):", path, maxsplit=1)[1].rsplit("Bye.", 1)[0]
    print("state 0:" + re.sub(r"===\[ .*\[label ([a-z0-9-]+)\] \. \]===>", r"\n==== \1 ====>\n", path).rstrip())


def main():
    parser = argparse.ArgumentParser(description="Searches the model of the handshake, the ratchet, joining and revoking.")
    parser.add_argument("--quick", action="store_true", help="only what takes seconds")
    parser.add_argument("--list", action="store_true", help="the names of all cases")
    parser.add_argument("--trail", metavar="NAME", help="one case, with the way to what was found")
    options = parser.parse_args()
    if options.list:
        print("\n".join(case.name for case in cases()))
        return 0
    if not shutil.which("maude"):
        print("1..1\nnot ok 1 - there is no program maude: run tools/deps.sh model, or install it\n0 passed, 1 failed")
        return 1
    if options.trail:
        trail(options.trail)
        return 0
    return run([case for case in cases() if case.quick or not options.quick])


def run(wanted):
    """Prints TAP and the sum. The longest go first, so that none is left over at the end."""
    outcomes = [(False, f"the switch '{name}' is not both in the model and in a case") for name in untested()]
    print(f"1..{len(outcomes) + len(wanted)}", flush=True)
    passed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        judged = pool.map(judge, sorted(wanted, key=lambda case: case.quick))
        for number, (good, line) in enumerate(itertools.chain(outcomes, judged), 1):
            print(f"{'ok' if good else 'not ok'} {number} - {line}", flush=True)
            passed += good
    failed = len(outcomes) + len(wanted) - passed
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
