# SPDX-License-Identifier: Apache-2.0
"""Labs: hosts made of network namespaces, wires between them, and the programs that run there.

A Lab owns everything that it makes (namespaces, processes, files) and takes all of it down again, whatever happened.
Nothing is sent outside of its namespaces. Each host's programs log to a file of their own, whose end is shown when
the test fails. Every command that changes something is echoed, so that a failed test can be repeated by hand.

How long things take is given by deadlines (wait_for), never by a sleep that hopes for the best.
"""

import atexit
import contextlib
import ctypes
import json
import math
import os
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import wires

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SHADOWMESH_BUILD", ROOT / "build"))
PREFIX = "smlab"
# Nodes log every few frames with -v, which drowns the rest: for the person who looks into one failure.
VERBOSE = bool(os.environ.get("SHADOWMESH_LAB_VERBOSE"))
# Programs that a lab starts often, that mount nothing and do not look into /sys: started straight from a thread that is in the
# namespace. `ip netns exec`, which gives the others mounts of their own, and a copy of this process before it cost more than
# they do.
PLAIN = ("ip", "ping", "nft", "ss", "curl", "ethtool")
# Of this machine: its own name has to be found, also without a name server.
HOSTS = Path("/etc/hosts").read_text() if Path("/etc/hosts").exists() else "127.0.0.1\tlocalhost\n"
SANITIZED = "none"
for _flavour in ("asan", "tsan"):
    if _flavour in BUILD.name:
        SANITIZED = _flavour
# A sanitized program takes several times the time for everything.
PATIENCE = 1 if SANITIZED == "none" else 5

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_CLONE_NEWNET = 0x40000000


def program(name):
    """The built program's path; tests that need it fail with its name when it is not built."""
    path = BUILD / "src" / name
    if not path.exists():
        path = BUILD / name
    assert path.exists(), f"{name} is not built in {BUILD}: run make"
    return str(path)


def wait_for(predicate, seconds, what, every=0.05):
    """Returns predicate()'s first true value; fails with `what` when there is none in time."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        value = predicate()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds * PATIENCE:g} s: {what}"
        time.sleep(every)


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def children(pid):
    """The processes that it started and that still run."""
    def parent(stat):
        try:
            return int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            return None
    return [int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat") if parent(stat) == pid]


def helpers(process):
    """{what ps(1) shows: pid} of a node's helper processes, without those that do one look-up."""
    found = {}
    for keeper in children(process.pid):
        for pid in [*children(keeper), keeper]:  # a new one is called as the keeper for a moment
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found[Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0")] = pid
    return found


class Process:
    """A program of the lab, in a process group of its own, that logs to a file, or to the descriptor stderr."""

    def __init__(self, argv, log, environment=None, stderr=subprocess.STDOUT):
        self.argv = argv
        self.log_path = log
        self.log_file = open(log, "ab")
        self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log_file, stderr=stderr,
                                      start_new_session=True, preexec_fn=_die_with_parent, env=environment)

    @property
    def pid(self):
        return self.popen.pid

    @property
    def running(self):
        return self.popen.poll() is None

    @property
    def returncode(self):
        return self.popen.poll()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def send_signal(self, number):
        if self.running:
            self.popen.send_signal(number)

    def wait(self, seconds=10):
        return self.popen.wait(timeout=seconds * PATIENCE)

    def stop(self, number=signal.SIGTERM, seconds=10):
        """Asks the program to end and returns its exit code; what does not end in time is killed, and that is an error."""
        self.send_signal(number)
        try:
            code = self.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.argv[0]} did not end within {seconds} s of signal {number}") from None
        self.log_file.close()
        return code

    def kill(self):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
        self.log_file.close()

    def wait_log(self, pattern, seconds=10, since=0):
        """Waits for a line that matches pattern, looked for behind the first `since` bytes; returns the match."""
        def found():
            match = re.search(pattern, self.log()[since:], re.MULTILINE)
            assert match or self.running or re.search(pattern, self.log()[since:], re.MULTILINE), \
                f"{self.argv} ended with {self.returncode} before it said /{pattern}/:\n{self.log()}"
            return match
        return wait_for(found, seconds, f"a line like /{pattern}/ in {self.log_path.name}")


def cpu_s(pid):
    """Seconds of CPU that a process has used."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def resident_mb(process):
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class PingStream:
    """A ping that runs beside the test. Its replies are known by sequence number, so that an outage is counted in pings
    that went unanswered and not in the clock of a busy machine."""

    def __init__(self, process, interval):
        self.process = process
        self.interval = interval

    LINE = re.compile(r"^\[(\d+\.\d+)\] \d+ bytes from .*?icmp_seq=(\d+) .*?time=([\d.]+) ms(?!.*DUP)", re.MULTILINE)

    def replies(self):
        """[(wall-clock time, sequence number, round-trip time in ms)] so far, in order of arrival."""
        return [(float(t), int(seq), float(rtt)) for t, seq, rtt in self.LINE.findall(self.process.log())]

    def last(self):
        replies = self.replies()
        return replies[-1][1] if replies else 0

    def wait_replies(self, count, seconds, what="ping answered"):
        start = len(self.replies())
        wait_for(lambda: len(self.replies()) >= start + count, seconds, what)

    def wait_sequence(self, sequence, seconds):
        wait_for(lambda: self.last() >= sequence, seconds, f"an answer to ping {sequence} or later")

    def stop(self):
        """Ends the ping and returns what it says at its end."""
        self.process.stop(signal.SIGINT)
        return PingResult(self.process.log())

    def lost(self):
        """The sequence numbers without an answer, up to the last one answered."""
        answered = {seq for _, seq, _ in self.replies()}
        return [seq for seq in range(1, max(answered, default=0) + 1) if seq not in answered]

    def longest_gap(self, after=0):
        """The longest run of unanswered pings behind sequence number `after`, in seconds of ping intervals."""
        longest = run = 0
        answered = {seq for _, seq, _ in self.replies()}
        for seq in range(after + 1, max(answered, default=0) + 1):
            run = 0 if seq in answered else run + 1
            longest = max(longest, run)
        return longest * self.interval


class PingResult:
    """Of the first `count` pings, if it is given: ping goes on until it has as many answers."""

    def __init__(self, output, count=None):
        self.output = output
        counts = re.search(r"(\d+) packets transmitted, (\d+) received(?:, \+(\d+) duplicates)?", output)
        self.sent, self.received = (int(counts[1]), int(counts[2])) if counts else (0, 0)
        self.duplicates = int(counts[3] or 0) if counts else 0
        if count:
            answered = {int(number) for number in re.findall(r"icmp_seq=(\d+) .*time=", output)}
            self.sent, self.received = min(self.sent, count), sum(number <= count for number in answered)
        times = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)/([\d.]+) ms", output)
        self.average_ms = float(times[2]) if times else None
        self.maximum_ms = float(times[3]) if times else None

    @property
    def lost(self):
        return self.sent - self.received

    def __str__(self):
        return f"{self.sent} sent, {self.received} received, average {self.average_ms} ms"


def peer_id(result):
    return re.search(r"Peer ID: ([0-9a-f]{40})$", result.stdout + result.stderr, re.MULTILINE)[1]


class ReadyKeys:
    """Keys that labs of this process use one after another: which ones does not matter to them, and making one costs a process."""

    def __init__(self):
        self.made = []

    def get(self, number):
        """(id, folder) of the number-th key."""
        if not self.made:
            self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}-{os.getpid()}-"))
            atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        while len(self.made) <= number:
            folder = self.folder / str(len(self.made))
            command = Host.sanitized([program("shadowmesh-l2"), "-keydir", str(folder), "-generate-keys"])
            self.made.append((peer_id(subprocess.run(command, check=True, capture_output=True, text=True)), folder))
        return self.made[number]


READY_KEYS = ReadyKeys()


class Node:
    """A shadowmesh-l2 on a host, with keys and an API folder of its own."""

    def __init__(self, host, flags, keydir=None, label="node", environment=None, verbose=VERBOSE, binary=None):
        self.host = host
        self.binary = binary  # another build's program; None: this one's
        self.lab = host.lab
        self.label = label
        self.keydir = Path(keydir) if keydir else host.dir / f"{label}-keys"
        self.run_dir = host.dir / "run"
        self.flags = [str(flag) for flag in flags]
        self.environment = environment
        self.verbose = verbose
        self.process = None
        self._id = None

    @property
    def id(self):
        self.take_keys()
        return self._id

    def take_keys(self):
        """Keys that are not there yet are ready ones, or those of its own binary."""
        if self._id is not None:
            return
        if self.keydir.exists() or self.binary:
            self._id = peer_id(self.host.run(self._program(), "-keydir", self.keydir, "-generate-keys"))
        else:
            self._id, folder = self.lab.ready_keys()
            shutil.copytree(folder, self.keydir)
            self.lab.echo(f"[{self.host.name}] cp -r {folder} {self.keydir}")

    def _program(self):
        return self.binary or program("shadowmesh-l2")

    def command(self):
        flags = ["-keydir", str(self.keydir), "-run", str(self.run_dir), *self.flags]
        return [self._program(), *flags, *(["-v"] if self.verbose else [])]

    def start(self, wait=True, mounts=()):
        """With files put over others, (file, path), that it alone sees: the namespace's mounts are its own."""
        assert not self.process or not self.process.running
        self.take_keys()
        script = " && ".join([*(f"mount --bind {source} {target}" for source, target in mounts), 'exec "$@"'])
        argv = ["sh", "-c", script, "sh", *self.command()] if mounts else self.command()
        self.process = self.host.start(*argv, name=self.label, environment=self.environment)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=10):
        """Until the API answers: the device is up by then."""
        def answers():
            assert self.process.running, f"the node ended with {self.process.returncode}:\n{self.process.log()}"
            return self.status(check=False)
        wait_for(answers, seconds, f"the API of {self.label} on {self.host.name}")
        return self

    def status(self, check=True):
        """What `status --json` says of this node; None when it does not answer (and check is off)."""
        try:
            return self.ask({"cmd": "status"})
        except (OSError, ValueError, KeyError) as error:
            assert not check, f"the status of {self.label} on {self.host.name}: {error!r}"
            return None

    def ask(self, request, seconds=3):
        """The API's result, asked as the program shadowmesh does, which costs twenty times the CPU: labs ask often."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as api:
            api.settimeout(seconds * PATIENCE)
            api.connect(str(self.run_dir / f"{self.id}.sock"))
            api.sendall(json.dumps(request).encode() + b"\n")
            with api.makefile("rb") as answers:
                return json.loads(answers.readline())["result"]

    def peer(self, other):
        """What status says of the peer, {} when it does not know it."""
        status = self.status(check=False) or {}
        wanted = other if isinstance(other, str) else other.id
        return next((peer for peer in status.get("peers", []) if peer["id"] == wanted), {})

    def drops(self):
        return self.status()["drops"]

    def log(self):
        return self.process.log()

    def stop(self, number=signal.SIGTERM):
        return self.process.stop(number)

    def kill(self):
        """As kill -9: nothing is undone."""
        self.process.kill()


class Backbone:
    """A shadowmesh-backbone on a host."""

    def __init__(self, host, port=8080, data=None, flags=()):
        self.host = host
        self.port = port
        self.flags = flags
        self.data = Path(data) if data else host.dir / "backbone-data"
        self.process = None

    @property
    def url(self):
        return f"http://{self.host.address}:{self.port}"

    def command(self):
        return [program("shadowmesh-backbone"), "-listen", str(self.port), "-data", str(self.data), "-v", *map(str, self.flags)]

    def start(self, wait=True):
        self.process = self.host.start(*self.command(), name="backbone")
        if wait:
            wait_for(lambda: self.get("/health")[0] == 200, 10, "the backbone's /health")
        return self

    def get(self, path):
        """(HTTP status or None, body) of a GET, asked on the backbone's own host."""
        result = self.host.run("curl", "-s", "-m", "3", "-w", "\n%{http_code}", f"http://127.0.0.1:{self.port}{path}",
                               check=False, echo=False)
        body, _, code = result.stdout.rpartition("\n")
        return (int(code) if code.isdigit() and code != "000" else None), body

    def knows(self, node):
        return self.get(f"/v1/nodes/{node.id}")[0] == 200

    def stop(self, number=signal.SIGTERM):
        return self.process.stop(number)

    def kill(self):
        self.process.kill()


class Host:
    """A network namespace and what runs in it."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.namespace = f"{PREFIX}-{os.getpid()}-{name}"
        self.dir = lab.dir / name
        self.dir.mkdir()
        self.address = None
        lab.command("ip", "netns", "add", self.namespace)
        # What `ip netns exec` mounts over /etc/hosts: a node that writes names there changes no file of this machine.
        self.hosts = Path("/etc/netns", self.namespace, "hosts")
        self.hosts.parent.mkdir(parents=True)
        self.hosts.write_text(HOSTS)
        self.run("ip", "link", "set", "lo", "up")

    def _argv(self, argv):
        return ["ip", "netns", "exec", self.namespace, *map(str, argv)]

    @staticmethod
    def sanitized(argv):
        # TSan's fixed shadow addresses and strong address randomisation do not go together.
        if SANITIZED == "tsan" and str(argv[0]).startswith(str(BUILD)) and shutil.which("setarch"):
            return ["setarch", "-R", *argv]
        return list(argv)

    def run(self, *argv, check=True, timeout=30, echo=True, stdin=None, cwd=None):
        """Runs a command in the namespace to its end; returns its result with text output."""
        if echo:
            self.lab.echo(f"[{self.name}] {' '.join(map(str, argv))}")
        options = {"capture_output": True, "text": True, "errors": "replace", "timeout": timeout, "cwd": cwd,
                   **({"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin})}
        if argv[0] in PLAIN:
            with self.inside():
                result = subprocess.run(list(map(str, argv)), **options)
        else:
            result = subprocess.run(self._argv(self.sanitized(argv)), preexec_fn=_die_with_parent, **options)
        assert not check or result.returncode == 0, \
            f"[{self.name}] {' '.join(map(str, argv))}: exit code {result.returncode}\n{result.stdout}{result.stderr}"
        return result

    def start(self, *argv, name=None, environment=None, stderr=subprocess.STDOUT):
        """Starts a program that runs beside the test."""
        name = name or Path(str(argv[0])).name
        self.lab.echo(f"[{self.name}] {' '.join(map(str, argv))} &")
        full = {**os.environ, **environment} if environment else None
        process = Process(self._argv(self.sanitized(argv)), self.dir / f"{name}.log", full, stderr)
        self.lab.processes.append(process)
        return process

    def ip(self, *argv, check=True):
        return self.run("ip", *argv, check=check)

    def nft(self, rules):
        self.lab.echo(f"[{self.name}] nft -f - <<'END'\n{rules.strip()}\nEND")
        self.run("nft", "-f", "-", stdin=rules, echo=False)

    def sysctl(self, key, value):
        path = Path("/proc/sys", key.replace(".", "/"))
        self.lab.echo(f"[{self.name}] echo {value} >{path}")
        with self.inside():
            path.write_text(str(value))

    def node(self, *flags, start=True, wait=True, **options):
        node = Node(self, flags, **options)
        return node.start(wait) if start else node

    def backbone(self, start=True, **options):
        backbone = Backbone(self, **options)
        return backbone.start() if start else backbone

    @contextlib.contextmanager
    def inside(self):
        """The calling thread is in the namespace: sockets and devices opened there stay in it."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.namespace}", os.O_RDONLY)
        try:
            if _libc.setns(there, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            yield
        finally:
            if _libc.setns(own, _CLONE_NEWNET) != 0:
                os.abort()
            os.close(own)
            os.close(there)

    def socket(self, *how):
        with self.inside():
            return socket.socket(*how)

    def mac(self, device):
        link = self.run("ip", "-j", "link", "show", device, echo=False).stdout
        return json.loads(link)[0]["address"]

    def exists(self, device):
        return self.run("ip", "link", "show", device, check=False, echo=False).returncode == 0

    def add_tap(self, name, *addresses):
        """A persistent TAP that no process holds, as `ip tuntap` makes it."""
        self.ip("tuntap", "add", "dev", name, "mode", "tap")
        for address in addresses:
            self.ip("addr", "add", address, "dev", name)
        self.ip("link", "set", name, "up")

    def ping(self, to, *flags, count=10, interval=0.05, wait=1, check=True):
        """Pings to the end; with check, nothing may be lost. By itself ping waits for its last answer no longer than twice the
        longest round trip, and so tells a loss where the machine was busy; with a deadline it goes on."""
        deadline = math.ceil(count * interval * 4 + 10 if check else count * interval * 2 + wait)
        result = self.run("ping", "-n", "-c", count, "-i", interval, "-w", deadline, *flags, to, check=False,
                          timeout=60 + count * (4 * interval + 1))
        ping = PingResult(result.stdout, count)
        self.lab.echo(f"    {ping}")
        assert not check or (ping.sent == count and ping.lost == 0), f"ping {to}: {result.stdout}{result.stderr}"
        return ping

    def answers(self, to, *flags):
        """Whether one ping is answered within 0.3 s."""
        return self.run("ping", "-n", "-c", 1, "-W", 0.3 * PATIENCE, *flags, to, check=False, echo=False).returncode == 0

    def wait_ping(self, to, seconds, *flags):
        """Seconds until a ping is answered."""
        start = time.monotonic()
        wait_for(lambda: self.answers(to, *flags), seconds, f"an answer to {self.name}'s ping to {to}", every=0.02)
        return time.monotonic() - start

    def ping_stream(self, to, *flags, interval=0.01):
        process = self.start("ping", "-n", "-D", "-i", interval, *flags, to,
                             name=f"ping-{len(self.lab.processes)}")
        return PingStream(process, interval)

    def iperf(self, to_host, to, *flags, seconds=2, amount=None, udp=None, reverse=False, port=5201):
        """One iperf3 run from here; returns its JSON. amount, such as 8M, ends it instead of seconds; udp is a rate such as 50M."""
        server = to_host.start("iperf3", "-s", "-1", "-B", to, "-p", port, "--forceflush", name=f"iperf3-{len(self.lab.processes)}")
        try:
            server.wait_log("Server listening", 5)
            argv = ["iperf3", "-J", "-c", to, "-p", port, *(["-n", amount] if amount else ["-t", seconds]), *(["-u", "-b", udp, "-w", "2M"] if udp else []),
                    *(["-R"] if reverse else []), *flags]
            result = self.run(*argv, check=False, timeout=seconds + 30)
            report = json.loads(result.stdout)
            assert "error" not in report, f"iperf3: {report['error']}"
            return report
        finally:
            server.kill()

    def udp_loss(self, to_host, to, *flags, rate="50M", seconds=2, reverse=False):
        """Percent of UDP datagrams lost at a rate."""
        total = self.iperf(to_host, to, *flags, seconds=seconds, udp=rate, reverse=reverse)["end"]["sum"]
        assert total["packets"] > 100, total
        return total["lost_percent"]

    def throughput(self, to_host, to, *flags, seconds=2):
        """Bits a second that one TCP stream delivered from here."""
        return self.iperf(to_host, to, *flags, seconds=seconds)["end"]["sum_received"]["bits_per_second"]

    def capture(self, device, *expression):
        """A tcpdump that is listening when this returns; stop() gives the packets."""
        return Capture(self, device, expression)

    def wait_addresses_settled(self):
        """IPv6 duplicate address detection is over."""
        wait_for(lambda: "tentative" not in self.run("ip", "-6", "addr", echo=False).stdout, 5, "IPv6 addresses in use")

    def network_state(self):
        """Addresses, routes, rules and per-device settings, as text to compare."""
        self.wait_addresses_settled()
        parts = [f"$ {' '.join(argv)}\n{self.run(*argv, echo=False).stdout}" for argv in (
            ["ip", "-o", "addr"], ["ip", "route", "show", "table", "all"], ["ip", "-6", "route", "show", "table", "all"],
            ["ip", "rule"], ["ip", "-6", "rule"])]
        # What a host merely knows of its neighbours, and for how long, is no setting.
        parts.append(self.run("sh", "-c", "cd /proc/sys/net && grep -rHs . ipv4/conf ipv6/conf ipv4/ip_forward | sort",
                              echo=False).stdout)
        return re.sub(r" (expires|valid_lft|preferred_lft) \w+", "", "\n".join(parts))

    def pids(self):
        result = subprocess.run(["ip", "netns", "pids", self.namespace], capture_output=True, text=True)
        return [int(pid) for pid in result.stdout.split()]


class Capture:
    def __init__(self, host, device, expression):
        self.path = host.dir / f"{device}-{len(host.lab.processes)}.pcap"
        self.process = host.start("tcpdump", "-i", device, "-n", "-U", "--immediate-mode", "-Z", "root", "-B", "16384", "-s", "0", "-w", self.path, *expression,
                                  name=self.path.stem)
        self.process.wait_log("listening on", 5)

    def stop(self):
        """The captured frames, in order."""
        self.process.stop(signal.SIGINT)
        return wires.read_pcap(self.path.read_bytes())


class Lab:
    _count = 0

    def __init__(self, title="", echo=print):
        Lab._count += 1
        self.title = title
        self.say = echo
        # Short: API sockets live below it, and their path has 108 bytes.
        self.dir = Path(tempfile.mkdtemp(prefix=f"{PREFIX}-{os.getpid()}-"))
        self.dir.chmod(0o755)
        self.hosts = []
        self.processes = []
        self.closers = []
        self.keys_taken = 0

    def ready_keys(self):
        """(id, folder) of keys that no other node of the lab has."""
        self.keys_taken += 1
        return READY_KEYS.get(self.keys_taken - 1)

    def echo(self, line):
        self.say(line)

    def command(self, *argv):
        self.echo(f"[host] {' '.join(argv)}")
        subprocess.run(argv, check=True, capture_output=True, text=True)

    def host(self, name):
        host = Host.__new__(Host)
        self.hosts.append(host)  # before it exists, so that a half-made one is taken down too
        host.__init__(self, name)
        return host

    def link(self, a, a_device, b, b_device, mtu=1500):
        """A wire (veth) between two hosts, both ends up."""
        self.command("ip", "link", "add", a_device, "mtu", str(mtu), "netns", a.namespace, "type", "veth",
                     "peer", "name", b_device, "mtu", str(mtu), "netns", b.namespace)
        a.ip("link", "set", a_device, "up")
        b.ip("link", "set", b_device, "up")

    def attach(self, host, router, subnet, mtu=1500, device="eth0"):
        """Host gets SUBNET.2 on eth0, the router SUBNET.1 on a device named after the host, and the default route."""
        self.link(host, device, router, host.name, mtu)
        host.ip("addr", "add", f"{subnet}.2/24", "dev", device)
        router.ip("addr", "add", f"{subnet}.1/24", "dev", host.name)
        host.ip("route", "add", "default", "via", f"{subnet}.1")
        host.address = f"{subnet}.2"

    def router(self, name):
        router = self.host(name)
        router.sysctl("net.ipv4.ip_forward", 1)
        return router

    def internet(self, sites=("site-a", "site-b"), mtu=1500):
        """An internet (one router) with a host for each site and one for the backbone. Returns the hosts, the
        backbone's last but one, the router last."""
        inet = self.router("inet")
        hosts = []
        for number, name in enumerate(sites):
            host = self.host(name)
            self.attach(host, inet, f"198.51.{100 + number}", mtu)
            hosts.append(host)
        server = self.host("server")
        self.attach(server, inet, "203.0.113", mtu)
        return *hosts, server, inet

    def logs(self):
        """[(file name, text)] of every program of the lab."""
        return [(f"{path.parent.name}/{path.name}", path.read_text(errors="replace")) for path in sorted(self.dir.glob("*/*.log"))]

    def close(self):
        """Takes everything down. Safe to call at any moment, and twice."""
        for closer in reversed(self.closers):
            with contextlib.suppress(Exception):
                closer()
        for process in reversed(self.processes):
            process.kill()
        for host in self.hosts:
            remove_namespace(host.namespace)
        shutil.rmtree(self.dir, ignore_errors=True)


def remove_namespace(name):
    for _ in range(50):
        pids = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout.split()
        if not pids:
            break
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.02)
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    shutil.rmtree(Path("/etc/netns", name), ignore_errors=True)


def sweep():
    """Removes what labs of processes left behind that were killed and are no more."""
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    for name, pid in re.findall(rf"^({PREFIX}-(\d+)-\S+)", names, re.MULTILINE):
        if not Path(f"/proc/{pid}").exists():
            remove_namespace(name)
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}-*-*"):
        if not Path(f"/proc/{path.name.split('-')[1]}").exists():
            shutil.rmtree(path, ignore_errors=True)


def holder_script():
    """A program that holds a TAP open until it is killed: what another VPN does."""
    return ("import fcntl, os, struct, sys, time\n"
            "tun = os.open('/dev/net/tun', os.O_RDWR)\n"
            "fcntl.ioctl(tun, 0x400454ca, struct.pack('16sH14x', sys.argv[1].encode(), 0x1002))\n"
            "print('holding', flush=True)\n"
            "time.sleep(600)\n")


def hold_tap(host, name, *addresses):
    """Another program that owns a TAP of this name on the host, which is up and has these addresses."""
    holder = host.start("/usr/bin/python3", "-c", holder_script(), name, name=f"holder-{name}")
    holder.wait_log("holding")
    for address in addresses:
        host.ip("addr", "add", address, "dev", name)
    host.ip("link", "set", name, "up")
    return holder


def flush_conntrack(host):
    """The NAT forgets every mapping (IPCTNL_MSG_CT_DELETE without a filter)."""
    host.lab.echo(f"[{host.name}] conntrack -F")
    with host.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netlink:
        netlink.send(struct.pack("=IHHII", 20, (1 << 8) | 2, 1 | 4, 1, 0) + bytes(4))
        answer = netlink.recv(4096)
    assert struct.unpack_from("=i", answer, 16)[0] == 0, "conntrack -F"


# The reference scenario: what docs and README tell people to type.
A_OVERLAY = "10.10.10.4"
B_OVERLAY = "10.10.10.3"


def receiver(host, backbone, *more, address=A_OVERLAY, **options):
    """Site A: listed, accepts every authenticated node."""
    return host.node("-backbone", backbone.url, "-ip", host.address, "-port", 9443, "-tap-ip", address,
                     "-tap-netmask", 24, "-public", *more, **options)


def sender(host, backbone, to, *more, address=B_OVERLAY, **options):
    """Site B: connects to A by its id."""
    return host.node("-backbone", backbone.url, "-ip", host.address, "-port", 9443, "-tap-ip", address,
                     "-tap-netmask", 24, "-connect", to.id, *more, **options)


def reference_pair(lab, a_flags=(), b_flags=(), **internet):
    """The reference scenario, connected: (node A, node B, backbone, the internet's router)."""
    a_host, b_host, server, inet = lab.internet(**internet)
    backbone = server.backbone()
    a = receiver(a_host, backbone, *a_flags)
    b = sender(b_host, backbone, a, *b_flags)
    b_host.wait_ping(A_OVERLAY, 5)
    return a, b, backbone, inet


def median(values):
    return statistics.median(values)
