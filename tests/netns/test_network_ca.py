# SPDX-License-Identifier: Apache-2.0
"""A network's CA, whose key lies on a stick: issuers go on without it, and only it shuts one out.

    berlin (made it) ──┐
    paris (issuer) ────┼──── internet
    oslo ──────────────┘
"""

import json
import re

import lab as labs
from network import Network
from test_network_up import command, end_daemons

PHRASE = "correct horse battery staple"


def local(host, *words):
    return host.run(labs.program("shadowmesh"), *words, "-run", host.dir / "run", check=False)


def listed(host):
    return {member["name"]: member for member in json.loads(local(host, "members", "-json").stdout or "[]")}


def join(issuer, host, name, check=True):
    token = command(issuer, "invite", "home", "-quiet").stdout.strip()
    return command(host, "join", "-name", name, stdin=f"{token}\n", timeout=60, check=check)


def made(lab, *hosts):
    """A network of the first host, which the second one, an issuer, joins, and then others."""
    for host in hosts:
        end_daemons(lab, host)
    berlin, paris, *_ = hosts
    command(berlin, "up", "home", "-name", "berlin", "-ip", berlin.address)
    join(berlin, paris, "paris")
    labs.wait_for(lambda: command(berlin, "promote", "home", "paris", check=False).returncode == 0, 10, "it is in the roster")
    labs.wait_for(lambda: "issuer" in listed(paris).get("paris", {}).get("roles", []), 10, "paris is an issuer")


def test_key_is_kept_elsewhere_and_revokes_an_issuer_from_there(lab):
    berlin, paris, oslo, *_ = lab.internet(sites=("site-a", "site-b", "site-c"))
    made(lab, berlin, paris, oslo)
    copy = berlin.dir / "stick.key"
    said = command(berlin, "ca", "export", "home", copy, stdin=f"{PHRASE}\n")
    assert PHRASE not in said.stdout + said.stderr and "ENCRYPTED" in copy.read_text()
    command(berlin, "ca", "remove", "home", "-ca", copy, stdin=f"{PHRASE}\n")
    assert not (berlin.dir / "etc/home/ca.key").exists()
    assert "berlin answers" in join(berlin, oslo, "oslo").stdout.replace("paris", "berlin")  # issuers go on
    labs.wait_for(lambda: listed(oslo).get("paris", {}).get("state") == "connected", 20, "a session with paris")
    assert "only the network's CA" in local(berlin, "revoke", "paris").stderr
    assert "-ca FILE" in command(berlin, "ca", "revoke", "home", "paris", check=False).stderr
    assert "does not open" in command(berlin, "ca", "revoke", "home", "paris", "-ca", copy, stdin="wrong one\n", check=False).stderr
    assert "this node itself" in command(berlin, "ca", "revoke", "home", "berlin", "-ca", copy, stdin=f"{PHRASE}\n", check=False).stderr
    said = command(berlin, "ca", "revoke", "home", "paris", "-ca", copy, stdin=f"{PHRASE}\n").stdout
    assert "revoked by the CA" in said
    for host in (berlin, oslo):
        labs.wait_for(lambda: "paris" not in listed(host), 5, "paris's end")
    log = berlin.dir / "etc/home/node.log"
    labs.wait_for(lambda: "its key was revoked" in log.read_text(), 5, "the end of its session")
    assert not berlin.answers(listed(paris)["paris"]["addresses"][0])
    assert PHRASE not in log.read_text()
    labs.wait_for(lambda: "your key was revoked" in (paris.dir / "etc/home/node.log").read_text(), 10, "paris hears of it")


def ca_renew(net, node):
    """The command line, at a node's host, which has the CA's key then."""
    folder = node.host.dir / "etc" / net.name
    folder.mkdir(parents=True)
    for name in ("ca.key", "ca.pem"):
        (folder / name).write_bytes((net.dir / name).read_bytes())
        (folder / name).chmod(0o600)
    return [labs.program("shadowmesh"), "ca", "renew", net.name, "-etc", folder.parent, "-run", node.run_dir]


def test_issuers_are_certified_anew_while_they_run(lab):
    a_host, b_host, *_ = lab.internet()
    net = Network(lab, ["a!", "b!"], age=10 * 86400)
    a = net.node(a_host, "a")
    b = net.node(b_host, "b", "-connect", f"{a.id}@{a_host.address}")
    b_host.wait_ping(net.addresses["a"][0], 10)
    words = ca_renew(net, a)
    labs.wait_for(lambda: re.findall("^([ab]) is not due", a_host.run(*words).stdout, re.M) in (["a", "b"], ["b", "a"]), 10, "b's roster at a")
    before = (net.keydir("b") / "own-issuer.pem").read_bytes()
    stream = b_host.ping_stream(net.addresses["a"][0])
    assert re.search("^b is an issuer until", a_host.run(*words, "b").stdout, re.M)
    b.process.wait_log("a new certificate as an issuer", 10)
    assert (net.keydir("b") / "own-issuer.pem").read_bytes() != before
    assert stream.stop().received > 0 and stream.lost() == []
    assert "no issuer has that name" in a_host.run(*words, "c", check=False).stderr
