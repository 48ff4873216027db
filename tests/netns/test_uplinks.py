# SPDX-License-Identifier: Apache-2.0
"""Uplinks at the built shadowmesh-backbone: honest nodes, nodes that lie, and reverse proxies in between, all on loopback, where
every 127.x.y.z is a source of its own.

    uplink_client ──(nginx, HAProxy or Caddy, with TLS)── shadowmesh-backbone ── uplink_client
"""

import contextlib
import os
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

import lab as labs
from test_backbone import Backbone
from uplink_client import (BINARY, CLOSE_FRAME, CONTINUATION, CREDIT, DATAGRAMS, LIMITED, PAIR, PING, RESTARTING, TEXT, WINDOW,
                           Ended, Key, Uplink, WebSocket, couple, frame)

DATAGRAM = b"\x20" + bytes(999)
PROBE = b"\x22" + bytes(99)


@contextlib.contextmanager
def running(folder, *flags):
    own = Backbone(folder, *flags).start()
    try:
        yield own
        own.close()
    finally:
        own.process.kill()


@pytest.fixture
def backbone(tmp_path):
    with running(tmp_path, "-v") as own:
        yield own


def figures(backbone):
    status, text, _ = backbone.client.get("/metrics")
    if status == 429:  # asked too often
        time.sleep(1)
        status, text, _ = backbone.client.get("/metrics")
    assert status == 200
    return {name.removeprefix("shadowmesh_backbone_"): float(value) for name, value in
            (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))}


# ---- honest nodes ----

def test_two_nodes_exchange_streams_and_datagrams(backbone):
    a, b = Uplink(backbone.port, source="127.0.1.1"), Uplink(backbone.port, source="127.0.2.1")
    assert a.welcome[0] == 4 and a.welcome[3:7] == bytes([127, 0, 1, 1])
    assert struct.unpack("!H", a.welcome[1:3])[0] == a.socket.getsockname()[1]
    assert struct.unpack("!HHI", a.welcome[19:]) == (1024, 4096, WINDOW)
    a.ping()
    stream = a.open(b.id)
    content = os.urandom(200_000)
    number, opener = b.accept()
    assert opener == a.id and number % 2 == 0

    def send():
        credit, at = WINDOW, 0
        while at < len(content):
            part = content[at:at + min(credit, 16384)]
            if part:
                a.data(stream, part)
                at, credit = at + len(part), credit - len(part)
            if at < len(content) and not credit:
                credit += struct.unpack("!I", a.expect(CREDIT)[4:])[0]
    sender = threading.Thread(target=send)
    sender.start()
    assert b.read(number, len(content)) == content
    sender.join()
    a.shut(stream)
    assert b.closed(number) == 0 and a.closed(stream) == 0
    couple(a, b)
    a.datagrams(b.id, [DATAGRAM] * 60 + [b"\x20"], ecn=2)
    assert b.arrived() == (a.id, 2, [DATAGRAM] * 60 + [b"\x20"])
    b.close()
    assert a.paired(b.id) is False
    found = figures(backbone)
    assert found["uplink_stream_bytes_total"] == len(content)
    assert found['uplink_datagrams_total{outcome="relayed"}'] == 61
    assert found["uplinks"] == 1 and found["uplink_pairs"] == 0


def test_end_is_told_and_nodes_come_back_to_the_next_start(backbone):
    key, nodes = Key(), [Uplink(backbone.port) for _ in range(5)]
    node = Uplink(backbone.port, key)
    backbone.process.send_signal(signal.SIGTERM)
    for one in [node, *nodes]:
        assert struct.unpack("!I", one.expect(RESTARTING))[0] in range(1000, 1010)
        assert one.ended()[0] == 1012
        one.close()
    assert backbone.process.wait(3) == 0
    backbone.start()
    Uplink(backbone.port, key).ping()


def test_newer_connection_with_a_key_replaces_the_older(backbone):
    key = Key()
    older = Uplink(backbone.port, key, source="127.0.1.1")
    Uplink(backbone.port, key, source="127.0.2.1").ping()
    code, reason = older.ended()
    assert code == 4002 and "another connection with your key" in reason


# ---- who may come in ----

def test_request_that_asks_for_no_uplink_is_told_why(backbone):
    for missing in ("Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol"):
        refused = WebSocket(backbone.port, headers={missing: None})
        assert refused.status == 426 and "upgrade: websocket" in refused.head.lower()
        refused.close()
    assert backbone.client.get("/v1/link")[0] == 426
    assert backbone.client.ask("POST", "/v1/link", "x")[0] == 405


def test_proof_has_to_be_the_keys_fresh_and_for_this_backbone(tmp_path):
    with running(tmp_path, "-url", "backbone.example", "-url", "127.0.0.1:9") as backbone:
        def fate(**how):
            node = Uplink(backbone.port, proven=False)
            node.send(node.proof(**how))
            return node.ended()
        Uplink(backbone.port, name="backbone.example:443").ping()
        Uplink(backbone.port, name="127.0.0.1:9").ping()
        code, reason = fate(name="other.example")
        assert code == 4001 and "-url" in reason
        assert fate(name="backbone.example", challenge=bytes(32))[0] == 4001
        assert fate(name="backbone.example", spki=Key().spki)[0] == 4001
        assert fate(name="Backbone.example")[0] == 4001


def test_connection_that_proves_nothing_is_cut(backbone):
    started = time.monotonic()
    slow = Uplink(backbone.port, proven=False)
    dribble = Uplink(backbone.port, proven=False)
    dribble.socket.sendall(frame(dribble.proof())[:5000])
    early = Uplink(backbone.port, proven=False)
    early.send(bytes([PAIR]) + bytes(20) + b"\1")
    assert early.ended()[0] == 4001
    large = Uplink(backbone.port, proven=False)
    with contextlib.suppress(ConnectionError):
        large.socket.sendall(frame(bytes(65536)))
    assert large.ended()[0] in (4001, None)
    for node in (slow, dribble):
        assert node.ended() == (4001, "no proof within 5 seconds")
    assert time.monotonic() - started >= 5


def test_source_has_64_uplinks_and_unproven_ones_take_none(backbone):
    nodes = [Uplink(backbone.port, source="127.0.1.1") for _ in range(64)]
    late = Uplink(backbone.port, source="127.0.1.1", proven=False)
    late.send(late.proof())
    assert late.ended()[0] == 4003
    idle = [Uplink(backbone.port, source="127.0.1.1", proven=False) for _ in range(70)]
    assert idle[0].ended()[0] == 4003
    for node in nodes:
        node.ping()
    Uplink(backbone.port, source="127.0.9.1").ping()


# ---- liars ----

def raw(*frames):
    return lambda node: node.socket.sendall(b"".join(frames))


LIES = {
    "malformed message": (4000, raw(frame(bytes([PAIR, 1])))),
    "empty message": (4000, raw(frame(b""))),
    "message of the backbone's": (4000, raw(frame(bytes([LIMITED, 1])))),
    "proof a second time": (4000, lambda node: node.send(node.proof())),
    "text": (4000, raw(frame(b"hello", TEXT))),
    "no mask": (4000, raw(frame(b"\x0d", masked=False))),
    "extension": (4000, raw(frame(b"\x0d", rsv=4))),
    "too long": (4000, raw(frame(bytes([DATAGRAMS]) + bytes(70000)))),
    "too long in fragments": (4000, raw(frame(b"\x0d", fin=False), *[frame(bytes(1000), CONTINUATION, fin=False)] * 70)),
    "continues nothing": (4000, raw(frame(b"\x0d", CONTINUATION))),
    "65 datagrams": (4000, raw(frame(bytes([DATAGRAMS]) + bytes(20) + b"\0\0\1" + bytes(65)))),
    "stream of even number": (4000, lambda node: node.open(bytes(20), 2)),
    "flood of pings": (4000, raw(*[frame(b"", PING)] * 9000)),
    "close": (1000, raw(frame(b"\x03\xe8", CLOSE_FRAME))),
}


@pytest.mark.parametrize("lie", LIES)
def test_uplink_that_breaks_the_protocol_is_ended_with_its_code(backbone, lie):
    code, tell = LIES[lie]
    witness = Uplink(backbone.port, source="127.0.2.1")
    liar = Uplink(backbone.port, source="127.0.1.1")
    with contextlib.suppress(ConnectionError):
        tell(liar)
    assert liar.ended()[0] in (code, None)
    labs.wait_for(lambda: figures(backbone)["uplinks"] == 1, 5, "the liar is gone")
    witness.ping()


def test_messages_in_fragments_and_of_later_kinds_are_taken(backbone):
    node, other = Uplink(backbone.port), Uplink(backbone.port)
    node.send(bytes([200]) + bytes(1000))
    message = bytes([PAIR]) + other.id + b"\1"
    for index, byte in enumerate(message):
        node.send(bytes([byte]), BINARY if index == 0 else CONTINUATION, fin=index == len(message) - 1)
        node.send(b"", PING)
    other.pair(node.id)
    assert node.paired(other.id) and other.paired(node.id)


def test_more_than_the_credit_closes_the_stream_alone(backbone):
    liar, victim = Uplink(backbone.port), Uplink(backbone.port)
    first, second = liar.open(victim.id), liar.open(victim.id)
    numbers = [victim.accept()[0], victim.accept()[0]]
    liar.data(first, bytes(WINDOW))
    liar.data(first, b"x")
    assert liar.closed(first) == 4 and victim.closed(numbers[0]) == 4
    liar.data(second, b"hello")
    assert victim.read(numbers[1], 5) == b"hello"


def test_opens_are_bounded_and_strangers_can_be_refused_by_id(backbone):
    liar, victim, friend = (Uplink(backbone.port, source=f"127.0.{i}.1") for i in (1, 2, 3))
    streams = [liar.open(victim.id) for _ in range(40)]
    assert {liar.closed(stream) for stream in streams[20:]} == {3}
    assert liar.expect(LIMITED) == b"\1"
    stream = friend.open(victim.id)
    number, opener = victim.accept()
    while opener != friend.id:
        assert opener == liar.id
        victim.shut(number, 2)
        number, opener = victim.accept()
    friend.data(stream, b"hello")
    assert victim.read(number, 5) == b"hello"
    assert liar.closed(streams[0]) == 2


def test_node_that_does_not_read_is_cut_and_costs_its_pair_nothing(backbone):
    """Also where the flood is over its source's rate: probes have some of their own."""
    a, stalled, good = (Uplink(backbone.port, source=f"127.0.{i}.1") for i in (1, 2, 3))
    couple(a, stalled)
    couple(a, good)
    deadline = time.monotonic() + 40
    served = 0
    while figures(backbone)['uplinks_ended_total{outcome="slow"}'] == 0:
        assert time.monotonic() < deadline
        for _ in range(20):
            a.datagrams(stalled.id, [DATAGRAM] * 60)
        a.datagrams(good.id, [PROBE])
        assert good.arrived() == (a.id, 0, [PROBE])
        served += 1
    assert a.paired(stalled.id) is False
    assert served > 10
    assert figures(backbone)['uplink_datagrams_total{outcome="queue"}'] > 0


class Flood(threading.Thread):
    """A liar that does the same again and again, and comes back when it is thrown out."""

    def __init__(self, port, source, act):
        super().__init__(daemon=True)
        self.port, self.source, self.act = port, source, act
        self.stop, self.rounds = threading.Event(), 0

    def run(self):
        while not self.stop.is_set():
            with contextlib.suppress(OSError, Ended, AssertionError):
                node = self.node = Uplink(self.port, source=self.source, timeout=2)
                threading.Thread(target=self.drain, args=(node,), daemon=True).start()
                while not self.stop.is_set():
                    self.act(node)
                    self.rounds += 1
            self.stop.wait(0.05)

    @staticmethod
    def drain(node):
        with contextlib.suppress(OSError, Ended, ValueError):
            while node.socket.recv(65536):
                pass


@pytest.mark.alone
def test_a_good_pair_is_served_while_liars_flood(backbone):
    a, b = Uplink(backbone.port, source="127.1.0.1"), Uplink(backbone.port, source="127.2.0.1")
    couple(a, b)
    batch = frame(bytes([DATAGRAMS]) + b.id + struct.pack("!BH", 0, 1000) + DATAGRAM * 60)
    pairs = b"".join(frame(bytes([PAIR]) + os.urandom(20) + b"\1") for _ in range(100))

    def opens(node):
        for _ in range(50):
            node.open(b.id)

    acts = [opens, lambda node: node.socket.sendall(pairs), lambda node: node.socket.sendall(batch * 4),
            lambda node: node.socket.sendall(frame(os.urandom(500))), lambda node: node.send(b"", PING),
            lambda node: Uplink(backbone.port, source=node.socket.getsockname()[0], proven=False)]
    floods = [Flood(backbone.port, f"127.{10 + i}.0.1", act) for i, act in enumerate(acts)]
    for flood in floods:
        flood.start()
    try:
        labs.wait_for(lambda: all(flood.rounds > 3 for flood in floods), 30, "all liars are at work")
        for turn in range(100):
            a.datagrams(b.id, [PROBE])
            assert b.arrived()[0] == a.id
            if turn % 20 == 0:
                stream = b.open(a.id)
                number, opener = a.accept()
                assert opener == b.id
                a.shut(number)
                assert b.closed(stream) == 0
        found = figures(backbone)
    finally:
        for flood in floods:
            flood.stop.set()
    assert found['uplink_datagrams_total{outcome="unpaired"}'] > 0
    assert found['uplink_opens_total{outcome="too_many"}'] > 0
    assert found['uplinks_ended_total{outcome="malformed"}'] > 0


@pytest.mark.alone
def test_flooding_source_leaves_another_pair_its_datagrams(backbone):
    """Each over a rate of its own, into receivers that read."""
    a, b = Uplink(backbone.port, source="127.1.0.1"), Uplink(backbone.port, source="127.2.0.1")
    c, d = Uplink(backbone.port, source="127.3.0.1"), Uplink(backbone.port, source="127.4.0.1")
    couple(a, b)
    couple(c, d)
    batch = frame(bytes([DATAGRAMS]) + d.id + struct.pack("!BH", 0, 1000) + DATAGRAM * 60)
    stop = threading.Event()

    def flood():
        with contextlib.suppress(OSError):
            while not stop.is_set():
                c.socket.sendall(batch)
    for target, args in ((flood, ()), (Flood.drain, (c,)), (Flood.drain, (d,))):
        threading.Thread(target=target, args=args, daemon=True).start()
    labs.wait_for(lambda: figures(backbone)['uplink_datagrams_total{outcome="source_rate"}'] > 100, 30, "the flood is over its rate")
    for _ in range(200):
        a.datagrams(b.id, [DATAGRAM] * 8)
        assert b.arrived() == (a.id, 0, [DATAGRAM] * 8)
    stop.set()


# ---- reverse proxies ----

def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


NGINX = """daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; worker_processes 1;
events {{ worker_connections 2000; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
 uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
 server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
  location / {{ proxy_pass http://127.0.0.1:{backbone}; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
   proxy_set_header Connection upgrade; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }} }} }}
"""
HAPROXY = """defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout tunnel 1h
frontend in
  maxconn 2000
  bind 127.0.0.1:{port} ssl crt {folder}/both.pem alpn h2,http/1.1
  option forwardfor
  default_backend out
backend out
  server backbone 127.0.0.1:{backbone}
"""
HAPROXY_BYTES = """defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend in
  maxconn 2000
  bind 127.0.0.1:{port} ssl crt {folder}/both.pem alpn http/1.1
  default_backend out
backend out
  server backbone 127.0.0.1:{backbone} send-proxy-v2
"""
CADDY = """{{
  admin unix/{folder}/admin.sock
  auto_https disable_redirects
  skip_install_trust
}}
https://127.0.0.1:{port} {{
  bind 127.0.0.1
  tls {folder}/cert.pem {folder}/key.pem
  reverse_proxy 127.0.0.1:{backbone}
}}
"""
PROXIES = {
    "nginx": (NGINX, lambda config: ["nginx", "-c", config]),
    "haproxy": (HAPROXY, lambda config: ["haproxy", "-W", "-db", "-f", config]),
    "haproxy-bytes": (HAPROXY_BYTES, lambda config: ["haproxy", "-db", "-f", config]),
    "caddy": (CADDY, lambda config: ["caddy", "run", "--config", config, "--adapter", "caddyfile"]),
}


@contextlib.contextmanager
def proxied(folder, kind, backbone):
    """A proxy with TLS and HTTP/2 in front: its port, and what a client needs for TLS."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                   check=True, capture_output=True)
    (folder / "both.pem").write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    port = free_port()
    text, command = PROXIES[kind]
    (folder / "config").write_text(text.format(folder=folder, port=port, backbone=backbone.port))
    folder.chmod(0o755)
    environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    process = labs.Process(command(str(folder / "config")), folder / f"{kind}.out", environment)
    context = ssl.create_default_context(cafile=folder / "cert.pem")
    context.set_alpn_protocols(["http/1.1"])
    try:
        def listens():
            assert process.running, process.log()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
        labs.wait_for(listens, 20, f"{kind} listens")
        yield port, context, process
    finally:
        process.kill()


def registration_status(port, context, source):
    """Of one that is malformed, through a proxy."""
    with socket.create_connection(("127.0.0.1", port), 5, source_address=(source, 0)) as plain, \
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
        connection.sendall(b"POST /v1/nodes HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        return int(connection.makefile("rb").readline().split()[1])


@pytest.mark.parametrize("kind", ["nginx", "haproxy", "caddy"])
def test_uplinks_pass_a_reverse_proxy_with_tls_and_http2(tmp_path, kind):
    with running(tmp_path, "-trusted-proxy", "127.0.0.1") as backbone, proxied(tmp_path, kind, backbone) as (port, context, _):
        h2 = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        h2.set_alpn_protocols(["h2", "http/1.1"])
        with h2.wrap_socket(socket.create_connection(("127.0.0.1", port), 5), server_hostname="127.0.0.1") as other:
            assert other.selected_alpn_protocol() == "h2", "the proxy offers HTTP/2"
        a = Uplink(port, source="127.0.1.1", tls=context)
        b = Uplink(port, source="127.0.2.1", tls=context, headers={"X-Forwarded-For": "10.9.9.9"})
        assert a.welcome[1:7] == bytes([0, 0, 127, 0, 1, 1]), "who asks is known from the proxy, but for its port"
        assert b.welcome[3:7] == bytes([127, 0, 2, 1]), "what a client itself writes does not count"
        a.ping()
        couple(a, b)
        a.datagrams(b.id, [DATAGRAM] * 64)
        assert b.arrived() == (a.id, 0, [DATAGRAM] * 64)
        number, _ = (a.open(b.id), b.accept())[1]
        b.data(number, bytes(WINDOW))
        assert a.read(1, WINDOW) == bytes(WINDOW)


def test_proxy_protocol_names_the_source_for_uplinks_and_limits(tmp_path):
    """HAProxy that passes bytes on behind TLS, and tells who sends them by a PROXY header."""
    with running(tmp_path, "-trusted-proxy", "127.0.0.1") as backbone, proxied(tmp_path, "haproxy-bytes", backbone) as (port, context, _):
        nodes = [Uplink(port, source=f"127.1.0.{1 + i}", tls=context, headers={"X-Forwarded-For": "10.9.9.9"}) for i in range(70)]
        for i, node in enumerate(nodes):
            assert node.welcome[0] == 4 and node.welcome[3:7] == bytes([127, 1, 0, 1 + i]), node.welcome
            assert struct.unpack("!H", node.welcome[1:3])[0] == node.socket.getsockname()[1], "with its port"
            node.ping()
        assert figures(backbone)["uplinks"] == 70
        answers = [registration_status(port, context, "127.3.0.1") for _ in range(80)]
        assert answers[0] == 400 and answers[-1] == 429
        assert registration_status(port, context, "127.2.0.1") == 400, "limits are of the source, not of the proxy"
        with socket.create_connection(("127.0.0.1", backbone.port), 5) as hostile:
            hostile.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff" + bytes(100))
            with contextlib.suppress(ConnectionResetError):
                assert hostile.recv(100) == b""
        with socket.create_connection(("127.0.0.1", backbone.port), 5) as slow:
            slow.sendall(b"\r\n\r\n\0\r\nQ")
            slow.settimeout(30)
            with contextlib.suppress(ConnectionResetError):
                assert slow.recv(100) == b""
        assert figures(backbone)["connections_refused_total"] == 2


def test_proxy_header_of_whom_nobody_trusts_is_no_http(tmp_path):
    with running(tmp_path) as backbone, socket.create_connection(("127.0.0.1", backbone.port), 5) as connection:
        connection.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([192, 0, 2, 7, 127, 0, 0, 1, 0, 1, 0, 2]) +
                           b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            assert b"200 OK" not in connection.makefile("rb").read()


def reload(kind, proxy, folder):
    """And waits until there are two workers, that with the uplinks and a new one; Caddy has one process."""
    if kind == "caddy":
        subprocess.run(["caddy", "reload", "--force", "--config", folder / "config", "--adapter", "caddyfile", "--address",
                        f"unix/{folder}/admin.sock"], check=True, capture_output=True, env={**os.environ, "HOME": str(folder)})
        return
    workers = set(labs.children(proxy.pid))
    proxy.send_signal(signal.SIGHUP if kind == "nginx" else signal.SIGUSR2)
    labs.wait_for(lambda: set(labs.children(proxy.pid)) - workers, 10, f"{kind} has reloaded")
    assert workers & set(labs.children(proxy.pid))


@pytest.mark.parametrize("kind", ["nginx", "haproxy", "caddy"])
def test_reload_of_the_proxy_keeps_uplinks_and_its_end_is_an_end(tmp_path, kind):
    """Caddy closes WebSockets when it is reloaded: they come back."""
    key = Key()
    with running(tmp_path) as backbone:
        with proxied(tmp_path, kind, backbone) as (port, context, proxy):
            before = Uplink(port, key, tls=context)
            reload(kind, proxy, tmp_path)
            if kind == "caddy":
                before = Uplink(port, key, tls=context)
            before.ping()
            Uplink(port, tls=context).ping()
        assert before.ended()[0] is None
        labs.wait_for(lambda: figures(backbone)["uplinks"] == 0, 10, "the uplinks are gone")
        Uplink(backbone.port, key).ping()


def test_300_uplinks_pass_one_nginx_that_is_trusted_and_64_one_that_is_not(tmp_path):
    (tmp_path / "trusted").mkdir()
    (tmp_path / "not").mkdir()
    with running(tmp_path / "trusted", "-trusted-proxy", "127.0.0.1/32") as backbone, \
            proxied(tmp_path / "trusted", "nginx", backbone) as (port, context, _):
        nodes = [Uplink(port, source=f"127.1.{i % 30}.{1 + i // 30}", tls=context) for i in range(300)]
        for node in nodes:
            node.ping()
        assert figures(backbone)["uplinks"] == 300
        assert backbone.client.get("/health")[0] == 200
    with running(tmp_path / "not") as backbone, proxied(tmp_path / "not", "nginx", backbone) as (port, context, _):
        nodes = [Uplink(port, source=f"127.1.0.{1 + i % 30}", tls=context) for i in range(64)]
        late = Uplink(port, source="127.1.9.9", tls=context, proven=False)
        late.send(late.proof())
        assert late.ended()[0] == 4003
        nodes[0].ping()
