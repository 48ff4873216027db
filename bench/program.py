# SPDX-License-Identifier: Apache-2.0
"""What `make bench` needs to know of a program: how it is prepared once (keys), then started and stopped in every round, alone.
It joins the hosts `a`, which waits, and `b`, which connects."""

import shutil
import subprocess
from pathlib import Path

from lab import wait_for

A, B = "10.10.10.4", "10.10.10.3"


class Absent(Exception):
    """The program cannot be measured on this machine; the message says why."""


def first_line(*argv):
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    lines = (result.stdout + result.stderr).strip().splitlines()
    return lines[0] if lines else ""


class Program:
    key = title = ""
    needs = ()
    limit = False  # no tunnel of user space: a bound to compare with

    def __init__(self, a, b):
        self.a, self.b = a, b
        self.processes = []

    def missing(self):
        return next((f"{name} is not installed" for name in self.needs if not shutil.which(name)), None)

    def version(self):
        return ""

    def ends(self):
        """[(host, device)] of the links that its packets pass."""
        return [(self.a, "eth0"), (self.b, "eth0")]

    def prepare(self):
        """Keys and configuration, once."""

    def connect(self):
        """Makes the links of ends() that are not there yet; stop() takes them away."""

    def start_a(self):
        """Starts the waiting side; it is ready when this returns."""

    def start_b(self):
        """Starts the connecting side."""

    def settled(self):
        """After the first ping: until what the program finds out about the path is found out."""

    def run(self, host, *argv, environment=None):
        process = host.start(*argv, name=f"{self.key}-{Path(argv[0]).name}", environment=environment)
        self.processes.append(process)
        return process

    def stop(self):
        for process in reversed(self.processes):
            try:
                process.stop(seconds=5)
            except AssertionError:
                pass  # it had to be killed
        self.processes = []

    def daemons(self):
        """What carries the frames at both ends: their CPU time and memory are counted."""
        return self.processes

    def wait_device(self, host, name, seconds=10):
        def up():
            for process in self.processes:
                if not process.running:
                    raise Absent(f"{Path(process.argv[4]).name} ended: {last_line(process.log())}")
            return host.exists(name)
        wait_for(up, seconds, f"{self.title}'s device {name}")

    def device(self, host, name, address, mtu=None):
        self.wait_device(host, name)
        host.ip("addr", "add", f"{address}/24", "dev", name)
        host.ip("link", "set", name, *(["mtu", str(mtu)] if mtu else []), "up")


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:120] if lines else "without a word"
