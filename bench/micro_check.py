#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions of ours that a datagram costs in each step of the data path, and compares them with the
recorded figures (micro.json): one more than 5 % over its record fails. Counts do not depend on how busy the machine is.

valgrind counts what runs inside of micro.c's measure_ functions, and of that only what lies in our own program: the
libraries' ciphers and copies choose their instructions by the CPU. What our own code compiles to depends on
compiler and processor family, so each such build has figures of its own; one without is not judged.

    micro_check.py --build build            compare; the outcome in TAP, as make check reads it
    micro_check.py --build build --times    also show nanoseconds per datagram
    micro_check.py --build build --record   write what was counted to micro.json, on purpose
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
RECORD = HERE / "micro.json"
ALLOWED = 1.05
REPEATS = 50  # of a batch each
CIPHER = re.compile(r"(aead|evp|imb)_")  # functions of src/crypto/aead*.c
NOT_OURS = {"copy"}
COST = re.compile(r"^[+\-*\d]\S* (\d+)$")


def own_instructions(path, program, with_ciphers):
    """The self cost of everything in the program, from a callgrind file without name compression."""
    total, inside, cipher, call = 0, False, False, False
    for line in path.read_text().splitlines():
        if line.startswith("ob="):
            inside = line[3:].strip() == program
        elif line.startswith("fn="):
            cipher = bool(CIPHER.match(line[3:]))
        elif line.startswith("calls="):
            call = True  # the next line is what the callee cost
        elif match := COST.match(line):
            total += int(match[1]) if inside and not call and (with_ciphers or not cipher) else 0
            call = False
    return total


def count(micro, step, batch):
    """Own instructions per datagram in one step. Which library encrypts is decided by time, which means nothing under
    valgrind: what calls it counts in steps of its own, for each library."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        result = subprocess.run(
            ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=measure_*", "--compress-strings=no",
             "--compress-pos=no", f"--callgrind-out-file={out}", micro, step, str(REPEATS)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        if result.returncode:
            raise SystemExit(f"1..1\nnot ok 1 - {step} under valgrind: {(result.stdout + result.stderr).strip()}")
        return round(own_instructions(out, str(micro), step.startswith("aead")) / (REPEATS * batch), 1)


def options():
    parser = argparse.ArgumentParser(description="Counts instructions per datagram and compares them with the record.")
    parser.add_argument("--build", type=Path, default=Path("build"), help="the build folder (default build)")
    parser.add_argument("--times", action="store_true", help="also show nanoseconds")
    parser.add_argument("--record", action="store_true", help="write the counts to micro.json")
    return parser.parse_args()


def times(median, fastest):
    return f"{float(median):.0f} ns, fastest {float(fastest):.0f}"


def judge(number, step, counted, recorded, took):
    """One line of TAP; True when it is good."""
    figures = f"{step}: {counted:.1f} instructions per datagram" + (f", {took}" if took else "")
    if recorded is None:
        print(f"ok {number} - {figures} # SKIP no figure is recorded for this compiler and processor")
        return True
    good = counted <= recorded * ALLOWED
    advice = "" if good else "; if it is worth it, record it: bench/micro_check.py --record"
    print(f"{'ok' if good else 'not ok'} {number} - {figures} (recorded {recorded:.1f}, {counted / recorded - 1:+.1%}{advice})")
    return good


def main():
    chosen = options()
    micro = (chosen.build / "bench" / "micro").resolve()
    if not micro.exists() or not shutil.which("valgrind"):
        raise SystemExit(f"1..1\nnot ok 1 - {micro} and valgrind are needed: run make, and tools/deps.sh check")
    listed = subprocess.run([micro] if chosen.times else [micro, "all", "1"], capture_output=True, text=True, check=True).stdout
    head, *lines = listed.splitlines()
    key, steps = head.lstrip("# "), [line.split() for line in lines]
    known = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    if chosen.times:
        print("".join(f"# {step}: {times(median, fastest)}\n" for step, median, fastest, _ in steps if step in NOT_OURS), end="")
    steps = [entry for entry in steps if entry[0] not in NOT_OURS]
    print(f"# {key}; of the program's own code, without the libraries' ciphers and copies\n1..{len(steps)}")
    recorded, counts, good = known.get(key, {}), {}, True
    for number, (step, median, fastest, batch) in enumerate(steps, 1):
        counts[step] = count(micro, step, int(batch))
        good &= judge(number, step, counts[step], recorded.get(step), times(median, fastest) if chosen.times else None)
    if chosen.record:
        known.setdefault(key, {}).update(counts)
        RECORD.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
        print(f"# recorded in {RECORD}")
        return 0
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
