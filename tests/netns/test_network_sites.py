# SPDX-License-Identifier: Apache-2.0
"""Networks that are made, joined and used where it is hard: behind routers, and while the internet is in two parts.

    site-a ── router ───┐                       l0 (issuer) … l25 ── inet ── r0 (issuer) … r25
                        inet ─── server                            (cut)
    site-b ── router ───┘
"""

import json
import socket
import time

import lab as labs
import pytest
import routers
from test_network_join import command, end_daemons, invited, join, status

EACH = 25  # nodes that join at each issuer
CUT = """
table ip cut {{
    chain passing {{ type filter hook forward priority 0;
                     ip saddr {left} ip daddr {right} drop ; ip saddr {right} ip daddr {left} drop ; }}
}}"""


def overlay_addresses(host):
    return [address.split("/")[0] for address in status(host)["addresses"]]


@pytest.mark.parametrize("kind", ["port-restricted", "symmetric, random"])
def test_members_behind_routers_join_and_reach_each_other(lab, figure, kind):
    inet, server = routers.internet(lab)
    backbone = server.backbone()
    a, b = (routers.Site(lab, inet, f"site-{letter}", routers.KINDS[kind], net=i).host for i, letter in enumerate("ab"))
    end_daemons(lab, a, b)
    token = command(a, "up", "home", "-name", "berlin", "-backbone", backbone.url).stdout.split()[-1]
    begun = time.monotonic()
    assert "✓ berlin answers" in join(b, token, "-name", "paris").stdout
    b.wait_ping(overlay_addresses(a)[0], 10)
    figure(f"both behind a {kind} NAT: the first ping {time.monotonic() - begun:.1f} s after the join's start")
    a.wait_ping(overlay_addresses(b)[1], 10)


def ask(host):
    """The node's status by its socket: 52 nodes are asked again and again."""
    path, = (p for p in (host.dir / "run").glob("*.sock") if not p.name.endswith(".ro.sock"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as api:
        api.settimeout(5 * labs.PATIENCE)
        api.connect(str(path))
        api.sendall(b'{"cmd": "status"}\n')
        with api.makefile("rb") as answers:
            return json.loads(answers.readline())["result"]


def join_all(issuer, hosts):
    """Programs that end with each host's join."""
    token = invited(issuer, "-uses", len(hosts), "-expires", "1h")
    for host in hosts:
        (host.dir / "token").write_text(f"{token}\n")
    return [host.start("sh", "-c", f"exec {labs.program('shadowmesh')} join -name {host.name} -etc {host.dir}/etc "
                                   f"-run {host.dir}/run <{host.dir}/token", name="join") for host in hosts]


def lacks(hosts):
    """[(host, how many peers it is connected to)] of those that are not connected to all others."""
    counts = [(host.name, sum(peer["state"] == "connected" for peer in ask(host)["peers"])) for host in hosts]
    return [entry for entry in counts if entry[1] < len(hosts) - 1]


def wait_whole(hosts, seconds):
    labs.wait_for(lambda: not lacks(hosts), seconds, "each is connected to each", every=1)


@pytest.mark.long
def test_both_halves_of_a_cut_network_grow_and_are_one_when_it_is_mended(lab, figure):
    *sites, _, inet = lab.internet(sites=[f"{side}{i}" for side in "lr" for i in range(EACH + 1)])
    left, right = sites[:EACH + 1], sites[EACH + 1:]
    end_daemons(lab, *sites)
    command(left[0], "up", "home", "-name", "l0", "-ip", left[0].address)
    join(right[0], invited(left[0]), "-name", "r0", "-ip", right[0].address)
    labs.wait_for(lambda: "is an issuer" in command(left[0], "promote", "home", "r0", check=False).stdout, 10, "r0 is promoted")
    labs.wait_for(lambda: status(right[0])["network"]["issuer"], 10, "r0 is an issuer")
    inet.nft(CUT.format(**{side: f"{hosts[0].address}-{hosts[-1].address}" for side, hosts in (("left", left), ("right", right))}))
    begun = time.monotonic()
    for one in join_all(left[0], left[1:]) + join_all(right[0], right[1:]):
        assert one.wait(120) == 0, one.log()
    joined = time.monotonic() - begun
    for half in (left, right):
        wait_whole(half, 120)
    whole = time.monotonic() - begun
    addresses = [address for host in sites for address in overlay_addresses(host)]
    assert len(set(addresses)) == len(addresses) == 2 * len(sites)
    begun = time.monotonic()
    inet.run("nft", "delete", "table", "ip", "cut")
    wait_whole(sites, 300)
    figure(f"{EACH} + {EACH} join at two issuers that do not reach each other: joined after {joined:.1f} s, both halves whole after "
           f"{whole:.1f} s, all one {time.monotonic() - begun:.1f} s after the cut is mended")
    for host in (left[0], left[-1]):
        host.wait_ping(overlay_addresses(right[-1])[0], 10)
    members = json.loads(left[1].run(labs.program("shadowmesh"), "members", "-json", "-run", left[1].dir / "run").stdout)
    assert {member["name"] for member in members} == {host.name for host in sites}
