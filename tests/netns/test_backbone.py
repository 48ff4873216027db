# SPDX-License-Identifier: Apache-2.0
"""The built shadowmesh-backbone as a black box, on loopback: its API, what survives a crash, and what strangers do to it."""

import base64
import contextlib
import re
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest

import lab as labs
from backbone_client import Client, Identity, encode_record, stun_mapped_address, stun_request

UNKNOWN = "0123456789abcdef0123456789abcdef01234567"


class Backbone:
    """One on a free port of loopback, with a log of its own."""

    def __init__(self, folder, *flags, listen="127.0.0.1:0"):
        self.folder = folder
        self.data = folder / "data"
        self.flags = flags
        self.listen = listen
        self.starts = 0

    def start(self):
        self.starts += 1
        argv = [labs.program("shadowmesh-backbone"), "-listen", self.listen, "-data", str(self.data), *self.flags]
        self.process = labs.Process(argv, self.folder / f"backbone-{self.starts}.log")
        self.port = int(self.process.wait_log(r"listening on \S+:(\d+) \(HTTP and STUN\), data in (\S+)$")[1])
        return self

    @property
    def client(self):
        return Client(self.port)

    def log(self):
        return self.process.log()

    def stop(self, number=signal.SIGTERM):
        return self.process.stop(number)

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        """At the end of a test it is alive unless the test ended it, and SIGTERM is a clean end."""
        if not self.process.log_file.closed:
            assert self.process.running, f"the backbone ended with {self.process.returncode}:\n{self.log()}"
            assert self.stop() == 0
        assert "Sanitizer" not in self.log()


@pytest.fixture
def backbone(tmp_path):
    own = Backbone(tmp_path).start()
    try:
        yield own
        own.close()
    finally:
        own.process.kill()


@pytest.fixture(scope="module")
def me(tmp_path_factory):
    return Identity(tmp_path_factory.mktemp("me"))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return Identity(tmp_path_factory.mktemp("other"))


def run(*flags):
    return subprocess.run([labs.program("shadowmesh-backbone"), *map(str, flags)], capture_output=True, text=True, timeout=20)


def expect_error(answer, status):
    assert answer[0] == status, answer
    assert set(answer[1]) >= {"error"} and answer[1]["error"] and answer[2]["Content-Type"] == "application/json"
    return answer


# ---- the command line


def test_help_and_version_go_to_stdout_with_exit_code_0():
    for flag in ("-help", "--help"):
        result = run(flag)
        assert result.returncode == 0 and "-listen" in result.stdout and not result.stderr
    for flag in ("-version", "--version"):
        result = run(flag)
        assert result.returncode == 0 and re.fullmatch(r"shadowmesh-backbone \d+\.\d+\.\d+\n", result.stdout)


@pytest.mark.parametrize("flags", [["-nonsense"], ["-listen"], ["-listen", "port"], ["-listen", "1:2:3"], ["-data", ""],
                                   ["extra"], ["-listen", "70000"]])
def test_bad_flags_are_one_line_and_exit_code_2(flags):
    result = run(*flags)
    assert result.returncode == 2 and not result.stdout
    assert len(result.stderr.splitlines()) == 1


def test_port_in_use_is_one_line_and_exit_code_1(backbone, tmp_path):
    result = run("-listen", f"127.0.0.1:{backbone.port}", "-data", tmp_path / "second")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1 and f"127.0.0.1:{backbone.port}" in result.stderr and "-listen" in result.stderr


def test_udp_port_in_use_is_one_line_and_exit_code_1(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        result = run("-listen", f"127.0.0.1:{taken.getsockname()[1]}", "-data", tmp_path / "data")
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1 and "port" in result.stderr


def test_data_directory_of_another_backbone_is_refused(backbone):
    result = run("-listen", "127.0.0.1:0", "-data", backbone.data)
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1 and "in use" in result.stderr


def test_data_directory_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for data in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / "no" / "such"):
        result = run("-listen", "127.0.0.1:0", "-data", data)
        assert result.returncode == 1 and len(result.stderr.splitlines()) == 1 and str(data) in result.stderr


def test_data_is_for_its_owner_only(backbone, me):
    assert backbone.client.register(me, 1)[0] == 201
    assert backbone.data.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in backbone.data.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_with_exit_code_0(backbone, number):
    with contextlib.closing(backbone.client.connect()) as idle:
        idle.request("GET", "/health")
        assert idle.getresponse().read()
        assert backbone.stop(number) == 0


def test_every_address_means_both_families(tmp_path):
    own = Backbone(tmp_path, listen="0").start()
    try:
        assert "listening on [::]:" in own.log()
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.77"), (socket.AF_INET6, "::1")):
            with socket.create_connection((host, own.port), timeout=5) as connection:
                connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert b'{"status":"ok"}' in connection.makefile("rb").read()
            with socket.socket(family, socket.SOCK_DGRAM) as udp:
                # Connected: only an answer from the very address that was asked is seen.
                udp.connect((host, own.port))
                udp.settimeout(5)
                udp.send(stun_request(b"0123456789ab"))
                assert stun_mapped_address(udp.recv(2048), b"0123456789ab") == udp.getsockname()[:2]
        own.close()
    finally:
        own.process.kill()


# ---- the API


def test_health_info_and_unknown_paths(backbone):
    client = backbone.client
    assert client.get("/health")[:2] == (200, {"status": "ok"})
    status, info, _ = client.get("/v1/info")
    assert status == 200 and info == {"name": "shadowmesh-backbone", "version": info["version"], "api": 1,
                                      "instance": info["instance"], "stun_port": backbone.port, "nodes": 0}
    assert re.fullmatch("[0-9a-f]{16}", info["instance"])
    expect_error(client.get("/nowhere"), 404)
    assert expect_error(client.ask("DELETE", "/v1/nodes"), 405)[2]["Allow"] == "GET, HEAD, POST"
    assert client.ask("HEAD", "/health")[0] == 200


def test_registered_node_is_found_by_id(backbone, me):
    client = backbone.client
    record = encode_record(me, 5, int(time.time()) + 600, client.challenge(), name="Zürich", public=True, network="blue",
                           candidates=[[1, bytes([192, 0, 2, 1]), 9443, 8443]])
    status, answer, _ = client.post(record, me.sign(record))
    assert status == 201, answer
    assert answer == {"id": me.hex, "seq": 5, "expiry_s": answer["expiry_s"], "observed": "127.0.0.1"}
    status, found, _ = client.get(f"/v1/nodes/{me.hex}")
    assert status == 200 and base64.b64decode(found["record"], validate=True) == record and set(found) == {"record", "signature"}
    assert client.get(f"/v1/nodes/{me.hex.upper()}")[0] == 200
    assert client.get("/v1/nodes")[1] == {"nodes": [{"id": me.hex, "name": "Zürich", "seq": 5, "expiry_s": answer["expiry_s"]}]}
    assert client.get("/v1/networks/blue/nodes")[1] == {"nodes": [found]}
    assert client.get("/v1/networks/green/nodes")[1] == {"nodes": []}
    assert client.get("/v1/info")[1]["nodes"] == 1
    expect_error(client.get(f"/v1/nodes/{UNKNOWN}"), 404)
    expect_error(client.get("/v1/nodes/xyz"), 400)


def test_private_node_is_given_to_who_knows_the_id_only(backbone, me):
    client = backbone.client
    assert client.register(me, 1)[0] == 201
    assert client.get("/v1/nodes")[1] == {"nodes": []}
    assert client.get(f"/v1/nodes/{me.hex}")[0] == 200


def test_public_listing_pages(backbone, me, other):
    client = backbone.client
    assert client.register(me, 1, public=True)[0] == client.register(other, 1, public=True)[0] == 201
    first, second = sorted((me.hex, other.hex))
    page = client.get("/v1/nodes?limit=1")[1]
    assert [node["id"] for node in page["nodes"]] == [first] and page["next"] == first
    page = client.get(f"/v1/nodes?limit=1&after={first}")[1]
    assert [node["id"] for node in page["nodes"]] == [second] and "next" not in page
    for query in ("limit=0", "limit=101", "limit=x", "after=x"):
        expect_error(client.get(f"/v1/nodes?{query}"), 400)


def test_replayed_and_older_registrations_are_refused(backbone, me):
    client = backbone.client
    record = encode_record(me, 5, int(time.time()) + 600, client.challenge())
    signature = me.sign(record)
    assert client.post(record, signature)[0] == 201
    assert expect_error(client.post(record, signature), 409)[1]["seq"] == 5
    assert expect_error(client.register(me, 4), 409)[1]["seq"] == 5
    assert client.register(me, 6)[0] == 201


def test_challenge_must_be_ours(backbone, me):
    client = backbone.client
    for challenge in (bytes(32), bytes(a ^ 1 for a in client.challenge())):
        record = encode_record(me, 1, int(time.time()) + 600, challenge)
        expect_error(client.post(record, me.sign(record)), 401)
    challenge = client.challenge()
    backbone.restart()
    record = encode_record(me, 1, int(time.time()) + 600, challenge)
    expect_error(backbone.client.post(record, me.sign(record)), 401)


def test_signature_and_id_must_be_the_keys(backbone, me, other):
    client = backbone.client
    record = encode_record(me, 1, int(time.time()) + 600, client.challenge())
    signature = bytearray(me.sign(record))
    signature[1000] ^= 1
    expect_error(client.post(record, bytes(signature)), 403)
    expect_error(client.post(record, other.sign(record)), 403)
    expect_error(client.post(record, me.sign(record, context="another-context")), 403)
    altered = encode_record(me, 2, int(time.time()) + 600, client.challenge())
    expect_error(client.post(altered, me.sign(record)), 403)
    lying = encode_record(me, 1, int(time.time()) + 600, client.challenge(), node_id=other.id)
    expect_error(client.post(lying, me.sign(lying)), 403)
    assert client.post(record, me.sign(record))[0] == 201


def test_expiry_must_lie_within_the_next_hour(backbone, me):
    client = backbone.client
    expect_error(client.register(me, 1, expires_in=7200), 400)
    expect_error(client.register(me, 1, expires_in=-1), 400)
    assert client.register(me, 1, expires_in=3600)[0] == 201


def test_record_is_served_until_it_expires_and_no_longer(backbone, me):
    client = backbone.client
    assert client.register(me, 1, expires_in=2, public=True, network="blue")[0] == 201
    assert client.get(f"/v1/nodes/{me.hex}")[0] == 200
    labs.wait_for(lambda: client.get(f"/v1/nodes/{me.hex}")[0] == 404, 4, "the record's end", every=0.1)
    assert client.get("/v1/nodes")[1] == client.get("/v1/networks/blue/nodes")[1] == {"nodes": []}
    assert client.get("/v1/info")[1]["nodes"] == 0


def test_malformed_bodies_are_400(backbone, me):
    client = backbone.client
    record = encode_record(me, 1, int(time.time()) + 600, client.challenge())
    signature = me.sign(record)
    for body in ("", "{", "[]", "{}", "null", '{"record":"","signature":""}', '{"record":1}', "[" * 10000, "\xff\xfe" * 100,
                 '{"record":"' + "A" * 16000 + '","signature":"AAAA"}'):
        expect_error(client.ask("POST", "/v1/nodes", body.encode("latin-1")), 400)
    for bad in (b"", b"\x00", b"\xff" * 100, record[:-1], record + b"\x00", bytes(8192), bytes(8193)):
        expect_error(client.post(bad, signature), 400)
    expect_error(client.post(record, signature[:-1]), 400)
    expect_error(client.post(record, signature + b"\x00"), 400)
    assert client.post(record, signature)[0] == 201


def test_large_bodies_are_413(backbone):
    expect_error(backbone.client.ask("POST", "/v1/nodes", bytes(32769)), 413)
    expect_error(backbone.client.ask("POST", "/v1/nodes", bytes(200000)), 413)
    # More than it is willing to read: the answer comes before the body.
    with socket.create_connection(("127.0.0.1", backbone.port), timeout=5) as connection:
        connection.sendall(b"POST /v1/nodes HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_endless_chunked_body_is_cut_off(backbone):
    chunk = b"%x\r\n%s\r\n" % (65536, bytes(65536))
    with socket.create_connection(("127.0.0.1", backbone.port), timeout=5) as connection:
        connection.sendall(b"POST /v1/nodes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(OSError):
            for _ in range(1000):
                connection.sendall(chunk)
    assert backbone.client.get("/health")[0] == 200


NO_HTTP = {
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no path": b"GET\r\n\r\n",
    "empty lines": b"\r\n\r\n\r\n",
    "zeros": b"\x00" * 4000,
    "version": b"GET / HTTP/9.9\r\n\r\n",
    "long path": b"GET /" + b"a" * 70000,
    "many headers": b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20000,
    "negative length": b"POST /v1/nodes HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nabc",
    "bad chunk": b"POST /v1/nodes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "bad escapes": b"GET /v1/nodes/%00%ff%zz HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("kind", NO_HTTP)
def test_what_is_no_http_harms_no_one(backbone, kind):
    with socket.create_connection(("127.0.0.1", backbone.port), timeout=1) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(NO_HTTP[kind])
            connection.shutdown(socket.SHUT_WR)
            connection.recv(65536)
    assert backbone.client.get("/health")[0] == 200
    assert len(backbone.log().splitlines()) == 1


MALFORMED_HEADERS = {
    "two lengths": b"Content-Length: 0\r\nContent-Length: 5\r\n",
    "the same length twice": b"Content-Length: 0\r\ncontent-length: 0\r\n",
    "control character in a name": b"X-a\x01b: c\r\n",
    "escape in a name": b"\x1b[2J: c\r\n",
    "space in a name": b"X a: b\r\n",
    "high byte in a name": b"X-\xff: b\r\n",
}


@pytest.mark.parametrize("kind", MALFORMED_HEADERS)
def test_malformed_headers_are_400(backbone, kind):
    with socket.create_connection(("127.0.0.1", backbone.port), timeout=5) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n" + MALFORMED_HEADERS[kind] + b"\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert backbone.client.get("/health")[0] == 200


# ---- rates and slow clients


def test_lookups_over_the_rate_are_429_and_others_are_not_affected(backbone):
    client = backbone.client
    with contextlib.closing(client.connect()) as connection:
        statuses = []
        for _ in range(200):
            connection.request("GET", f"/v1/nodes/{UNKNOWN}")
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
            if answer.status == 429:
                assert int(answer.headers["Retry-After"]) >= 1
    assert statuses[:100] == [404] * 100 and 429 in statuses
    assert Client(backbone.port, "127.0.0.2").get(f"/v1/nodes/{UNKNOWN}")[0] == 404
    assert client.get("/health")[0] == 200
    labs.wait_for(lambda: client.get(f"/v1/nodes/{UNKNOWN}")[0] == 404, 3, "the rate to recover")


def test_registrations_over_the_rate_are_429(backbone, me):
    client = Client(backbone.port, "127.0.0.3")
    statuses = [client.ask("POST", "/v1/nodes", "{}")[0] for _ in range(90)]
    assert statuses[:60] == [400] * 60 and statuses.count(429) >= 20
    assert backbone.client.register(me, 1)[0] == 201


def test_slow_clients_do_not_keep_others_waiting(backbone, me):
    """One source may hold 64 connections and not one more, its oldest make room; everyone else is served meanwhile."""
    slow = []
    try:
        for number in range(70):
            connection = socket.create_connection(("127.0.0.1", backbone.port), timeout=5, source_address=("127.0.0.9", 0))
            slow.append(connection)
            with contextlib.suppress(OSError):
                connection.sendall([b"G", b"POST /v1/nodes HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{\"rec"][number % 2])
        start = time.monotonic()
        assert backbone.client.register(me, 1)[0] == 201
        assert backbone.client.get(f"/v1/nodes/{me.hex}")[0] == 200
        assert time.monotonic() - start < 2 * labs.PATIENCE
        metrics = backbone.client.get("/metrics")[1]
        assert 64 <= int(re.search(r"^shadowmesh_backbone_connections (\d+)$", metrics, re.M)[1]) <= 66
    finally:
        for connection in slow:
            connection.close()


def test_many_clients_at_once_are_all_served(backbone):
    failures = []

    def visit(number):
        try:
            client = Client(backbone.port, f"127.0.{number}.1")
            for _ in range(20):
                assert client.get("/v1/info")[0] == 200
                client.challenge()
        except Exception as error:
            failures.append(error)
    threads = [threading.Thread(target=visit, args=(number,)) for number in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures


# ---- what survives


def test_restart_keeps_records(backbone, me):
    assert backbone.client.register(me, 7, public=True)[0] == 201
    before = backbone.client.get(f"/v1/nodes/{me.hex}")[1]
    backbone.restart()
    assert backbone.client.get(f"/v1/nodes/{me.hex}")[:2] == (200, before)
    assert expect_error(backbone.client.register(me, 7), 409)[1]["seq"] == 7


def test_kill_keeps_records(backbone, me, other):
    assert backbone.client.register(me, 7)[0] == 201
    assert backbone.client.register(other, 1)[0] == 201
    assert backbone.client.register(me, 8)[0] == 201
    backbone.process.kill()
    backbone.start()
    assert backbone.client.get("/v1/info")[1]["nodes"] == 2
    assert expect_error(backbone.client.register(me, 8), 409)[1]["seq"] == 8


def test_full_disk_is_503_and_one_line_and_heals(backbone, me):
    assert backbone.client.register(me, 1)[0] == 201
    size = max(path.stat().st_size for path in backbone.data.iterdir())
    resource.prlimit(backbone.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    for seq in (2, 3, 4):
        answer = expect_error(backbone.client.register(me, seq), 503)
        assert int(answer[2]["Retry-After"]) >= 1
    assert backbone.client.get(f"/v1/nodes/{me.hex}")[0] == 200
    lines = backbone.log().splitlines()
    assert len(lines) == 2 and "cannot write" in lines[1]
    resource.prlimit(backbone.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert backbone.client.register(me, 5)[0] == 201


def test_damaged_database_is_one_line_or_503_and_never_a_crash(backbone, me):
    for seq in range(1, 4):
        assert backbone.client.register(me, seq, public=True)[0] == 201
    backbone.stop()
    database = backbone.data / "backbone.db"
    whole = database.read_bytes()
    for offset in [0, 16, 28, 44, 100, 108, 200, *range(3000, len(whole), 1111)]:
        database.write_bytes(whole[:offset] + b"\xa5" * 64 + whole[offset + 64:])
        for extra in backbone.data.glob("backbone.db-*"):
            extra.unlink()
        check_damaged(backbone, me)
    for length in (1, 100, 512, 4096, len(whole) // 2):
        database.write_bytes(whole[:length])
        check_damaged(backbone, me)
    database.write_bytes(whole)
    backbone.start()
    assert backbone.client.get(f"/v1/nodes/{me.hex}")[0] == 200


def check_damaged(backbone, me):
    try:
        backbone.start()
    except AssertionError:
        assert backbone.process.wait() == 1
        assert len(backbone.log().splitlines()) == 1 and "backbone.db" in backbone.log()
        return
    for path in (f"/v1/nodes/{me.hex}", "/v1/nodes", "/v1/info", "/v1/networks/blue/nodes"):
        assert backbone.client.get(path)[0] in (200, 404, 503)
    assert backbone.client.ask("POST", "/v1/nodes", "{}")[0] == 400
    assert backbone.stop() == 0
    assert len(backbone.log().splitlines()) <= 3


# ---- the log


def registrations_told(log):
    """(lines, registrations): a line tells of one and of those that were withheld before it."""
    withheld = re.findall(r"debug registered [0-9a-f]{40} from 127\.0\.0\.1:\d+(?: \((\d+) more not shown\))?$", log, re.MULTILINE)
    return len(withheld), len(withheld) + sum(int(more or 0) for more in withheld)


def test_verbose_backbone_logs_registrations_but_not_every_one(tmp_path, me):
    own = Backbone(tmp_path, "-v").start()
    try:
        client, challenge, expiry_s = own.client, own.client.challenge(), int(time.time()) + 600
        records = [encode_record(me, seq, expiry_s, challenge) for seq in range(1, 31)]
        signatures = [me.sign(record) for record in records]
        assert [client.post(*signed)[0] for signed in zip(records, signatures)] == [201] * 30
        assert client.post(records[0], signatures[0])[0] == 409
        own.process.wait_log(rf"debug registered {me.hex} from 127\.0\.0\.1:\d+$")
        assert 10 <= registrations_told(own.log())[0] < 30
        more = iter(range(31, 60))
        labs.wait_for(lambda: client.register(me, seq := next(more))[0] == 201 and registrations_told(own.log())[1] == seq, 10,
                      "what was withheld is told")
        own.close()
    finally:
        own.process.kill()


def test_registrations_are_no_news_without_v(backbone, me):
    assert backbone.client.register(me, 1)[0] == 201
    assert len(backbone.log().splitlines()) == 1


# ---- metrics and reflection


def test_metrics_pass_promtool(backbone, me):
    client = backbone.client
    assert client.register(me, 1)[0] == 201
    client.get("/nowhere")
    status, text, headers = client.get("/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    check = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert check.returncode == 0 and not check.stderr and not check.stdout, check
    assert "\nshadowmesh_backbone_nodes 1\n" in text and "\nshadowmesh_backbone_registrations_total 1\n" in text
    assert '\nshadowmesh_backbone_http_answers_total{code="404"} 1\n' in text


@pytest.fixture
def udp(backbone):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.5", 0))
        own.connect(("127.0.0.1", backbone.port))
        own.settimeout(5)
        yield own


@pytest.mark.parametrize("request_options", [{}, {"fingerprint": False}, {"extra": b"\x80\x22\x00\x05tests\x00\x00\x00"}])
def test_stun_tells_the_senders_address(udp, request_options):
    request = stun_request(b"abcdefghijkl", **request_options)
    udp.send(request)
    answer = udp.recv(2048)
    assert stun_mapped_address(answer, b"abcdefghijkl") == udp.getsockname()
    assert len(answer) <= 2 * len(request)


def test_stun_answer_is_understood_by_scapy(udp):
    stun = pytest.importorskip("scapy.contrib.stun")
    udp.send(stun_request(b"abcdefghijkl"))
    packet = stun.STUN(udp.recv(2048))
    mapped = [a for a in packet.attributes if isinstance(a, stun.STUNXorMappedAddress)]
    assert packet.stun_message_type == 0x0101 and packet.transaction_id == int.from_bytes(b"abcdefghijkl", "big")
    assert (mapped[0].xip, mapped[0].xport) == udp.getsockname()


def test_what_is_no_binding_request_gets_no_answer(udp):
    good = stun_request(b"abcdefghijkl")
    wrong = [b"", b"\x00", good[:-1], good[:19], good + b"\x00", b"\x01\x01" + good[2:], b"\x00\x02" + good[2:], bytes(2000), b"\x20" * 100,
             good[:-1] + bytes([good[-1] ^ 1]), good[:4] + b"\x00\x00\x00\x00" + good[8:], good[:2] + b"\xff\xff" + good[4:],
             stun_request(b"abcdefghijkl", extra=b"\x00\x20\xff\xff")]
    for datagram in wrong:
        udp.send(datagram)
    udp.send(stun_request(b"last one ok!"))
    assert udp.recv(2048)[8:20] == b"last one ok!"


def test_stun_is_limited_per_source_and_others_are_served(backbone, udp):
    for _ in range(400):
        udp.send(stun_request(b"abcdefghijkl"))
    udp.settimeout(0.5)
    answers = 0
    with contextlib.suppress(TimeoutError):
        while udp.recv(2048):
            answers += 1
    assert 100 <= answers <= 250
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second:
        second.bind(("127.0.0.6", 0))
        second.connect(("127.0.0.1", backbone.port))
        second.settimeout(5)
        second.send(stun_request(b"abcdefghijkl"))
        assert second.recv(2048)
    text = backbone.client.get("/metrics")[1]
    assert int(re.search(r'stun_requests_total{outcome="rate_limited"} (\d+)', text)[1]) >= 150
