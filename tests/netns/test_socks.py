# SPDX-License-Identifier: Apache-2.0
"""The node as a SOCKS server and as a proxy of HTTP, for programs of its machine and, with a password, of its local network.

    a 198.51.100.2 ── 198.51.100.3 b, whose node has -socks or -http-proxy
      10.77.7.x            10.77.7.y     the network lab.internal
"""

import contextlib
import hashlib
import os
import socket
import struct

import lab as labs
import network
import pytest
from lab import wait_for
from test_doors import AMOUNT, PIECE, SECONDS, dial, doors, echo, serving

A, B = "198.51.100.2", "198.51.100.3"
PORT = 1080
HTTP = 3128


@pytest.fixture
def net(lab):
    """b's node as start(*flags) makes it, connected with a's."""
    a_host, b_host = lab.host("site-a"), lab.host("site-b")
    lab.link(a_host, "eth0", b_host, "eth0")
    for host, address in ((a_host, A), (b_host, B)):
        host.ip("addr", "add", f"{address}/24", "dev", "eth0")
    members = network.Network(lab, ["a!", "b"])
    a = members.node(a_host, "a")

    def start(*flags, wait=True):
        b = members.node(b_host, "b", "-connect", f"{members.ids['a']}@{A}", *flags, wait=wait)
        if wait:
            b_host.wait_ping(address, 10)
        return b
    address = members.addresses["a"][0].split("/")[0]
    return a, address, start


def passwords(lab, text="ann:s3cret\n", mode=0o600):
    path = lab.dir / "socks-words"
    path.write_text(text)
    path.chmod(mode)
    return path


def socks(host, request, greeting=b"\5\1\0", to="127.0.0.1"):
    """A client's connection, and the code that its request got."""
    client = dial(host, PORT, to)
    client.sendall(greeting)
    assert client.recv(2) == b"\5\0"
    client.sendall(request)
    return client, client.recv(10)[1]


def by_address(address, port, command=1):
    return bytes([5, command, 0, 1]) + socket.inet_aton(address) + struct.pack(">H", port)


def by_name(name, port):
    return bytes([5, 1, 0, 3, len(name)]) + name.encode() + struct.pack(">H", port)


def file(connection, _):
    """What HTTP/1.0 has to say."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
    for _ in range(AMOUNT // len(PIECE)):
        connection.sendall(PIECE)


def curl(host, url, *flags):
    return host.run("curl", "-sS", "-m", SECONDS, *flags, url, check=False)


def test_curl_fetches_from_members_by_name_and_by_address(net, lab):
    a, address, start = net
    b = start("-socks", PORT)
    digest = hashlib.sha256()
    for _ in range(AMOUNT // len(PIECE)):
        digest.update(PIECE)
    out, proxy = lab.dir / "got", f"127.0.0.1:{PORT}"
    with serving(a.host, (address, 9000), file):
        wait_for(lambda: curl(b.host, "http://a.lab.internal:9000/", "--socks5-hostname", proxy, "-o", out).returncode == 0, 20,
                 "a's name is known")
        for name in (address, "a.lab.internal", "a", "A.LAB.internal."):
            got = curl(b.host, f"http://{name}:9000/", "--socks5-hostname", proxy, "-o", out)
            assert got.returncode == 0, f"{name}: {got.stderr}"
            assert hashlib.sha256(out.read_bytes()).digest() == digest.digest()
    assert doors(b)["list"] == [{"kind": "socks", "protocol": "tcp", "at": f"127.0.0.1:{PORT}", "to": None}]


def test_a_door_leads_to_a_member_by_its_name(net):
    a, address, start = net
    b = start("-forward", "tcp:7000:a.lab.internal:9000", "-forward", "tcp:7001:nobody:9000")
    with serving(a.host, (address, 9000), echo):
        def answered():
            with contextlib.suppress(ConnectionResetError), dial(b.host, 7000) as client:
                client.sendall(b"by name")
                return client.recv(100) == b"by name"
        wait_for(answered, 20, "a's name is known")
    with pytest.raises(ConnectionResetError), dial(b.host, 7001) as client:
        client.recv(1)


def test_each_request_is_told_what_came_of_it(net):
    a, address, start = net
    b = start("-socks", PORT)
    a.host.sysctl("net.ipv4.conf.all.arp_ignore", 1)  # else it answers in the mesh for its address elsewhere, and is reached there
    with serving(a.host, (A, 9000), echo):
        for request, code in ((by_address(address, 9001), 5), (by_name("example.com", 80), 4), (by_name("a.other.internal", 80), 4),
                              (by_address("127.0.0.1", PORT), 2), (by_address("0.0.0.0", 80), 2), (by_name("127.0.0.1", PORT), 2),
                              (by_address("224.0.0.1", 80), 2), (by_address(address, 80, command=2), 7)):
            client, got = socks(b.host, request)
            with client:
                assert got == code, request
                assert client.recv(1) == b""
        client, got = socks(b.host, by_address(A, 9000))  # on the other network of this machine, not the mesh's
        client.close()
        assert got == 3
    counted = wait_for(lambda: doors(b) if doors(b)["unsupported"] else None, 10, "the counts")
    assert (counted["no_name"], counted["forbidden"], counted["unsupported"], counted["served"]) == (2, 4, 1, 0)


def test_what_is_not_the_meshs_is_reached_when_it_is_allowed(net):
    a, address, start = net
    b = start("-socks", PORT, "-socks-direct")
    b.host.hosts.write_text(f"{labs.HOSTS}{A} elsewhere.example\n127.0.0.1 here.example\n")
    with serving(a.host, (A, 9000), echo):
        for request in (by_address(A, 9000), by_name("elsewhere.example", 9000)):
            client, code = socks(b.host, request)
            with client:
                assert code == 0
                client.sendall(b"direct")
                assert client.recv(100) == b"direct"
    for request in (by_name("here.example", PORT), by_address("127.0.0.1", PORT)):
        client, code = socks(b.host, request)
        client.close()
        assert code == 2
    client, code = socks(b.host, by_name("nobody.invalid", 80))
    client.close()
    assert code == 4
    with serving(a.host, (address, 9000), echo):
        client, code = socks(b.host, by_address(address, 9000))
        client.close()
        assert code == 0


def test_beyond_this_machine_who_asks_has_to_know_the_password(net, lab):
    a, address, start = net
    b = start("-socks", f"{B}:{PORT}", "-socks-auth", passwords(lab))
    with serving(a.host, (address, 9000), echo):
        with dial(a.host, PORT, B) as client:
            client.sendall(b"\5\1\0")
            assert client.recv(2) == b"\5\xff"
        for words, right in ((b"\1\3ann\6s3cret", True), (b"\1\3ann\6s3creT", False), (b"\1\3ann\5s3cre", False), (b"\1\3bob\6s3cret", False)):
            with dial(a.host, PORT, B) as client:
                client.sendall(b"\5\2\0\2")
                assert client.recv(2) == b"\5\2"
                client.sendall(words)
                assert client.recv(2) == (b"\1\0" if right else b"\1\1")
                if right:
                    client.sendall(by_address(address, 9000))
                    assert client.recv(10)[1] == 0
                    client.sendall(b"known")
                    assert client.recv(100) == b"known"
    wait_for(lambda: doors(b)["wrong_words"] == 3, 10, "three wrong passwords")
    assert "s3cret" not in b.log() + "".join(labs.Path(f"/proc/{pid}/cmdline").read_text() for pid in b.host.pids())
    assert curl(a.host, f"http://{address}:9001/", "--socks5", f"ann:s3cret@{B}:{PORT}").returncode == 97  # told: refused


def test_password_file_that_others_read_or_that_has_none_is_refused(net, lab):
    _, _, start = net
    for text, mode, line in (("ann:s3cret\n", 0o644, "-socks-auth"), ("ann\n", 0o600, "not USER:PASSWORD"), ("ann:\n", 0o600, "its password is empty")):
        b = start("-socks", f"{B}:{PORT}", "-socks-auth", passwords(lab, text, mode), wait=False)
        assert b.process.wait(20) == 1
        assert line in b.log() and "s3cret" not in b.log()


def test_who_says_nothing_or_something_else_holds_nobody_up(net):
    a, address, start = net
    b = start("-socks", PORT)
    before = len(os.listdir(f"/proc/{labs.helpers(b.process)['shadowmesh-l2: doors']}/fd"))
    silent = [dial(b.host, PORT) for _ in range(200)]
    for client in silent[:100]:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n" if client is silent[0] else b"\5")
    with serving(a.host, (address, 9000), echo):
        client, code = socks(b.host, by_address(address, 9000) + b"and data at once")
        with client:
            assert code == 0
            assert client.recv(100) == b"and data at once"
    for client in silent:
        client.close()
    wait_for(lambda: doors(b)["malformed"] == 200 and doors(b)["half_open"] == 0, 20, "the silent ones' end")
    assert len(os.listdir(f"/proc/{labs.helpers(b.process)['shadowmesh-l2: doors']}/fd")) <= before + 2 * 32


def http(host, request, to="127.0.0.1"):
    """A client's connection, and the first line that it is answered."""
    client = dial(host, HTTP, to)
    client.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer and (more := client.recv(1)):  # what follows is not ours to take
        answer += more
    return client, answer.split(b"\r\n")[0].decode()


def test_curl_fetches_by_a_proxy_of_http(net, lab):
    a, address, start = net
    b = start("-http-proxy", HTTP)
    out, flags = lab.dir / "got", ("-p", "-x", f"http://127.0.0.1:{HTTP}")
    with serving(a.host, (address, 9000), file):
        wait_for(lambda: curl(b.host, "http://a.lab.internal:9000/", *flags, "-o", out).returncode == 0, 20, "a's name is known")
        assert out.stat().st_size == AMOUNT
        assert curl(b.host, f"http://{address}:9000/", *flags, "-o", out).returncode == 0
        client, line = http(b.host, f"CONNECT {address}:9000 HTTP/1.1\r\nHost: x\r\n\r\nGET and more".encode())
        with client:
            assert line == "HTTP/1.1 200 Connection established"
            assert client.recv(15) == b"HTTP/1.0 200 OK"
    assert doors(b)["list"] == [{"kind": "http-proxy", "protocol": "tcp", "at": f"127.0.0.1:{HTTP}", "to": None}]


def test_each_request_of_http_is_told_what_came_of_it(net):
    _, address, start = net
    b = start("-http-proxy", HTTP)
    for request, code in ((f"CONNECT {address}:9001 HTTP/1.1", 502), ("CONNECT example.com:80 HTTP/1.1", 502),
                          ("CONNECT 127.0.0.1:80 HTTP/1.1", 403), (f"GET http://{address}/ HTTP/1.1", 405),
                          ("CONNECT example.com HTTP/1.1", 400), ("hello", 400)):
        client, line = http(b.host, f"{request}\r\n\r\n".encode())
        with client:
            assert line.startswith(f"HTTP/1.1 {code} "), request
            while client.recv(1000):
                pass


def test_proxy_of_http_beyond_this_machine_wants_the_password(net, lab):
    a, address, start = net
    start("-http-proxy", f"{B}:{HTTP}", "-socks-auth", passwords(lab))
    flags = ("-p", "-x", f"http://{B}:{HTTP}", "-o", lab.dir / "got")
    with serving(a.host, (address, 9000), file):
        for user, right in (("ann:s3cret", True), ("ann:s3cre", False), ("ann:", False), (None, False)):
            got = curl(a.host, f"http://{address}:9000/", *flags, *(["-U", user] if user else []))
            assert (got.returncode == 0) == right, got.stderr
            assert right or "407" in got.stderr
