# SPDX-License-Identifier: Apache-2.0
"""Tokens: who has one joins, once; who has none, a used, an expired, an altered or a revoked one is told so.

    site-a (issuer) ───┐
                       inet ─── server (backbone)
    site-b (joins) ────┘
"""

import base64
import hashlib
import json
import os
import re
import signal
import time

import lab as labs


def command(host, *words, check=True, **options):
    """shadowmesh with a folder of the host's own for its networks and its sockets."""
    return host.run(labs.program("shadowmesh"), *words, "-etc", host.dir / "etc", "-run", host.dir / "run", check=check, **options)


def end_daemons(lab, *hosts):
    """A daemon is no child of the lab's."""
    def end():
        for host in hosts:
            for pid in host.pids():
                os.kill(pid, signal.SIGKILL)
    lab.closers.append(end)


def invites(host):
    """But for the token that `up` printed."""
    listed = json.loads(command(host, "invites", "home", "-json").stdout)
    return {**listed, "invitations": listed["invitations"][1:]}


def test_tokens_are_made_listed_and_revoked(lab):
    site, _, server, _ = lab.internet()
    end_daemons(lab, site)
    backbone = server.backbone()
    command(site, "up", "home", "-name", "berlin", "-backbone", backbone.url)
    line = command(site, "invite", "home", "-expires", "2h").stdout
    token = re.fullmatch(r"shadowmesh join (sm1:[A-Za-z0-9_-]+)\n", line)[1]
    quiet = command(site, "invite", "home", "-quiet", "-name", "paris", "-role", "relay", "-approve").stdout
    assert re.fullmatch(r"sm1:[A-Za-z0-9_-]+\n", quiet) and quiet.strip() != token
    first, second = invites(site)["invitations"]
    assert (first["uses"], first["used"], first["state"], first["expires"] - first["made"]) == (1, 0, "open", 7200)
    assert (second["name"], second["roles"], second["approve"]) == ("paris", ["relay"], True)
    command(site, "invite", "home", "-revoke", first["number"])
    assert [i["state"] for i in invites(site)["invitations"]] == ["revoked", "open"]
    assert "paris" in command(site, "invites", "home").stdout
    for wrong, words in [("no name", ["-name", "Paris"]), ("for one node", ["-name", "a", "-uses", "2"]),
                         ("no such role", ["-role", "king"]), ("no time such as", ["-expires", "2x"]), ("90d", ["-expires", "91d"]), ("there is no token", ["-revoke", "00000000"])]:
        assert wrong in command(site, "invite", "home", *words, check=False).stderr
    drawn = command(site, "invite", "home", "-qr").stdout.splitlines()
    assert drawn[0].startswith("shadowmesh join sm1:") and len(drawn) > 20 and set(drawn[1]) == {"█"}
    assert "nobody waits" in command(site, "approve", "home", "madrid", check=False).stderr
    command(site, "down", "home")  # what stands in its file is there again
    command(site, "up", "home")
    assert [i["state"] for i in invites(site)["invitations"]] == ["revoked", "open", "open"]
    told = (site.dir / "etc" / "home" / "state" / "ledger").read_bytes()
    for log in site.dir.rglob("*.log"):
        told += log.read_bytes()
    assert token[4:60].encode() not in told and b"sm1:" not in told


def join(host, token, *words, check=True):
    """By standard input, as the README has it."""
    return command(host, "join", *words, stdin=f"{token}\n", check=check)


def invited(host, *words):
    return command(host, "invite", "home", "-quiet", *words).stdout.strip()


def status(host):
    node, = json.loads(host.run(labs.program("shadowmesh"), "status", "-json", "-run", host.dir / "run").stdout)
    return node


def altered(token, at, bit):
    """The token with one bit of its bytes another, and the right check for that: as by a hand that knows how."""
    data = bytearray(base64.urlsafe_b64decode(token[4:] + "=" * (-len(token[4:]) % 4)))
    data[at] ^= bit
    data[-4:] = hashlib.sha384(data[:-4]).digest()[:4]
    return "sm1:" + base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_who_has_no_good_token_is_told_why_at_both_sides(lab):
    a, b, server, _ = lab.internet()
    end_daemons(lab, a, b)
    backbone = server.backbone()
    command(a, "up", "home", "-name", "berlin", "-backbone", backbone.url)
    used, good, late = invited(a), invited(a, "-expires", "1d"), invited(a, "-expires", "1s")
    expired = time.time() + 2  # in whole seconds, as tokens are
    revoked = invited(a)
    number = invites(a)["invitations"][-1]["number"]
    command(a, "invite", "home", "-revoke", number)
    join(b, used, "-name", "paris")
    command(b, "leave", "home", "-yes")
    for token, why in [(used, "the token was used already"), (late, "the token has expired"),
                       (revoked, "the token was revoked"), (altered(good, 40, 1), "it did not make this token"),
                       (altered(good, 0, 1), "it is no issuer of this network")]:
        if token == late:
            time.sleep(max(0, expired - time.time()))
        refused = join(b, token, "-name", "madrid", check=False)
        assert refused.returncode == 1 and f"✗ {why}" in refused.stdout, refused.stdout
        assert status(b)["network"]["state"] == "refused" and why in status(b)["network"]["text"]
        assert why in (b.dir / "etc/home/node.log").read_text()
    assert "it asked for a certificate, and was told: the token was used" in (a.dir / "etc/home/node.log").read_text()
    cut = join(b, good[:-2], check=False)
    assert cut.returncode != 0 and "cut" in cut.stderr
    assert status(a)["network"]["issued"] == {"joined": 1, "renewed": 0, "refused": 4}
    assert "✓ berlin answers" in join(b, good, "-name", "madrid").stdout
    assert {i["used"] for i in invites(a)["invitations"]} == {0, 1}


def test_who_joins_waits_until_a_person_lets_it_in(lab):
    a, b, server, _ = lab.internet()
    end_daemons(lab, a, b)
    backbone = server.backbone()
    command(a, "up", "home", "-name", "berlin", "-backbone", backbone.url)
    token = invited(a, "-approve")
    (b.dir / "token").write_text(f"{token}\n")
    joining = b.start("sh", "-c", f"{labs.program('shadowmesh')} join -name paris -etc {b.dir}/etc -run {b.dir}/run <{b.dir}/token")
    joining.wait_log("it waits for a person")
    waiting, = invites(a)["waiting"]
    assert (waiting["name"], waiting["approved"]) == ("paris", False)
    assert "paris" in command(a, "invites", "home").stdout
    assert status(b)["network"]["step"] == "approval"
    command(a, "approve", "home", "paris")
    joining.wait_log("berlin answers", 30)
    assert invites(a)["waiting"] == []


def test_several_join_by_one_token_and_meet_each_other(lab, figure):
    sites = [f"site-{i}" for i in range(4)]
    a, *others, server, _ = lab.internet(sites)
    end_daemons(lab, a, *others)
    backbone = server.backbone()
    command(a, "up", "home", "-name", "berlin", "-backbone", backbone.url)
    token = invited(a, "-uses", str(len(others)))
    begun = time.monotonic()
    for i, host in enumerate(others):  # all at once
        (host.dir / "token").write_text(f"{token}\n")
        host.joining = host.start("sh", "-c", f"{labs.program('shadowmesh')} join -name m{i} -etc {host.dir}/etc "
                                              f"-run {host.dir}/run <{host.dir}/token")
    for host in others:
        host.joining.wait_log("berlin answers", 40)
    addresses = [status(host)["addresses"][0].split("/")[0] for host in (a, *others)]
    assert len(set(addresses)) == len(addresses)
    for host in others:
        for address in addresses:
            host.wait_ping(address, 30)
    figure(f"{len(others)} nodes join at once, and each reaches each: {time.monotonic() - begun:.1f} s")
    assert invites(a)["invitations"][0]["state"] == "used"
