# SPDX-License-Identifier: Apache-2.0
"""The rows of the table: what is measured of a program that runs between host b, the client, and host a."""

import contextlib
import json
import os
import resource
import time
from pathlib import Path

from lab import PATIENCE, resident_mb as resident
from program import A

LOADED_INTERVAL = 0.005
TICKS = os.sysconf("SC_CLK_TCK")
OFFLOADS = ("tso", "gso", "gro", "tx-udp-segmentation", "tx-udp_tnl-segmentation", "tx-udp_tnl-csum-segmentation",
            "tx-gso-partial", "rx-udp-gro-forwarding")


class Row:
    def __init__(self, key, title, unit, digits, better, note=""):
        self.key, self.title, self.unit, self.digits, self.better, self.note = key, title, unit, digits, better, note


ROWS = [
    Row("tcp1", "TCP, 1 stream", "Gbit/s", 2, max),
    Row("tcp4", "TCP, 4 streams", "Gbit/s", 2, max),
    Row("both", "TCP, both ways at once", "Gbit/s", 2, max, "sum of the two"),
    Row("loss", "TCP, 1 stream, 1 % loss", "Gbit/s", 3, max, "offloads of the wire off in both tables"),
    Row("udp64", "UDP 64 B, ≤ 1 % lost", "kpps", 0, max, "payload bytes; highest rate found by search"),
    Row("udp1344", "UDP 1344 B, ≤ 1 % lost", "Gbit/s", 2, max, "likewise"),
    Row("idle50", "ping p50, idle", "ms", 3, min),
    Row("idle99", "ping p99, idle", "ms", 3, min),
    Row("load50", "ping p50, 1 TCP stream", "ms", 2, min),
    Row("load99", "ping p99, 1 TCP stream", "ms", 2, min),
    Row("cpu", "CPU of the daemons", "s/GB", 2, min, "user + system of both ends, per 10⁹ bytes of the 1-stream TCP"),
    Row("machine", "CPU, iperf3 included", "s/GB", 2, min, "likewise, with the kernel's work for it: all that the stream costs"),
    Row("rss", "memory of one daemon", "MB", 1, min, "resident, the larger end, after all of the above"),
    Row("start", "start to first ping", "s", 2, min, "from the start of the second end, the first being up"),
]


def set_offloads(ends, on):
    """The underlay passes whole trains (as veth does), or single packets (as a wire does)."""
    for host, device in ends:
        for feature in OFFLOADS:
            # Fixed features answer with an error: nothing to set.
            host.run("ethtool", "-K", device, feature, "on" if on and feature not in ("gro", "rx-udp-gro-forwarding") else "off",
                     check=False, echo=False)


@contextlib.contextmanager
def lossy(ends):
    """Every hundredth packet that reaches either host, at random, is lost."""
    try:
        for host, device in ends:
            host.nft(f"table netdev bench {{ chain in {{ type filter hook ingress device {device} priority 0; "
                     "numgen random mod 100 == 0 drop; }; }")
        yield
    finally:
        for host, _ in ends:
            host.run("nft", "delete", "table", "netdev", "bench", check=False)


def cpu_seconds(processes):
    total = 0
    for process in processes:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def busy_seconds():
    """Of all CPUs since they started, whoever used them."""
    user, nice, system, _idle, _iowait, irq, softirq = map(int, Path("/proc/stat").read_text().split(None, 8)[1:8])
    return (user + nice + system + irq + softirq) / TICKS


def reaped_seconds():
    """Of the programs that we started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def resident_mb(processes):
    return max(map(resident, processes))


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def most_datagrams(blast, client, server, address, size, seconds):
    """A second, of which at most 1 % is lost: found by search."""
    result = client.run(blast, client.namespace, server.namespace, address, 7000, size, min(seconds / 4, 0.5), 1,
                        timeout=120 * PATIENCE, echo=False)
    return json.loads(result.stdout)["best"]


class Meter:
    """Measures one program, which runs. What fails leaves its row empty, with the reason in `failed`."""

    def __init__(self, a, b, program, seconds, blast, congestion):
        self.a, self.b, self.program, self.seconds, self.blast = a, b, program, seconds, blast
        self.congestion = congestion
        self.values, self.failed = {}, {}
        self.foreign = None  # what others took of the machine in the meantime, 0 to 1

    def iperf(self, *flags):
        return self.b.iperf(self.a, A, "-C", self.congestion, *flags, seconds=self.seconds)["end"]

    def tcp(self, *flags):
        return self.iperf(*flags)["sum_received"]["bits_per_second"] / 1e9

    def tcp1(self):
        daemons = self.program.daemons()
        daemons_before, others_before, busy, begin = cpu_seconds(daemons), reaped_seconds(), busy_seconds(), time.monotonic()
        end = self.iperf()
        of_daemons, of_iperf = cpu_seconds(daemons) - daemons_before, reaped_seconds() - others_before
        all_cpus = (time.monotonic() - begin) * os.cpu_count()
        gigabytes = end["sum_received"]["bytes"] / 1e9
        self.values["tcp1"] = end["sum_received"]["bits_per_second"] / 1e9
        self.values["machine"] = (of_daemons + of_iperf) / gigabytes
        if daemons:
            self.values["cpu"] = of_daemons / gigabytes
        self.foreign = max(busy_seconds() - busy - of_daemons - of_iperf, 0) / all_cpus

    def tcp4(self):
        self.values["tcp4"] = self.tcp("-P", 4)

    def both(self):
        end = self.iperf("--bidir")
        self.values["both"] = (end["sum_received"]["bits_per_second"] +
                               end["sum_received_bidir_reverse"]["bits_per_second"]) / 1e9

    def loss(self):
        with lossy([end for end in self.program.ends() if end[0] in (self.a, self.b)]):
            self.values["loss"] = self.tcp()

    def udp(self, size):
        return most_datagrams(self.blast, self.b, self.a, A, size, self.seconds)

    def udp64(self):
        self.values["udp64"] = self.udp(64) / 1e3

    def udp1344(self):
        self.values["udp1344"] = self.udp(1344) * 1344 * 8 / 1e9

    def pings(self, key, work):
        stream = self.b.ping_stream(A, interval=LOADED_INTERVAL)
        stream.wait_replies(5, 5)
        begin = time.time() + 0.2  # not the time in which the load begins
        work()
        end = time.time()
        stream.stop()
        times = [rtt for at, _, rtt in stream.replies() if begin <= at <= end]
        if len(times) < 20:
            raise AssertionError(f"{len(times)} pings answered in {end - begin:.1f} s")
        self.values[f"{key}50"], self.values[f"{key}99"] = percentile(times, 0.5), percentile(times, 0.99)

    def idle(self):
        self.pings("idle", lambda: time.sleep(self.seconds))

    def load(self):
        self.pings("load", self.iperf)

    def rss(self):
        if self.program.daemons():
            self.values["rss"] = resident_mb(self.program.daemons())

    STEPS = ("idle", "tcp1", "tcp4", "both", "load", "udp64", "udp1344", "rss")

    def all(self):
        for step in self.STEPS:
            self.one(step)

    def one(self, step):
        try:
            getattr(self, step)()
        except Exception as error:  # one row of one program must not end the run
            self.failed[step] = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
