#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""What one backbone with a shared store, and its redis-server, spend on each thing that a node asks of them: CPU of the
two programs for one of it, and memory. On loopback; prints figures and asserts none. docs/SCALE.md computes with them.

    bench/cluster.py [--build build] [--nodes 2000] [--uplinks 1000]
"""

import argparse
import contextlib
import http.client
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "netns"))
PER_SOURCE = 50      # requests of one, which is below every rate
RECORD_CONTEXT = b"shadowmesh record v1"


def source(number):
    """An address in a /24 of its own."""
    return f"127.{1 + number // 250 % 250}.{number % 250}.1"


class Asker:
    """Asks by connections that are kept, each for so many requests as one source may make at once."""

    def __init__(self, port):
        self.port, self.count, self.connection = port, 0, None

    def ask(self, method, path, body=None, status=(200,)):
        if self.count % PER_SOURCE == 0:
            if self.connection:
                self.connection.close()
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(source(self.count // PER_SOURCE), 0))
        self.count += 1
        self.connection.request(method, path, body=body)
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status in status, (answer.status, text)
        return text


class Meter:
    """CPU of both programs and commands of the store while something is done `count` times."""

    def __init__(self, instance, redis):
        self.instance, self.redis = instance, redis

    def read(self):
        from lab import cpu_s
        commands = dict(line.split(":", 1) for line in self.redis.say("info", "stats").splitlines() if ":" in line)
        return cpu_s(self.instance.process.pid), cpu_s(self.redis.process.pid), int(commands["total_commands_processed"])

    @contextlib.contextmanager
    def of(self, what, count):
        before, started = self.read(), time.monotonic()
        yield
        after, taken = self.read(), time.monotonic() - started
        backbone, store, commands = (b - a for a, b in zip(before, after))
        print(f"{what}: backbone {backbone / count * 1e6:.0f} µs, store {store / count * 1e6:.0f} µs, "
              f"{(commands - 1) / count:.1f} commands each ({count} in {taken:.1f} s)", flush=True)


def used_bytes(redis):
    fields = dict(line.split(":", 1) for line in redis.say("info", "memory").splitlines() if ":" in line)
    return int(fields["used_memory"])


def body_of(key, challenge, seq):
    import base64
    import json

    import cbor2
    record = cbor2.dumps({0: 1, 1: key.id, 2: key.spki, 3: seq, 4: int(time.time()) + 3000, 5: "node", 8: challenge,
                          9: [[1, bytes([192, 0, 2, 1]), 9443, 8443], [2, bytes([198, 51, 100, 7]), 9443, 8443]]}, canonical=True)
    signature = key.sign(record, RECORD_CONTEXT)
    return json.dumps({"record": base64.b64encode(record).decode(), "signature": base64.b64encode(signature).decode()})


def registrations(meter, asker, keys):
    import json
    challenge = bytes.fromhex(json.loads(asker.ask("GET", "/v1/challenge"))["challenge"])
    bodies = [body_of(key, challenge, 1) for key in keys[:3000]]
    before = used_bytes(meter.redis)
    with meter.of("registration (POST alone)", len(bodies)):
        for body in bodies:
            asker.ask("POST", "/v1/nodes", body, status=(201,))
    print(f"record in the store: {(used_bytes(meter.redis) - before) / len(bodies):.0f} bytes")
    again = [body_of(key, challenge, 2) for key in keys[:3000]]
    with meter.of("registration anew (POST alone)", len(again)):
        for body in again:
            asker.ask("POST", "/v1/nodes", body, status=(201,))


def questions(meter, asker, keys, count):
    with meter.of("GET /v1/challenge", count):
        for _ in range(count):
            asker.ask("GET", "/v1/challenge")
    with meter.of("GET /v1/nodes/ID", count):
        for number in range(count):
            asker.ask("GET", f"/v1/nodes/{keys[number % len(keys)].id.hex()}")
    with meter.of("GET /v1/info", count):
        for _ in range(count):
            asker.ask("GET", "/v1/info")
    with meter.of("GET /v1/info on a connection of its own", count):
        for _ in range(count):
            asker.connection.close()
            asker.ask("GET", "/v1/info")


def uplinks(meter, keys, port, idle_s):
    from uplinks import memory_kb
    from uplink_client import PING, Uplink, frame
    before_kb, before = memory_kb(meter.instance.process.pid), used_bytes(meter.redis)
    nodes = []
    with meter.of("uplink: request, proof, presence", len(keys)):
        for number, key in enumerate(keys):
            nodes.append(Uplink(port, key, source=source(5000 + number)))
        meter.instance.client.get("/v1/info")
    time.sleep(1)
    print(f"uplink in the store: {(used_bytes(meter.redis) - before) / len(keys):.0f} bytes, "
          f"in the backbone: {(memory_kb(meter.instance.process.pid) - before_kb) / len(keys):.1f} KB")
    ping = frame(b"", PING)
    with meter.of("ping of an uplink", 10 * len(nodes)):
        for _ in range(10):
            for node in nodes:
                node.socket.sendall(ping)
            time.sleep(0.2)
    with meter.of(f"an uplink's second, idle ({idle_s} s)", idle_s * len(nodes)):
        time.sleep(idle_s)
    for node in nodes:
        node.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=ROOT / "build")
    parser.add_argument("--nodes", type=int, default=2000)
    parser.add_argument("--uplinks", type=int, default=1000)
    options = parser.parse_args()
    os.environ["SHADOWMESH_BUILD"] = str(options.build)
    from store import Redis
    from test_store import Instance
    from uplink_client import Key
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    keys = [Key() for _ in range(options.nodes)]
    with tempfile.TemporaryDirectory() as folder:
        redis = Redis(Path(folder) / "redis").start()
        instance = Instance(Path(folder) / "backbone", redis.url).start().wait_up()
        meter, asker = Meter(instance, redis), Asker(instance.port)
        try:
            registrations(meter, asker, keys)
            questions(meter, asker, keys, options.nodes)
            uplinks(meter, keys[:options.uplinks], instance.port, 10)
        finally:
            instance.process.kill()
            redis.kill()


if __name__ == "__main__":
    main()
