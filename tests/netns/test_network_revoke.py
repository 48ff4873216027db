# SPDX-License-Identifier: Apache-2.0
"""Who is revoked is shut out by every member, at once or as soon as it is back.

    a (issuer) ──┐
    b ───────────┼──── internet
    c ───────────┘
"""

import json
import os
import re
import signal
import time

import lab as labs
import pytest
from network import Network


@pytest.fixture
def members(lab):
    a_host, b_host, c_host, *_ = lab.internet()
    net = Network(lab, ["a!", "b", "c"])
    a = net.node(a_host, "a")
    b = net.node(b_host, "b", "-connect", f"{a.id}@{a_host.address}")
    c = net.node(c_host, "c", "-connect", f"{a.id}@{a_host.address}", "-connect", f"{b.id}@{b_host.address}")
    for host, member in ((b_host, "a"), (c_host, "a"), (c_host, "b")):
        host.wait_ping(net.addresses[member][0], 20)
    return net, a, b, c


def revoke(node, *words, code=0):
    result = node.host.run(labs.program("shadowmesh"), "revoke", *words, "-run", node.run_dir, check=False)
    assert result.returncode == code, result.stderr
    return result.stderr if code else result.stdout


def wait_shut_out(node, other):
    labs.wait_for(lambda: node.peer(other).get("state") not in ("connected", "no path"), 5, "the session's end")


def test_revoked_member_is_shut_out_at_once_and_after_a_start(members):
    net, a, b, c = members
    assert "this node is no issuer: do it at one, which is" in revoke(b, c.id, code=1)
    assert "no member has that name" in revoke(a, "nobody", code=1)
    assert "that is this node itself" in revoke(a, a.id, code=1)
    assert c.id in revoke(a, c.id)
    for node in (a, b):
        wait_shut_out(node, c)
        node.process.wait_log("disconnected: its key was revoked")
    assert "revoked already" in revoke(a, c.id, code=1)
    c.process.wait_log("your key was revoked")
    assert not c.host.answers(net.addresses["b"][0])
    labs.wait_for(lambda: list((net.keydir("b") / "lists").glob("revocations-*")), 10, "b's lists on disk")
    a.stop()
    b.stop()
    b.start()
    b.process.wait_log(f"{c.id[:10]}.*refused.*its key was revoked", 30)
    assert not c.host.answers(net.addresses["b"][0])


def test_sessions_end_at_all_of_ten_and_at_who_was_off(lab, figure):
    names = "abcdefghij"
    *hosts, server, _ = lab.internet(sites=[f"site-{name}" for name in names])
    backbone = server.backbone()
    net = Network(lab, ["a!", *names[1:]])
    nodes = {name: net.node(host, name, "-backbone", backbone.url, start=False) for name, host in zip(names, hosts)}
    for number, name in enumerate(names):
        nodes[name].flags += [word for other in names[:number] for word in ("-connect", nodes[other].id)]
        nodes[name].start()
    revoked, off = nodes["j"], nodes.pop("i")
    others = [node for name, node in nodes.items() if name != "j"]
    for node in (off, *others):
        labs.wait_for(lambda node=node: node.peer(revoked).get("state") == "connected", 30, "a session with who will be revoked")
    off.stop()
    began = time.monotonic()
    revoke(nodes["a"], revoked.id)
    for node in others:
        wait_shut_out(node, revoked)
    figure(f"sessions with a revoked member ended at {len(others)} others within {time.monotonic() - began:.1f} s")
    off.start()
    off.process.wait_log(f"{revoked.id[:10]}.*its key was revoked", 30)
    wait_shut_out(off, revoked)
    assert not revoked.host.answers(net.addresses["i"][0])


def shadowmesh(host, *words, **options):
    return host.run(labs.program("shadowmesh"), *words, "-run", host.dir / "run", **options).stdout


def listed(host):
    return {member["name"]: member for member in json.loads(shadowmesh(host, "members", "-json"))}


def join(issuer, host, name):
    etc = ("-etc", host.dir / "etc")
    token = shadowmesh(issuer, "invite", "home", "-quiet", "-etc", issuer.dir / "etc").strip()
    shadowmesh(host, "join", "-name", name, *etc, stdin=token + "\n", timeout=60)


def test_members_meet_by_the_roster_and_one_is_revoked_by_name(lab):
    berlin, paris, oslo, *_ = lab.internet()
    lab.closers.append(lambda: [os.kill(pid, signal.SIGKILL) for host in (berlin, paris, oslo) for pid in host.pids()])
    shadowmesh(berlin, "up", "home", "-name", "berlin", "-ip", berlin.address, "-etc", berlin.dir / "etc")
    join(berlin, paris, "paris")
    join(berlin, oslo, "oslo")
    labs.wait_for(lambda: listed(paris).get("oslo", {}).get("state") == "connected", 20, "a session of two members")
    assert [member["roles"] for member in listed(oslo).values()].count(["issuer"]) == 1
    paris.wait_ping(listed(paris)["oslo"]["addresses"][0], 10)
    table = shadowmesh(paris, "members")
    assert re.search(r"^berlin .* issuer +\d+ .* ago +in \d+ d .* now +direct .* \d+\.\d+", table, re.M) and "this node" in table
    address = listed(paris)["oslo"]["addresses"][0]
    assert "is shut out" in shadowmesh(berlin, "revoke", "oslo")
    labs.wait_for(lambda: "oslo" not in listed(paris), 5, "oslo's end at paris")
    assert not paris.answers(address)
    log = shadowmesh(berlin, "log", "home", "-etc", berlin.dir / "etc")
    for change, who in (("joined", "paris .* berlin, token"), ("joined", "oslo"), ("revoked", "oslo .* berlin, user 0")):
        assert re.search(rf"^20\d\d-\S+ \S+ +{change} +{who}", log, re.M), log
    peers = {peer["id"]: peer for peer in json.loads(shadowmesh(paris, "peers", "-json"))}
    assert len(peers) == 1
