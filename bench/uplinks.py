#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""What uplinks cost a backbone, on loopback: memory of each idle one, and what passes through. Prints figures, and
asserts none. Needs no root, and as many open files (`ulimit -n`) as uplinks.

    bench/uplinks.py [--build build] [--uplinks 9999] [--seconds 5]
"""

import argparse
import contextlib
import os
import resource
import socket
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "netns"))
BATCH = 60
PING_S = 20


def memory_kb(pid):
    """What the process has written: no other one has it."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return int(fields["Private_Dirty"].split()[0])


def idle(backbone, count):
    from test_uplinks import figures
    from uplink_client import PING, Uplink, frame
    keep = [Uplink(backbone.port, source="127.200.0.1")]  # what the first one alone makes
    ping = frame(b"", PING)
    before = memory_kb(backbone.process.pid)
    started = pinged = time.monotonic()
    for index in range(count):
        keep.append(Uplink(backbone.port, source=f"127.{1 + index // 250 % 190}.{index % 250}.1"))
        if time.monotonic() - pinged > PING_S:
            pinged = time.monotonic()
            for node in keep:
                node.socket.sendall(ping)
    taken = time.monotonic() - started
    after = memory_kb(backbone.process.pid)
    alive = int(figures(backbone)["uplinks"])
    assert alive == count + 1, f"only {alive} are left"
    print(f"{count} idle uplinks: {(after - before) / count:.1f} KB each ({after / 1024:.0f} MB in all), made in {taken:.0f} s")
    for node in keep:
        node.close()


def through(backbone, seconds, size):
    from lab import cpu_s
    from uplink_client import DATAGRAMS, Uplink, couple, frame
    a, b = Uplink(backbone.port, source="127.201.0.1"), Uplink(backbone.port, source="127.202.0.1")
    couple(a, b)
    batch = frame(bytes([DATAGRAMS]) + b.id + struct.pack("!BH", 0, size) + bytes([0x20]) * size * min(BATCH, 65535 // size))
    stop, got = threading.Event(), [0]

    def push():
        with contextlib.suppress(OSError):
            while not stop.is_set():
                a.socket.sendall(batch)

    def pull():
        room = bytearray(1 << 20)
        with contextlib.suppress(OSError):
            while not stop.is_set():
                got[0] += b.socket.recv_into(room)
    before_cpu = cpu_s(backbone.process.pid)
    threads = [threading.Thread(target=run, daemon=True) for run in (push, pull)]
    for thread in threads:
        thread.start()
    started = time.monotonic()
    time.sleep(seconds)
    taken, count, used = time.monotonic() - started, got[0], cpu_s(backbone.process.pid) - before_cpu
    stop.set()
    for node in (a, b):
        node.socket.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    print(f"datagrams of {size} bytes in batches: {count * 8 / taken / 1e6:.0f} Mbit/s, {used / (count / 1e9):.2f} CPU s/GB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=ROOT / "build")
    parser.add_argument("--uplinks", type=int, default=9999)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    os.environ["SHADOWMESH_BUILD"] = str(options.build)
    from test_backbone import Backbone
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        backbone = Backbone(Path(folder), "-relay-rate", "100000", "-source-rate", "100000").start()
        try:
            idle(backbone, options.uplinks)
            for size in (1000, 200):
                through(backbone, options.seconds, size)
        finally:
            backbone.process.kill()


if __name__ == "__main__":
    main()
