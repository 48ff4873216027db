# SPDX-License-Identifier: Apache-2.0
"""Names of members on each member's machine: in /etc/hosts, and by a name server that serves this machine alone.

    a ──┐
        inet ─── server (backbone)
    b ──┘
"""

import os
import signal
import socket
import struct
from pathlib import Path

import pytest

from lab import HOSTS, PATIENCE, wait_for
from test_network_up import command, end_daemons, listed


def question(name, kind):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", kind, 1)


def ask(host, server, name, kind=1):
    """The answer of a name server: its code, and the data of its first record."""
    with host.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(3 * PATIENCE)
        asker.connect((server, 53))
        asker.send(question(name, kind))
        answer = asker.recv(512)
    count, = struct.unpack_from(">H", answer, 6)
    return answer[3] & 15, answer[len(question(name, kind)) + 12:] if count else None


@pytest.fixture
def pair(lab):
    """A network's founder and who came by its token, with the addresses that they have there."""
    a, b, server, _ = lab.internet()
    backbone = server.backbone()
    for host in (a, b):
        end_daemons(lab, host)
    command(a, "up", "home", "-name", "a", "-backbone", backbone.url)
    command(b, "join", "-name", "b", stdin=command(a, "invite", "home", "-quiet").stdout)
    return [(host, listed(host)[0]["addresses"][0].split("/")[0]) for host in (a, b)]


def test_members_have_names_on_each_member_until_its_node_is_gone(pair):
    for host, _ in pair:
        wait_for(lambda: "b.home.internal" in host.hosts.read_text(), 20, "b's name is known")
        for name, (_, address) in zip("ab", pair):
            assert host.run("getent", "ahostsv4", f"{name}.home.internal").stdout.split()[0] == address
        assert listed(host)[0]["network"]["names"] == {"mode": "hosts", "text": ""}
    (a, _), (b, _) = pair
    command(a, "down", "home")
    wait_for(lambda: a.hosts.read_text() == HOSTS, 10, "the file is as before")
    node, = (pid for pid in b.pids() if Path(f"/proc/{pid}/comm").read_text() == "shadowmesh-l2\n")
    os.kill(node, signal.SIGKILL)
    wait_for(lambda: b.hosts.read_text() == HOSTS, 10, "the file is as before, after a killed node, too")


def test_name_server_answers_this_machine_alone(pair):
    (_, a), (host, own) = pair
    wait_for(lambda: "a.home.internal" in host.hosts.read_text(), 20, "a's name is known")
    assert ask(host, own, "A.Home.internal") == (0, socket.inet_aton(a))
    code, name = ask(host, own, ".".join(reversed(a.split("."))) + ".in-addr.arpa", 12)
    assert code == 0 and name.startswith(b"\x01a\x04home")
    assert ask(host, own, "nobody.home.internal") == (3, None)
    assert ask(host, own, "example.com") == (5, None)
    assert host.run("ping", "-c", "1", "-W", "5", a).returncode == 0
    with pytest.raises(OSError):
        ask(host, a, "a.home.internal")
