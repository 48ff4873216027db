# SPDX-License-Identifier: Apache-2.0
"""Whom a node admits and dials, changed while it runs: shadowmesh allow, disallow, connect, disconnect.

    site-b ──── internet ──── site-a
"""

import json
import os
import re

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY

STRANGER = "5" * 40


@pytest.fixture
def pair(lab):
    """Two nodes that know nothing of each other."""
    a_host, b_host, *_ = lab.internet()
    a = a_host.node("-tap-ip", A_OVERLAY, "-tap-netmask", 24)
    b = b_host.node("-tap-ip", B_OVERLAY, "-tap-netmask", 24)
    return a, b


def change(node, verb, *words, code=0):
    result = node.host.run(labs.program("shadowmesh"), verb, *words, "-run", node.run_dir, check=False)
    assert result.returncode == code, result.stderr
    assert result.stderr.count("\n") == (1 if code else 0)
    return result.stderr if code else result.stdout


def connect_them(a, b):
    change(a, "allow", b.id)
    change(b, "connect", f"{a.id}@{a.host.address}")
    b.host.wait_ping(A_OVERLAY, 10)


def test_two_running_nodes_are_joined_and_parted(pair):
    a, b = pair
    connect_them(a, b)
    asked = len(b.log())
    said = change(a, "disallow", b.id)
    assert said == f"disallow {b.id}: done; no flag names it\n"
    b.process.wait_log("disconnected: it admits us no longer", since=asked)
    b.process.wait_log("refused us: your id was taken off my lists")
    a.process.wait_log("disconnected: it is admitted no longer")
    a.process.wait_log(f"{b.id[:10]}.*refused, at .*disallowed here")
    labs.wait_for(lambda: b.peer(a)["state"] == "refused", 5, "the refusal in b's status")
    assert "taken off" in b.peer(a)["error"] and a.peer(b)["state"] == "disallowed"
    assert not b.host.answers(A_OVERLAY)
    change(a, "allow", b.id)
    b.host.wait_ping(A_OVERLAY, 30)


def test_disconnected_peer_is_left_alone_until_it_is_connected_again(pair):
    a, b = pair
    connect_them(a, b)
    assert change(b, "disconnect", a.id) == f"disconnect {a.id}: done; no -connect names it\n"
    a.process.wait_log("disconnected: it was told to disconnect")
    b.process.wait_log("disconnected: disconnected on request")
    assert b.status()["peers"] == []
    assert "this node does not dial it" in change(b, "disconnect", a.id, code=1)
    change(b, "connect", f"{a.id}@{a.host.address}")
    b.host.wait_ping(A_OVERLAY, 10)


def test_change_is_logged_with_who_made_it_and_how_it_lasts(pair):
    a, b = pair
    said = change(a, "allow", b.id)
    assert said == f"allow {b.id}: done until the node stops; -allow {b.id} makes it last\n"
    line = a.process.wait_log(f"allow {b.id}: by user ").string
    assert re.search(rf"allow {b.id}: by user {os.geteuid()}, process \d+; until this node stops: -allow {b.id} makes it last", line)
    assert change(b, "connect", f"{a.id}@{a.host.address}:8443").endswith(f"-connect {a.id}@HOST[:PORT] makes it last\n")
    answers = json.loads(change(a, "disallow", b.id, STRANGER, "--json"))
    assert [(answer["id"], answer["lasting"]) for answer in answers] == [(b.id, True), (STRANGER, True)]


def test_what_the_flags_say_lasts_and_what_contradicts_them_does_not(lab):
    host, *_ = lab.internet(("site-a",))
    node = host.node("-tap-ip", A_OVERLAY, "-allow", STRANGER, "-connect", f"{'6' * 40}@192.0.2.1")
    assert change(node, "allow", STRANGER) == f"allow {STRANGER}: done; -allow {STRANGER} is among its flags\n"
    assert "until the node stops; take its -allow and -connect out" in change(node, "disallow", STRANGER)
    assert change(node, "connect", f"{'6' * 40}@192.0.2.1").endswith("done; it is among its -connect flags\n")
    assert "until the node stops; take its -connect out" in change(node, "disconnect", "6" * 40)


def test_a_public_node_may_disallow_one(lab):
    a_host, b_host, *_ = lab.internet()
    a = a_host.node("-tap-ip", A_OVERLAY, "-tap-netmask", 24, "-public")
    b = b_host.node("-tap-ip", B_OVERLAY, "-tap-netmask", 24, "-connect", f"{a.id}@{a_host.address}")
    b_host.wait_ping(A_OVERLAY, 10)
    assert "until the node stops; -public admits all" in change(a, "disallow", b.id)
    b.process.wait_log("refused us")
    assert not b_host.answers(A_OVERLAY)


def test_peer_is_dialled_by_a_name_given_while_running(lab):
    """The machine knows no name when the node starts."""
    a_host, b_host, *_ = lab.internet()
    a = a_host.node("-tap-ip", A_OVERLAY, "-tap-netmask", 24, "-public")
    b = b_host.node("-tap-ip", B_OVERLAY, "-tap-netmask", 24, start=False)
    hosts = b_host.dir / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    b.process = b_host.start("unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts, *b.command(),
                             name=b.label)
    b.wait_ready()
    change(b, "connect", f"{a.id}@site-a.example")
    b.process.wait_log("-connect site-a.example: the name cannot be looked up")
    hosts.write_text(f"127.0.0.1 localhost\n{a_host.address} site-a.example\n")
    b_host.wait_ping(A_OVERLAY, 30)
    b.process.wait_log("-connect site-a.example: the name is found")
    change(b, "disconnect", a.id)
    assert b.status()["peers"] == []
    assert b.stop() == 0


@pytest.mark.parametrize("verb,word,code,words", [
    ("allow", "abc", 2, "no node id: give all 40 hex digits"),
    ("disallow", STRANGER[1:] + "g", 2, "no node id"),
    ("allow", STRANGER + "@192.0.2.1", 2, "only connect takes a host"),
    ("connect", STRANGER + "@", 1, "no host after the '@'"),
    ("connect", STRANGER + "@192.0.2.1:0", 1, "port"),
    ("connect", STRANGER + "@a b", 1, "host"),
    ("disconnect", STRANGER, 1, "this node does not dial it"),
])
def test_wrong_change_is_one_line_and_changes_nothing(lab, verb, word, code, words):
    host, *_ = lab.internet(("site-a",))
    node = host.node("-tap-ip", A_OVERLAY)
    assert words in change(node, verb, word, code=code)
    for own in ("allow", "disallow"):
        assert "that id is this node's own" in change(node, own, node.id, code=1)
    assert node.status()["peers"] == [] and ": by user" not in node.log()


def test_several_nodes_are_in_doubt_and_none_is_said(lab):
    host, *_ = lab.internet(("site-a",))
    assert "no node runs here" in host.run(labs.program("shadowmesh"), "allow", STRANGER, "-run", host.dir / "run", check=False).stderr
    one = host.node("-tap-ip", A_OVERLAY, "-tap", "tap0", "-name", "one")
    two = host.node("-tap-ip", "10.9.9.1", "-tap", "tap1", "-name", "two", "-port", 9543, "-control-port", 8543, label="two",
                    start=False)
    assert two.id  # its key is made before the first one's answer could be taken for its own
    two.start()
    assert "2 nodes run here: choose one with -n NAME" in change(one, "allow", STRANGER, code=1)
    change(one, "allow", STRANGER, "-n", "two")
    assert ": by user" not in one.log()
