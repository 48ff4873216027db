# SPDX-License-Identifier: Apache-2.0
"""Networks from the commands that make and end them, and members that meet by their certificates alone.

    site-a ───┐
              inet ─── server (backbone)
    site-b ───┘
"""

import json
import os
import re
import signal
import time

import lab as labs
from network import Network


def command(host, *words, check=True, **options):
    """shadowmesh with a folder of the host's own for its networks and its sockets."""
    return host.run(labs.program("shadowmesh"), *words, "-etc", host.dir / "etc", "-run", host.dir / "run", check=check, **options)


def listed(host):
    """What `shadowmesh status --json` says of each node of the host."""
    return json.loads(host.run(labs.program("shadowmesh"), "status", "-json", "-run", host.dir / "run", check=False).stdout or "[]")


def signal_all(pids, number):
    for pid in pids:
        os.kill(pid, number)


def end_daemons(lab, host):
    """A daemon is no child of the lab's."""
    lab.closers.append(lambda: signal_all(host.pids(), signal.SIGKILL))


def test_up_makes_a_network_whose_node_answers_and_down_ends_it(lab):
    site, _, server, _ = lab.internet()
    end_daemons(lab, site)
    backbone = server.backbone()
    said = command(site, "up", "home", "-name", "berlin", "-backbone", backbone.url).stdout
    address = re.search(r"address +(10\.\d+\.\d+\.1), of", said)[1]
    assert site.run("ping", "-c", "1", address).returncode == 0
    node, = listed(site)
    assert (node["name"], node["device"]) == ("berlin", "sm-home")
    assert (node["network"]["name"], node["network"]["state"], node["network"]["issuer"]) == ("home", "member", True)
    assert [entry.split("/")[0] for entry in node["addresses"]][0] == address
    assert "fd" in node["addresses"][1]
    assert re.fullmatch(r"shadowmesh join sm1:[A-Za-z0-9_-]+", said.splitlines()[-1])
    assert "runs already" in command(site, "up", "home").stdout
    assert "stopped" in command(site, "down", "home").stdout
    assert not site.exists("sm-home") and not site.pids()
    assert "did not run" in command(site, "down", "home").stdout
    command(site, "up", "home")
    again, = listed(site)
    assert (again["id"], again["addresses"]) == (node["id"], node["addresses"])
    command(site, "leave", "home", "-yes")
    assert not site.pids() and not list((site.dir / "etc").iterdir())


def test_two_networks_run_beside_each_other(lab):
    site, _, _, _ = lab.internet()
    end_daemons(lab, site)
    command(site, "up", "home")
    command(site, "up", "work")
    nodes = {node["network"]["name"]: node for node in listed(site)}
    assert {name: node["device"] for name, node in nodes.items()} == {"home": "sm-home", "work": "sm-work"}
    assert nodes["home"]["port"] != nodes["work"]["port"]
    assert nodes["home"]["addresses"][0] != nodes["work"]["addresses"][0]
    command(site, "down", "home")
    assert [node["network"]["name"] for node in listed(site)] == ["work"]
    command(site, "down", "work")


def test_range_overlaps_nothing_of_this_machine(lab):
    site, _, _, _ = lab.internet()
    end_daemons(lab, site)
    for second in range(256):
        if second != 77:
            site.ip("route", "add", "blackhole", f"10.{second}.0.0/16", "table", "52")
    said = command(site, "up", "home").stdout
    assert re.search(r"of 10\.77\.\d+\.0/24", said)
    command(site, "down", "home")


def begun(host):
    """What is there of networks, half or whole."""
    return (host.dir / "etc").exists() and any((host.dir / "etc").iterdir())


def test_a_stop_while_it_is_made_leaves_nothing_half(lab):
    site, _, _, _ = lab.internet()
    end_daemons(lab, site)
    for number in (signal.SIGINT, signal.SIGTERM):
        up = site.start(labs.program("shadowmesh"), "up", "home", "-etc", site.dir / "etc", "-run", site.dir / "run")
        labs.wait_for(lambda: begun(site) or not up.running, 10, "it has begun")
        up.send_signal(number)
        up.wait()
        made = {path.name for path in (site.dir / "etc").glob("home/*")}
        assert not made or made >= {"ca.key", "ca.pem", "node.conf", "state"}
        assert not list((site.dir / "etc").glob(".*"))
        command(site, "leave", "home", "-yes", check=bool(made))


def test_leave_waits_for_a_node_that_does_not_answer_yet(lab):
    site, _, _, _ = lab.internet()
    end_daemons(lab, site)
    log = site.dir / "etc" / "home" / "node.log"
    words = ("-etc", site.dir / "etc", "-run", site.dir / "run")
    up = site.start(labs.program("shadowmesh"), "up", "home", *words)
    labs.wait_for(lambda: log.exists() and log.stat().st_size, 20, "its node has read what it needs", every=0.001)
    node = set(site.pids()) - {up.pid}  # and its helpers
    signal_all(node, signal.SIGSTOP)
    up.send_signal(signal.SIGTERM)
    up.wait()
    leave = site.start(labs.program("shadowmesh"), "leave", "home", "-yes", *words, name="leave")
    time.sleep(1.5)  # longer than one question waits for an answer
    signal_all(node, signal.SIGCONT)
    assert leave.wait() == 0
    assert not site.pids() and not begun(site)


def test_members_meet_by_their_certificates(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    net = Network(lab, ["a!", "b"])
    a = net.node(a_host, "a", "-backbone", backbone.url)
    net.node(b_host, "b", "-backbone", backbone.url, "-connect", a.id)
    b_host.wait_ping(net.addresses["a"][0], 10)
    b_host.wait_ping(net.addresses["a"][1], 10)
    assert {peer["name"] for peer in a.status()["peers"]} == {"b"}


def test_member_of_another_network_is_refused(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    net, other = Network(lab, ["a!"]), Network(lab, ["b!"], name="other", range="10.77.8.0/24")
    a = net.node(a_host, "a", "-backbone", backbone.url)
    b = other.node(b_host, "b", "-backbone", backbone.url, "-connect", a.id)
    labs.wait_for(lambda: b.peer(a).get("state") == "refused", 15, "it is refused")
    assert not a.status()["peers"]


def join(host, token, *words, check=True):
    """By standard input, as the README has it."""
    return command(host, "join", *words, stdin=f"{token}\n", check=check)


def invited(host, *words):
    return command(host, "invite", "home", "-quiet", *words).stdout.strip()


def address_of(host):
    return listed(host)[0]["addresses"][0].split("/")[0]


def test_join_tells_each_step_and_the_first_ping_answers(lab, figure):
    a, b, server, _ = lab.internet()
    end_daemons(lab, a)
    end_daemons(lab, b)
    backbone = server.backbone()
    token = command(a, "up", "home", "-name", "berlin", "-backbone", backbone.url).stdout.split()[-1]
    begun = time.monotonic()
    said = join(b, token, "-name", "paris").stdout.splitlines()
    assert [line[0] for line in said] == ["✓"] * 5
    assert "joined home as paris: 10." in said[3] and said[4].startswith("✓ berlin answers")
    assert b.ping(address_of(a), count=1).lost == 0
    figure(f"the first ping {time.monotonic() - begun:.1f} s after the join's start")
    keydir = b.dir / "etc/home/state"
    assert not (keydir / "join.token").exists() and (keydir / "member.pem").exists()
    command(b, "down", "home")
    command(b, "up", "home")  # by its certificate from now on
    assert listed(b)[0]["network"]["state"] == "member" and listed(b)[0]["name"] == "paris"


def test_join_without_a_backbone_goes_straight_to_the_issuer(lab):
    a, b, _, _ = lab.internet()
    end_daemons(lab, a)
    end_daemons(lab, b)
    command(a, "up", "home", "-name", "berlin", "-ip", a.address)
    said = join(b, invited(a)).stdout
    assert "✓ berlin answers" in said
    assert b.ping(address_of(a), count=1).lost == 0


def test_refused_join_says_why_and_gives_way_to_another_token(lab):
    a, b, server, _ = lab.internet()
    end_daemons(lab, a)
    end_daemons(lab, b)
    backbone = server.backbone()
    command(a, "up", "home", "-name", "berlin", "-backbone", backbone.url)
    token = invited(a)
    number = json.loads(command(a, "invites", "home", "-json").stdout)["invitations"][-1]["number"]
    command(a, "invite", "home", "-revoke", number)
    refused = join(b, token, check=False)
    assert refused.returncode == 1 and "✗ the token was revoked" in refused.stdout
    assert listed(b)[0]["network"]["state"] == "refused"
    taken = join(b, invited(a), "-name", "berlin", check=False)
    assert taken.returncode == 1 and "✗ another member has this name" in taken.stdout
    assert "✓ berlin answers" in join(b, invited(a), "-name", "paris").stdout
    assert "already" in join(b, invited(a), check=False).stderr


def test_nodes_of_one_host_name_join_all_the_same(lab):
    """The namespaces of a lab have one: who was given no name gets another one where it is taken."""
    a, b, server, _ = lab.internet()
    end_daemons(lab, a)
    end_daemons(lab, b)
    backbone = server.backbone()
    command(a, "up", "home", "-backbone", backbone.url)
    join(b, invited(a))
    (first,), (second,) = listed(a), listed(b)
    assert second["name"] == f"{first['name']}-{second['id'][:4]}"


def seen_by_others(hosts):
    """What any user reads of their processes, and what stands in logs."""
    processes = [labs.Path("/proc") / str(pid) / name for host in hosts for pid in host.pids() for name in ("cmdline", "environ")]
    return b"\0".join(path.read_bytes() for path in [*processes, *(path for host in hosts for path in host.dir.rglob("*.log"))])


def test_token_of_the_command_line_is_not_seen_by_others(lab):
    a, b, server, _ = lab.internet()
    end_daemons(lab, a)
    end_daemons(lab, b)
    backbone = server.backbone()
    command(a, "up", "home", "-backbone", backbone.url)
    token = invited(a)
    command(a, "down", "home")  # so that it waits
    joining = b.start(labs.program("shadowmesh"), "join", token, "-etc", b.dir / "etc", "-run", b.dir / "run")
    joining.wait_log("the node runs")
    seen = seen_by_others([b])
    assert b"shadowmesh" in seen and b"joining" in seen and token[8:40].encode() not in seen
    command(a, "up", "home")
    joining.wait_log("answers", 40)


def test_promoted_member_lets_others_in_also_when_the_first_issuer_is_gone(lab):
    a, b, c, d, server, _ = lab.internet(sites=("site-a", "site-b", "site-c", "site-d"))
    for site in (a, b, c, d):
        end_daemons(lab, site)
    backbone = server.backbone()
    token = command(a, "up", "home", "-name", "berlin", "-backbone", backbone.url).stdout.split()[-1]
    join(b, token, "-name", "paris")
    assert "no issuer" in command(b, "invite", "home", check=False).stderr
    said = labs.wait_for(lambda: command(a, "promote", "home", "paris", check=False).stdout, 10, "it is in the roster")
    assert re.search(r"paris is an issuer, and gives addresses of 10\.\d+\.\d+\.128/26", said)
    labs.wait_for(lambda: listed(b)[0]["network"]["issuer"], 10, "it has its certificate")
    assert "ca.key is not there" in command(b, "promote", "home", "berlin", check=False).stderr
    assert "berlin answers" in join(c, invited(b), "-name", "rome").stdout.replace("paris", "berlin")
    assert address_of(c).endswith(".129")
    c.wait_ping(address_of(a), 15)
    command(a, "down", "home")
    assert "paris answers" in join(d, invited(b), "-name", "oslo").stdout.replace("rome", "paris")
    d.wait_ping(address_of(c), 15)
    assert "is shut out" in b.run(labs.program("shadowmesh"), "revoke", "oslo", "-run", b.dir / "run").stdout
    labs.wait_for(lambda: address_of(d) not in [a for peer in listed(c)[0]["peers"] for a in peer["addresses"]], 10, "oslo's end at rome")
    assert not d.answers(address_of(c))
    command(b, "down", "home")
    command(b, "up", "home")
    assert listed(b)[0]["network"]["issuer"]
    secrets = [token, *(path.read_text() for host in (b, c, d) for path in host.dir.glob("etc/home/state/*.key"))]
    lines = {line for text in secrets for line in text.splitlines() if len(line) > 40 and "-----" not in line}
    seen = seen_by_others((a, b, c, d))
    assert len(lines) > 4 and b"shadowmesh" in seen and not [line for line in lines if line[8:40].encode() in seen]


def test_who_leaves_is_told_of_and_its_name_is_free(lab):
    a, b, c, server, _ = lab.internet(sites=("site-a", "site-b", "site-c"))
    for site in (a, b, c):
        end_daemons(lab, site)
    backbone = server.backbone()
    command(a, "up", "home", "-name", "berlin", "-backbone", backbone.url)
    for site, name in ((b, "paris"), (c, "rome")):
        join(site, invited(a), "-name", name)
    c.wait_ping(address_of(b), 15)
    address = address_of(b)
    assert "berlin was told" in command(b, "leave", "home", "-yes").stdout
    assert "paris (" in (a.dir / "etc/home/node.log").read_text() and not list((b.dir / "etc").iterdir())
    labs.wait_for(lambda: [peer["name"] for peer in listed(c)[0]["peers"]] == ["berlin"], 10, "paris is gone at rome")
    join(b, invited(a), "-name", "paris")
    assert address_of(b) == address
    command(a, "down", "home")
    labs.wait_for(lambda: "berlin" not in [p["name"] for p in listed(c)[0]["peers"] if p["state"] == "connected"], 15, "berlin is off")
    assert "no issuer is connected" in command(c, "leave", "home", "-yes").stdout
    command(b, "down", "home")
    assert "does not run" in command(b, "leave", "home", "-yes").stdout


def test_joins_at_once_get_names_and_addresses_of_their_own(lab):
    *sites, server, _ = lab.internet(sites=[f"site-{letter}" for letter in "abcdef"])
    for site in sites:
        end_daemons(lab, site)
    backbone = server.backbone()
    first, *others = sites
    command(first, "up", "home", "-backbone", backbone.url)
    token = invited(first, "-uses", len(others))
    joins = [site.start(labs.program("shadowmesh"), "join", token, "-etc", site.dir / "etc", "-run", site.dir / "run", name="join")
             for site in others]
    for join_ in joins:
        assert join_.wait(60) == 0, join_.log()
    nodes = [listed(site)[0] for site in sites]
    assert len({node["name"] for node in nodes}) == len({node["addresses"][0] for node in nodes}) == len(sites)
    for site in others[1:]:
        site.wait_ping(address_of(others[0]), 20)
