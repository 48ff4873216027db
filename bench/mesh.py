#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""A full mesh of many real nodes on one machine: how long it takes until each has a session to each, at the first start and
after all were killed at once; then what nodes hold, and say while they are idle. Prints figures, and asserts none. Needs root.

    m0 … m199, a network each, ── router ── server: one backbone

    bench/mesh.py [--build build] [--members 200] [--pairs 200] [--idle 60] [--talkers 3] [--patience 300]

All nodes share the machine's cores: a pair's handshake costs both ends some milliseconds of CPU, and 200 have 19,900 pairs.
Talkers have avahi-daemon and lldpd on their TAP, where those are installed.
"""

import argparse
import datetime
import os
import random
import re
import resource
import shutil
import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
EVENT = re.compile(rb"^(\S+)Z \w+ +peer [^:\n]*?([0-9a-f]{10,40})[^:\n]*: (connected|disconnected)", re.MULTILINE)
KEPT_S = 65  # records are on disk a minute after they have changed
QUIET_S = 75  # in which paths without data are left alone
TICKS = os.sysconf("SC_CLK_TCK")
NEIGHBOURS = Path("/proc/sys/net/ipv4/neigh/default/gc_thresh3")  # one table, whatever namespace they are in


def options():
    parser = argparse.ArgumentParser(description="A full mesh of many nodes on one machine.")
    parser.add_argument("--build", default=HERE.parent / "build", type=Path)
    parser.add_argument("--members", default=200, type=int)
    parser.add_argument("--pairs", default=200, type=int, help="pairs of them that ping each other")
    parser.add_argument("--idle", default=60, type=int, help="seconds in which packets of idle members are counted; 0: not")
    parser.add_argument("--talkers", default=3, type=int, help="members with avahi-daemon and lldpd")
    parser.add_argument("--patience", default=300, type=int, help="seconds that a mesh may take to be full")
    return parser.parse_args()


def overlay(number):
    return f"10.77.{number // 250}.{number % 250 + 1}"


class Member:
    """A node, and whom its log says it is connected to: to ask 200 nodes for 199 peers each would be most of the load."""

    def __init__(self, lab, router, backbone, number):
        self.host = lab.host(f"m{number}")
        self.host.sysctl("net.ipv6.conf.default.disable_ipv6", 1)  # whose solicitations would be data to everybody
        lab.attach(self.host, router, f"198.{18 + number // 250}.{number % 250}")
        self.overlay = overlay(number)
        self.node = self.host.node("-backbone", backbone.url, "-tap-ip", self.overlay, "-tap-netmask", 16, "-workers", 1,
                                   "-mesh", start=False)
        self.seen = 0
        self.connected = {}  # the first digits of an id: seconds since 1970

    def begin(self):
        self.seen = self.node.process.log_path.stat().st_size if self.node.process else 0
        self.connected.clear()
        self.node.start(wait=False)

    def look(self):
        assert self.node.process.running, f"{self.host.name} ended:\n{self.node.log()[-500:]}"
        with open(self.node.process.log_path, "rb") as log:
            log.seek(self.seen)
            text = log.read()
        text = text[:text.rfind(b"\n") + 1]
        self.seen += len(text)
        for found in EVENT.finditer(text):
            if found[3] == b"connected":
                at = datetime.datetime.fromisoformat(found[1].decode() + "+00:00")
                self.connected[found[2][:10]] = at.timestamp()
            else:
                self.connected.pop(found[2][:10], None)
        return len(self.connected)


def machine_cpu():
    """Seconds of CPU that the machine has spent."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    return (sum(map(int, fields)) - int(fields[3]) - int(fields[4])) / TICKS


def cpu_of(processes):
    """Seconds of CPU of programs of the lab, each with its helpers, which are of its session."""
    sessions, total = {process.pid for process in processes}, 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) in sessions:
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def cpu(members, backbone):
    return cpu_of([member.node.process for member in members]), cpu_of([backbone.process]), machine_cpu()


def begin_pings(members, pairs):
    return [members[a].host.start("ping", "-n", "-D", "-i", 2, members[b].overlay, name=f"ping-{a}-{b}-{time.monotonic_ns()}")
            for a, b in pairs]


def first_answers(pings, began):
    """Seconds from began, by the clock of ping -D, until each was answered first; without those that were not."""
    times = [re.search(r"^\[(\d+\.\d+)\] \d+ bytes from", ping.log(), re.MULTILINE) for ping in pings]
    return [float(found[1]) - began for found in times if found]


def shares(members, whole, began):
    """When each had a session, and which share of all was there, in seconds from began."""
    times = sorted(at - began for member in members for at in member.connected.values())
    firsts = [min(member.connected.values()) - began for member in members if member.connected]
    without = len(members) - len(firsts)
    first = f"{without} have no session" if without else f"each has a session after {max(firsts):.1f} s"
    marks = [f"{share} % after {times[index]:.1f} s" for share in (50, 90, 99, 100)
             if (index := -(-whole * share // 100) - 1) < len(times)]
    return ", ".join([first, *marks, *([] if len(times) == whole else [f"{len(times)} of {whole} there"])])


def print_pings(pings, began, pairs):
    times = first_answers(pings, began)
    if times:
        print(f"  {len(times)} of {len(pairs)} sampled pairs pinged; first answer: median {statistics.median(times):.1f} s, "
              f"last {max(times):.1f} s", flush=True)


def start_all(members, backbone, pairs, patience, title):
    """Prints when all had a session, when the sampled pairs could ping, when the mesh was full, and what that took."""
    whole, load = len(members) * (len(members) - 1), os.getloadavg()[0]
    of_backbone, of_machine = cpu_of([backbone.process]), machine_cpu()
    began, clock = time.monotonic(), time.time()
    for member in members:
        member.begin()
    started = time.monotonic() - began
    pings = begin_pings(members, pairs)
    while sum(member.look() for member in members) < whole and time.monotonic() - began < patience:
        time.sleep(0.25)
    spent = cpu(members, backbone)
    time.sleep(5)
    print(f"{title}: {len(members)} processes made in {started:.1f} s; {shares(members, whole, clock)}; CPU: nodes "
          f"{spent[0]:.1f} s ({spent[0] / whole * 2000:.1f} ms a pair), backbone {spent[1] - of_backbone:.1f} s, machine "
          f"{spent[2] - of_machine:.0f} s; load before {load:.1f}", flush=True)
    print_pings(pings, clock, pairs)
    for ping in pings:
        ping.kill()


def kill_all(members):
    for member in members:
        member.node.process.popen.kill()
    for member in members:
        member.node.kill()


def memory_kb(pid):
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return int(fields["Rss"].split()[0]), int(fields["Private_Dirty"].split()[0])


def print_memory(members, backbone):
    found = [memory_kb(member.node.process.pid) for member in members]
    peers = [peer for member in members[:5] for peer in member.node.status()["peers"]]
    print(f"  sessions of a node: {statistics.median(len(member.connected) for member in members):.0f} (median), after "
          f"{statistics.mean(peer['handshakes'] for peer in peers):.2f} handshakes each; memory: "
          f"{statistics.median(rss for rss, _ in found) / 1024:.1f} MB resident, "
          f"{statistics.median(own for _, own in found) / 1024:.1f} MB its own (medians); "
          f"backbone {memory_kb(backbone.process.pid)[0] / 1024:.0f} MB", flush=True)


def packets(router, member):
    folder = f"/sys/class/net/{member.host.name}/statistics"
    return sum(int(router.run("cat", f"{folder}/{way}_packets", echo=False).stdout) for way in ("rx", "tx"))


def start_talkers(members):
    """Returns what talks."""
    for member in members:
        tap = member.node.status()["device"]
        script = 'mount -t tmpfs none /run && exec "$@"'
        if shutil.which("avahi-daemon"):
            config = member.host.dir / "avahi.conf"
            config.write_text(f"[server]\nallow-interfaces={tap}\nenable-dbus=no\nhost-name={member.host.name}\n"
                              "[publish]\n[rlimits]\n")
            member.host.start("unshare", "-m", "sh", "-c", script, "sh", "avahi-daemon", "--no-drop-root", "--no-chroot",
                              "-f", config, name="avahi")
        if shutil.which("lldpd"):
            member.host.start("unshare", "-m", "sh", "-c", script, "sh", "lldpd", "-d", "-I", tap, name="lldpd")
    found = [program for program in ("avahi-daemon", "lldpd") if shutil.which(program)]
    return " and ".join(found) or "nothing that talks by itself"


def print_idle(router, members, backbone, seconds, title):
    before, spent = [packets(router, member) for member in members], cpu(members, backbone)
    time.sleep(seconds)
    after = [packets(router, member) for member in members]
    used = [b - a for a, b in zip(spent, cpu(members, backbone))]
    rates = [(b - a) * 60 / seconds for a, b in zip(before, after)]
    print(f"{title}: {statistics.median(rates):.0f} packets a minute and member (median; most {max(rates):.0f}), both ways; "
          f"{used[0] / seconds / len(members) * 100:.2f} % of a core each, backbone {used[1] / seconds * 100:.1f} %",
          flush=True)


def run(lab, chosen):
    router = lab.router("inet")
    server = lab.host("server")
    lab.attach(server, router, "203.0.113")
    backbone = server.backbone()
    members = [Member(lab, router, backbone, number) for number in range(chosen.members)]
    ids = [member.node.id for member in members]
    for member in members:
        member.node.flags += [word for id in ids for word in ("-allow", id)]
    pairs = [random.Random(number).sample(range(chosen.members), 2) for number in range(chosen.pairs)]
    start_all(members, backbone, pairs, chosen.patience, "first start")
    print_memory(members, backbone)
    time.sleep(KEPT_S)
    kill_all(members)
    start_all(members, backbone, pairs, chosen.patience, "all killed and started at once")
    print_memory(members, backbone)
    if not chosen.idle:
        return
    time.sleep(QUIET_S)
    print_idle(router, members, backbone, chosen.idle, "idle")
    talk = start_talkers(members[:chosen.talkers])
    time.sleep(15)
    print_idle(router, members, backbone, chosen.idle, f"idle, {chosen.talkers} of them with {talk}")
    print_memory(members, backbone)


def main():
    chosen = options()
    if os.geteuid() != 0:
        sys.exit("mesh: network namespaces need root")
    if int(NEIGHBOURS.read_text()) < 10 * chosen.members:
        print(f"mesh: the kernel may run out of neighbours: echo {20 * chosen.members} > {NEIGHBOURS}", file=sys.stderr)
    os.environ["SHADOWMESH_BUILD"] = str(chosen.build.resolve())
    sys.path.insert(0, str(HERE.parent / "tests" / "netns"))
    import lab as labs
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    lab = labs.Lab("mesh", echo=lambda line: None)
    try:
        run(lab, chosen)
    finally:
        lab.close()


if __name__ == "__main__":
    main()
