# SPDX-License-Identifier: Apache-2.0
"""Tokens: who has one joins, once; who has none, a used, an expired, an altered or a revoked one is told so.

    site-a (issuer) ───┐
                       inet ─── server (backbone)
    site-b (joins) ────┘
"""

import json
import os
import re
import signal

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
    return json.loads(command(host, "invites", "home", "-json").stdout)


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
                         ("no such role", ["-role", "king"]), ("there is no token", ["-revoke", "00000000"])]:
        assert wrong in command(site, "invite", "home", *words, check=False).stderr
    assert "nobody waits" in command(site, "approve", "home", "madrid", check=False).stderr
    command(site, "down", "home")  # what stands in its file is there again
    command(site, "up", "home")
    assert [i["state"] for i in invites(site)["invitations"]] == ["revoked", "open"]
    told = (site.dir / "etc" / "home" / "state" / "ledger").read_bytes()
    for log in site.dir.rglob("*.log"):
        told += log.read_bytes()
    assert token[4:60].encode() not in told and b"sm1:" not in told
