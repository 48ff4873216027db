# SPDX-License-Identifier: Apache-2.0
"""Joiners that lie (tests/rogue/joiner): each is refused with its line, uses nothing up, and keeps nobody else out. And an issuer
that lies (tests/rogue/false_issuer): nobody joins by it, and who tries is told why.

    site-a (issuer) ───┐
    site-b (honest) ───┤── inet
    site-c (liar) ─────┘
"""

import json
import re

import lab as labs
import pytest
from network import Network
from test_network_join import altered, command, end_daemons, invited, invites, join, status

FALSE_ISSUER = labs.program("tests/rogue/false_issuer")
JOINER = labs.program("tests/rogue/joiner")
# PROTOCOL §26: codes of refusal, and how many proofs are checked.
NO_ISSUER, UNKNOWN, USED, FORGED, LATER = "16", "17", "18", "21", "26"
PROOFS_ONCE, PROOFS_A_SECOND = 64, 16
ENDED = None
LIES = {"altered-proof": (FORGED, "the proof does not hold"), "others-proof": (FORGED, "the proof does not hold"),
        "networks-proof": (FORGED, "the proof does not hold"), "replayed-proof": (FORGED, "the proof does not hold"),
        "unasked-proof": (NO_ISSUER, "it is no issuer of this network"), "two-questions": (NO_ISSUER, "it is no issuer of this network"),
        "other-network": (NO_ISSUER, "it is no issuer of this network"),
        # Its length or its bytes are too much, whichever is read first.
        "oversized-message": (ENDED, "a malformed control message|it sends more than"),
        "noise": (ENDED, "a malformed control message"),
        "half-message": (ENDED, "it has not said within 5 s what it wants")}


@pytest.fixture
def sites(lab):
    a, b, c, _, _ = lab.internet(sites=("site-a", "site-b", "site-c"))
    end_daemons(lab, a, b)
    command(a, "up", "home", "-name", "berlin", "-ip", a.address)
    return a, b, c


def lie(issuer, liar, token, what, times=1, seconds=30):
    """What the liar says of it at its end."""
    said = liar.run(JOINER, f"{issuer.address}:{status(issuer)['control_port']}", what, times, seconds, stdin=f"{token}\n", timeout=60)
    return json.loads(said.stdout)


def log(host):
    return (host.dir / "etc/home/node.log").read_text()


def test_each_lie_is_refused_with_its_line_and_uses_nothing_up(sites):
    a, b, c = sites
    token = invited(a)
    for what, (code, line) in LIES.items():
        # Lines that strangers cause come once a second at most, so one may be withheld.
        def is_told():
            said = lie(a, c, token, what, times=2 if what == "replayed-proof" else 1)
            assert said["joined"] == 0
            assert code in said["codes"] and re.search(line, said["text"]) if code else said["ended"] == 1, (what, said)
            return re.search(line, log(a)[before:])
        before = len(log(a))
        labs.wait_for(is_told, 30, f"the issuer's line about {what}")
    assert invites(a)["invitations"][-1]["used"] == 0
    assert lie(a, c, altered(token, 40, 1), "nothing")["codes"] == {UNKNOWN: 1}
    assert lie(a, c, token, "nothing")["joined"] == 1  # the token is as good as ever, …
    assert lie(a, c, token, "nothing")["codes"] == {USED: 1}  # … once


def memory_kb(host):
    node = next(pid for pid in host.pids() if open(f"/proc/{pid}/cmdline").read().split("\0")[0].endswith("shadowmesh-l2"))
    return int(re.search(r"VmRSS:\s+(\d+) kB", open(f"/proc/{node}/status").read())[1])


def test_many_joiners_of_one_source_cost_little_and_keep_nobody_out(sites, figure):
    a, b, c = sites
    token = invited(a, "-uses", "2")
    memory, lines = memory_kb(a), log(a).count("\n")
    address = f"{a.address}:{status(a)['control_port']}"
    (c.dir / "token").write_text(f"{token}\n")
    many = [c.start("sh", "-c", f"exec {JOINER} {address} {what} 100000 4 <{c.dir}/token", name=what) for what in ("many", "altered-proof")]
    joined = join(b, token, "-name", "paris")
    assert "✓ berlin answers" in joined.stdout
    grown = memory_kb(a) - memory
    for liar in many:
        assert liar.wait(60) == 0, liar.log()
    held, forged = (json.loads(liar.log()) for liar in many)
    checked, later = forged["codes"].get(FORGED, 0), forged["codes"].get(LATER, 0)
    figure(f"{held['dialled'] + forged['dialled']} connections of one source in 4 s: {held['held']} channels that only asked, {checked} proofs "
           f"checked, {later} put off, {grown} kB more, {log(a).count(chr(10)) - lines} lines")
    assert held["held"] > 0 and checked + later > 0
    assert checked <= PROOFS_ONCE + PROOFS_A_SECOND * 30
    assert grown < 32 * 1024 * labs.PATIENCE
    assert log(a).count("\n") - lines < 100
    assert [i["used"] for i in invites(a)["invitations"]] == [1]


# What stands in the joiner's log; "refuses": it asks no more, and `join` ends with these words.
FALSE = {"other-network": ("its network's certificate is of another network or issuer", "refuses"),
         "other-issuer": ("its issuer's certificate is of another network or issuer", "refuses"),
         "no-issuers-certificate": ("its issuer's certificate", "refuses"),
         "others-certificate": ("our new certificate is for another key than the peer has", "refuses"),
         "oversized-message": ("a malformed control message", "retries"), "noise": ("a malformed control message", "retries"),
         "flood": ("it says more on its control connection than any node has to", "retries"),
         "half-message": ("no answer within 5 s", "retries")}


def test_nobody_joins_by_an_issuer_that_lies(lab):
    _, b, c, _, _ = lab.internet(sites=("site-a", "site-b", "site-c"))
    end_daemons(lab, b)
    mine, others = Network(lab, ["a!"]), Network(lab, ["x!"], name="other", range="10.77.8.0/24")
    for what, (line, then) in FALSE.items():
        issuer = c.start(FALSE_ISSUER, mine.keydir("a"), others.keydir("x"), f"{c.address}:8443", what, name=what)
        issuer.wait_log("^sm1:")
        (b.dir / "token").write_text(issuer.log().splitlines()[0] + "\n")
        joining = b.start("sh", "-c", f"exec {labs.program('shadowmesh')} join -name paris -etc {b.dir}/etc -run {b.dir}/run <{b.dir}/token",
                          name=f"join-{what}")
        labs.wait_for(lambda: (b.dir / "etc/lab/node.log").exists() and line in (b.dir / "etc/lab/node.log").read_text(), 30,
                      f"the joiner's line about {what}")
        if then == "refuses":
            assert joining.wait(10) == 1 and f"✗ the issuer: {line}" in joining.log(), joining.log()
        labs.wait_for(lambda: line in status(b)["network"]["text"], 20, f"the status' words about {what}")
        assert status(b)["network"]["state"] == ("refused" if then == "refuses" else "joining")
        assert not (b.dir / "etc/lab/state/member.pem").exists()
        joining.kill()
        issuer.kill()
        command(b, "leave", "lab", "-yes")
