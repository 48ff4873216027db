#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares ShadowMesh with other tunnels on this machine: what `make bench` does. Needs root; touches nothing outside
of the network namespaces that it makes, and removes those whatever happens.

    a (10.10.10.4) ── tunnel ── b (10.10.10.3)
    eth0 198.51.100.1 ── veth ── eth0 198.51.100.2

Every round starts each program alone, in turns, and measures every row of it (rows.py), so that what else the machine
does in the meantime hits all alike. The table holds medians over the rounds. It is made twice: with the veth as it comes,
which passes whole trains of packets at once and so flatters programs that send them, and as a "wire", where every packet
passes alone.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "netns")]

import lab as labs  # noqa: E402
import goals  # noqa: E402
import programs  # noqa: E402
import report  # noqa: E402
import rows  # noqa: E402
from program import A, Absent  # noqa: E402

labs.PREFIX = "smbench"
LINKS = ("default", "wire")
CONGESTION = Path("/proc/sys/net/ipv4/tcp_congestion_control")
QUICK = {"peers": "shadowmesh,openvpn", "seconds": 1.0, "rounds": 1, "link": "default"}
USUAL = {"peers": ",".join(programs.ALL), "seconds": 2.0, "rounds": 3, "link": "both"}
CHECK = {**USUAL, "peers": ",".join(goals.programs_needed()), "congestion": goals.CONGESTION}
TOOLS = ("ip", "iperf3", "ping", "ethtool", "nft", "curl")


def options():
    parser = argparse.ArgumentParser(description="Compares ShadowMesh with other tunnels on this machine.")
    parser.add_argument("--peers", help=f"programs, with commas between them: {', '.join(programs.ALL)} (default all)")
    parser.add_argument("--seconds", type=float, help="length of each TCP and ping row (default 2)")
    parser.add_argument("--rounds", type=int, help="times that everything is measured (default 3)")
    parser.add_argument("--link", choices=[*LINKS, "both"], help="the underlay's form (default both)")
    parser.add_argument("--rows", help=f"steps to measure: {', '.join(rows.Meter.STEPS)}, loss (default all)")
    parser.add_argument("--quiet", type=float, default=0, metavar="SECONDS",
                        help="wait up to so long before each program until the machine does nothing else (default 0)")
    parser.add_argument("--congestion", metavar="NAME", help="TCP's congestion control (default the system's)")
    parser.add_argument("--quick", action="store_true", help="two programs, one second, one round: does it work at all?")
    parser.add_argument("--check", action="store_true", help="only what goals.py asks for, as a list; fails when one is not reached")
    parser.add_argument("--out", type=Path, default=HERE / "out", help="folder of the results (default bench/out)")
    parser.add_argument("--verbose", action="store_true", help="show every command")
    chosen = parser.parse_args()
    for name, value in (QUICK if chosen.quick else CHECK if chosen.check else USUAL).items():
        if getattr(chosen, name) is None:
            setattr(chosen, name, value)
    chosen.peers = [name for name in chosen.peers.split(",") if name]
    unknown = set(chosen.peers) - set(programs.ALL)
    if unknown or not chosen.peers or chosen.seconds < 1 or chosen.rounds < 1:
        parser.error(f"no program is called {', '.join(unknown)}" if unknown else
                     "at least one program, one round and one second are needed")
    known = CONGESTION.with_name("tcp_available_congestion_control").read_text().split()
    chosen.congestion = chosen.congestion or CONGESTION.read_text().strip()
    if chosen.congestion not in known:
        parser.error(f"this kernel has no congestion control '{chosen.congestion}', but {', '.join(known)}")
    chosen.links = LINKS if chosen.link == "both" else (chosen.link,)
    chosen.steps = chosen.rows.split(",") if chosen.rows else [*rows.Meter.STEPS, "loss"]
    return chosen


def guard():
    """A child that outlives us and takes the namespaces down should we be killed without a chance to do it."""
    alive, ours = os.pipe()
    parent = os.getpid()
    if os.fork():
        os.close(alive)
        return ours  # closed by our end, whatever end it is
    os.setsid()
    os.close(ours)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.read(alive, 1)
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout.split()
    for name in names:
        if name.startswith(f"{labs.PREFIX}-{parent}-"):
            labs.remove_namespace(name)
    for path in Path("/tmp").glob(f"{labs.PREFIX}-{parent}-*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in Path("/var/run/wireguard").glob(f"wg{parent % 100000}[ab].sock"):
        path.unlink(missing_ok=True)
    os._exit(0)


def underlay(lab):
    a, b = lab.host("a"), lab.host("b")
    lab.link(a, "eth0", b, "eth0")
    for host, address in ((a, "198.51.100.1"), (b, "198.51.100.2")):
        host.ip("addr", "add", f"{address}/24", "dev", "eth0")
        host.address = address
    return a, b


def prepare(chosen, a, b):
    """The programs that can run here, and why the others cannot."""
    ready, absent = [], {}
    for key in chosen.peers:
        program = programs.ALL[key](a, b)
        reason = program.missing()
        if not reason:
            try:
                program.prepare()
                ready.append(program)
            except Exception as error:  # another program's own failure is a "—" in the table
                reason = str(error).splitlines()[0]
        if reason:
            absent[key] = reason
            say(f"{program.title}: left out, {reason}")
    return ready, absent


def say(text):
    print(text, flush=True)


def first_ping(host):
    # ARP that went out before there was somebody to answer would else be asked again a second later.
    host.run("ip", "neigh", "flush", "to", A, check=False, echo=False)
    return host.answers(A, "-W", 0.1)


def start(program):
    """Seconds from the start of the second end to the first answered ping."""
    program.start_a()
    begin = time.monotonic()
    program.start_b()
    labs.wait_for(lambda: first_ping(program.b), 20, "an answer to the first ping", every=0.01)
    seconds = time.monotonic() - begin
    program.settled()
    time.sleep(0.3)
    return seconds


def wait_quiet(seconds):
    """Waits until others leave the machine alone, but not for ever."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        busy = rows.busy_seconds()
        time.sleep(0.5)
        if rows.busy_seconds() - busy < 0.1 * 0.5 * os.cpu_count():
            return


def steps_of(chosen, program, link):
    return goals.steps_needed(link, program.key) & set(chosen.steps) if chosen.check else chosen.steps


def measure(chosen, a, b, program, link):
    """One program, once: the meter with what it found."""
    wait_quiet(chosen.quiet)
    meter = rows.Meter(a, b, program, chosen.seconds, chosen.blast, chosen.congestion)
    try:
        program.connect()
        rows.set_offloads(program.ends(), link == "default")
        meter.values["start"] = start(program)
        steps = steps_of(chosen, program, link)
        if "loss" in steps:
            rows.set_offloads(program.ends(), False)
            meter.one("loss")
            rows.set_offloads(program.ends(), link == "default")
        for step in rows.Meter.STEPS:
            if step in steps:
                meter.one(step)
    except (Absent, AssertionError, OSError, subprocess.SubprocessError) as error:
        meter.failed["start"] = str(error).splitlines()[0]
    finally:
        program.stop()
    return meter


def progress(values, failed):
    shown = [f"{row.title.split(',')[0]} {values[row.key]:.{row.digits}f}" for row in rows.ROWS
             if row.key in ("tcp1", "udp64", "load99", "start") and row.key in values]
    return " · ".join(shown + [f"{step} failed: {why}" for step, why in failed.items()])


def run_rounds(chosen, a, b, ready):
    """{link: {program: {row: [value of each round]}}}, {link: {program: {step: reason}}}, [share that others took]"""
    samples = {link: {p.key: {row.key: [] for row in rows.ROWS} for p in ready} for link in chosen.links}
    reasons = {link: {p.key: {} for p in ready} for link in chosen.links}
    foreign = []
    for number in range(chosen.rounds):
        for link in chosen.links:
            turn = number % len(ready)
            for program in [p for p in ready[turn:] + ready[:turn] if steps_of(chosen, p, link)]:
                meter = measure(chosen, a, b, program, link)
                for key, value in meter.values.items():
                    samples[link][program.key][key].append(value)
                reasons[link][program.key].update(meter.failed)
                foreign += [meter.foreign] if meter.foreign is not None else []
                say(f"round {number + 1}/{chosen.rounds} {link:<8}{program.title:<16}{progress(meter.values, meter.failed)}")
    return samples, reasons, foreign


def machine():
    def field(path, name):
        for line in Path(path).read_text().splitlines():
            if line.startswith(name):
                return line.split(":", 1)[1].strip()
        return ""
    system = next((line.split("=", 1)[1].strip('"') for line in Path("/etc/os-release").read_text().splitlines()
                   if line.startswith("PRETTY_NAME=")), "")
    return {"cpu": field("/proc/cpuinfo", "model name") or platform.machine(), "cores": os.cpu_count(),
            "memory_gb": round(int(field("/proc/meminfo", "MemTotal").split()[0]) / 1e6),
            "kernel": platform.release(), "system": system, "load": os.getloadavg()[0]}


def micro():
    """{step: nanoseconds per datagram, medians} of micro.c, for the cost model."""
    result = subprocess.run([labs.BUILD / "bench" / "micro"], capture_output=True, text=True, check=True)
    return {step: float(median) for step, median, _, _ in (line.split() for line in result.stdout.splitlines() if line[0] != "#")}


def bench(chosen):
    with_lab = labs.Lab("bench", echo=say if chosen.verbose else lambda line: None)
    try:
        a, b = underlay(with_lab)
        ready, absent = prepare(chosen, a, b)
        if not ready:
            sys.exit("bench: none of the programs can run here")
        begin, about = time.time(), machine()
        about["versions"] = {program.key: program.version() for program in ready}
        samples, reasons, foreign = run_rounds(chosen, a, b, ready)
        about.update(foreign=statistics.median(foreign) if foreign else None,
                     load_after=os.getloadavg()[0], date=time.strftime("%Y-%m-%d", time.gmtime(begin)),
                     minutes=round((time.time() - begin) / 60, 1), seconds=chosen.seconds, rounds=chosen.rounds, congestion=chosen.congestion)
        return {"machine": about, "samples": samples, "reasons": reasons, "absent": absent, "micro": micro()}
    finally:
        with_lab.close()


def check_machine(chosen):
    if os.geteuid() != 0:
        if not shutil.which("sudo"):
            sys.exit("bench: network namespaces need root: run make bench as root")
        os.execvp("sudo", ["sudo", "env", f"SHADOWMESH_BUILD={labs.BUILD}", sys.executable, "-B", *sys.argv])
    lacking = [name for name in TOOLS if not shutil.which(name)]
    if lacking:
        sys.exit(f"bench: {', '.join(lacking)} missing: run tools/deps.sh bench")
    chosen.blast = labs.BUILD / "bench" / "blast"
    if not chosen.blast.exists():
        sys.exit(f"bench: {chosen.blast} is not built: run make")


def main():
    chosen = options()
    check_machine(chosen)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    keep = guard()
    labs.sweep()
    try:
        results = bench(chosen)
    except KeyboardInterrupt:
        sys.exit("\nbench: stopped")
    finally:
        os.close(keep)
    text, name = (report.checked(results), "check") if chosen.check else (report.text(results), "bench")
    say("\n" + text)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / f"{name}.txt").write_text(text)
    (chosen.out / f"{name}.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    if not chosen.check:
        (chosen.out / "bench.svg").write_text(report.svg(results))
    if "SUDO_UID" in os.environ:
        for path in (chosen.out, *chosen.out.iterdir()):
            os.chown(path, int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"]))
    say(f"written: {', '.join(path.name for path in chosen.out.glob(f'{name}.*'))} in {chosen.out}")
    return 1 if chosen.check and not goals.all_reached(results) else 0


if __name__ == "__main__":
    sys.exit(main())
