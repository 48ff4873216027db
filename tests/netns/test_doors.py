# SPDX-License-Identifier: Apache-2.0
"""Doors: ports for programs that know nothing of the mesh.

    site-a 198.51.100.2 ── 198.51.100.3 site-b
      10.10.10.4                10.10.10.3
      mesh:8000 ─▶ localhost:9000     127.0.0.1:7000 ─▶ 10.10.10.4:8000
                                      127.0.0.1:7001 ─▶ 10.10.10.4:9001
"""

import contextlib
import hashlib
import os
import re
import signal
import socket
import threading

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY, wait_for
from test_rootless import rootless_pair

AMOUNT = int(os.environ.get("SHADOWMESH_DOORS_MIB", "64")) << 20
PIECE = bytes(range(256)) * 1024
TITLE = "shadowmesh-l2: doors"
SECONDS = 20 * labs.PATIENCE


@pytest.fixture
def pair(lab):
    a_host, b_host = lab.host("site-a"), lab.host("site-b")
    lab.link(a_host, "eth0", b_host, "eth0")
    for host, address in ((a_host, "198.51.100.2/24"), (b_host, "198.51.100.3/24")):
        host.ip("addr", "add", address, "dev", "eth0")
    a = a_host.node("-tap-ip", A_OVERLAY, "-public", "-listen", "tcp:8000:localhost:9000")
    b = b_host.node("-tap-ip", B_OVERLAY, "-connect", f"{a.id}@198.51.100.2", "-forward", f"tcp:7000:{A_OVERLAY}:8000",
                    "-forward", f"tcp:127.0.0.1:7001:{A_OVERLAY}:9001")
    b_host.wait_ping(A_OVERLAY, 10)
    return a, b


@contextlib.contextmanager
def serving(host, at, serve):
    """A server in the host's namespace: serve(connection, peer's address) for each connection, in a thread of its own."""
    listener = host.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(at)
    listener.listen(2000)

    def one(connection, peer):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(SECONDS)
            serve(connection, peer)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=one, args=listener.accept(), daemon=True).start()
    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def dial(host, port, to="127.0.0.1"):
    connection = host.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.settimeout(SECONDS)
    connection.connect((to, port))
    return connection


def echo(connection, _):
    while data := connection.recv(65536):
        connection.sendall(data)


def digest_of(connection):
    """What comes, to its end."""
    digest, length = hashlib.sha256(), 0
    while data := connection.recv(1 << 18):
        digest.update(data)
        length += len(data)
    return digest.digest(), length


def send_amount(connection):
    digest = hashlib.sha256()
    for _ in range(AMOUNT // len(PIECE)):
        connection.sendall(PIECE)
        digest.update(PIECE)
    return digest.digest()


def doors(node):
    return node.status()["doors"]


def files(node):
    return len(os.listdir(f"/proc/{labs.helpers(node.process)[TITLE]}/fd"))


def test_both_ways_are_whole_and_one_may_end_before_the_other(pair):
    """Through both doors: B's to the mesh, and A's from it."""
    a, b = pair
    seen = []

    def serve(connection, peer):
        digest, length = digest_of(connection)  # to the end of one direction …
        seen.append((peer[0], length))
        connection.sendall(digest + send_amount(connection))  # … then the other one, its own digests last

    with serving(a.host, ("127.0.0.1", 9000), serve), dial(b.host, 7000) as client:
        sent = send_amount(client)
        client.shutdown(socket.SHUT_WR)
        digest, tail = hashlib.sha256(), b""
        while data := client.recv(1 << 18):
            tail += data
            digest.update(tail[:-64])
            tail = tail[-64:]
        assert tail == sent + digest.digest()
    assert seen == [("127.0.0.1", AMOUNT)]
    for node in pair:
        wait_for(lambda node=node: (doors(node)["served"], doors(node)["open"]) == (1, 0), 10, "its count")
        counted = doors(node)
        both = (counted["bytes_to_mesh"], counted["bytes_from_mesh"])
        assert both == ((AMOUNT, AMOUNT + 64) if node is b else (AMOUNT + 64, AMOUNT))
        assert (counted["served"], counted["half_open"], counted["unreachable"], counted["full"]) == (1, 0, 0, 0)
    assert doors(a)["list"] == [{"kind": "listen", "protocol": "tcp", "at": "mesh:8000", "to": "localhost:9000"}]
    assert doors(b)["list"][0] == {"kind": "forward", "protocol": "tcp", "at": "127.0.0.1:7000", "to": f"{A_OVERLAY}:8000"}
    assert "doors" in b.host.run(labs.program("shadowmesh"), "status", "-run", b.run_dir).stdout


def test_what_breaks_is_no_end(pair):
    """Nobody listens behind the door; a server resets. An end would be taken for all that there was."""
    a, b = pair
    with pytest.raises(ConnectionResetError), dial(b.host, 7001) as client:
        client.recv(1)
    wait_for(lambda: doors(b)["unreachable"] == 1, 10, "the refusal's count")

    def reset(connection, _):
        connection.sendall(b"some")
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with serving(a.host, (A_OVERLAY, 9001), reset), dial(b.host, 7001) as client:
        assert client.recv(4) == b"some"
        client.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_only_the_mesh_reaches_a_port_of_the_mesh(pair):
    a, b = pair
    with serving(a.host, ("127.0.0.1", 9000), echo), dial(b.host, 8000, A_OVERLAY) as client:
        client.sendall(b"by the mesh")
        assert client.recv(100) == b"by the mesh"
        with pytest.raises(ConnectionRefusedError):
            dial(b.host, 8000, "198.51.100.2")
        with pytest.raises(ConnectionRefusedError):
            dial(a.host, 8000)


def test_many_connections_at_once_have_places_and_leave_nothing(pair, figure):
    a, b = pair
    with serving(a.host, (A_OVERLAY, 9001), echo):
        dial(b.host, 7001).close()  # spare pipes are there from here on
        wait_for(lambda: doors(b)["served"] == 1 and doors(b)["open"] == 0, 10, "the first one's end")
        before = files(b)
        clients = [dial(b.host, 7001) for _ in range(1000)]
        for client in clients:
            client.sendall(b"a")
        assert {client.recv(1) for client in clients} == {b"a"}
        wait_for(lambda: doors(b)["open"] == 1000, 10, "a thousand open connections")
        assert files(b) <= before + 2 * 1000 + 2 * 32  # none has a pipe while nothing moves
        for _ in range(30):
            with contextlib.suppress(ConnectionResetError):  # those beyond, perhaps before they know that they are connected
                clients.append(dial(b.host, 7001))
        wait_for(lambda: doors(b)["open"] == 1024 and doors(b)["full"] == 6, 10, "all places taken, and no more")
        for client in clients:
            client.close()
        wait_for(lambda: doors(b)["open"] == 0, 20, "the end of all")
        assert files(b) <= before + 2 * 32
    figure(f"doors: 1,000 connections at once; {before} files before them, {files(b)} after")


def test_a_slow_reader_holds_little_and_nobody_up(pair):
    a, b = pair
    done = threading.Event()

    def flood(connection, _):
        with contextlib.suppress(TimeoutError):
            while not done.is_set():
                connection.sendall(PIECE)

    with serving(a.host, (A_OVERLAY, 9001), flood), dial(b.host, 7001) as slow, dial(b.host, 7001) as fast:
        assert slow.recv(1)
        got = 0
        while got < 32 << 20:
            got += len(fast.recv(1 << 18))
        done.set()


def test_process_that_dies_is_followed_by_another(pair):
    a, b = pair
    with serving(a.host, (A_OVERLAY, 9001), echo):
        with dial(b.host, 7001) as client:
            client.sendall(b"a")
            assert client.recv(1) == b"a"
            first = labs.helpers(b.process)[TITLE]
            os.kill(first, signal.SIGKILL)
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
        with dial(b.host, 7001) as client:  # it waits in the queue
            client.sendall(b"b")
            assert client.recv(1) == b"b"
    assert labs.helpers(b.process)[TITLE] != first
    assert re.search(r"doors: their process ended \(signal 9", b.log())


def test_doors_end_with_the_node(pair):
    a, b = pair
    with serving(a.host, (A_OVERLAY, 9001), echo), dial(b.host, 7001) as client:
        client.sendall(b"a")
        assert client.recv(1) == b"a"
        assert b.stop() == 0
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        dial(b.host, 7001)
    a.kill()
    a.start()  # its port is free again
    assert doors(a)["list"]


def test_port_that_is_taken_is_told(lab):
    host = lab.host("site-a")
    taken = host.socket(socket.AF_INET, socket.SOCK_STREAM)
    taken.bind(("127.0.0.1", 7000))
    for flags, line in ((["-forward", f"tcp:7000:{B_OVERLAY}:80"], "-forward: 127.0.0.1:7000: in use by another program"),
                        (["-listen", "tcp:7000:localhost:80"], "-listen: port 7000 of the mesh: in use by another program")):
        node = host.node("-tap-ip", A_OVERLAY, *flags, start=False)
        node.start(wait=False)
        assert node.process.wait(20) == 1
        assert line in node.log()


def test_a_node_without_root_has_doors_into_its_own_namespace(lab):
    """Its mesh is where this machine has no device: sockets come from the broker."""
    a, b = rootless_pair(lab, "-forward", f"tcp:7001:{A_OVERLAY}:9001", "-listen", "tcp:80:localhost:9000", "-socks", 1080)
    with serving(a.host, (A_OVERLAY, 9001), echo), serving(b.host, ("127.0.0.1", 9000), echo):
        def forwarded():
            with contextlib.suppress(ConnectionResetError), dial(b.host, 7001) as client:
                client.sendall(b"into it")
                return client.recv(100) == b"into it"
        wait_for(forwarded, 20, "b's door into the mesh")
        with dial(a.host, 80, B_OVERLAY) as client:
            client.sendall(b"out of it")
            assert client.recv(100) == b"out of it"
        with pytest.raises(ConnectionRefusedError):
            dial(b.host, 80)
        with dial(b.host, 1080) as client:
            client.sendall(b"\5\1\0" + b"\5\1\0\1" + socket.inet_aton(A_OVERLAY) + (9001).to_bytes(2, "big") + b"by socks")
            assert client.recv(2) == b"\5\0"
            assert client.recv(10)[:2] == b"\5\0"
            assert client.recv(100) == b"by socks"
        os.kill(labs.helpers(b.process)[TITLE], signal.SIGKILL)
        with dial(a.host, 80, B_OVERLAY) as client:
            client.sendall(b"again")
            assert client.recv(100) == b"again"
    assert b.stop() == 0


def test_datagrams_find_their_way_there_and_back(pair):
    a, b = pair
    b.stop()
    b.flags += ["-forward", f"udp:7002:{A_OVERLAY}:9002"]
    b.start()
    b.host.wait_ping(A_OVERLAY, 10)
    with a.host.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(b.host.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(3)]
        server.settimeout(SECONDS)
        server.bind((A_OVERLAY, 9002))
        for number, client in enumerate(clients):
            client.settimeout(SECONDS)
            client.connect(("127.0.0.1", 7002))
            client.send(bytes([number]) * 8000)
        seen = [server.recvfrom(65535) for _ in clients]
        for data, source in reversed(seen):
            server.sendto(data[:100], source)
        assert len({source for _, source in seen}) == 3
        assert [client.recv(65535) for client in clients] == [bytes([number]) * 100 for number in range(3)]
    counted = wait_for(lambda: doors(b) if doors(b)["bytes_from_mesh"] else None, 10, "the counts")
    assert (counted["open"], counted["bytes_to_mesh"], counted["bytes_from_mesh"]) == (3, 24000, 300)
    assert doors(b)["list"][2] == {"kind": "forward", "protocol": "udp", "at": "127.0.0.1:7002", "to": f"{A_OVERLAY}:9002"}
