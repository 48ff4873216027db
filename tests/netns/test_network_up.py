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

import lab as labs
from network import Network


def command(host, *words, check=True, **options):
    """shadowmesh with a folder of the host's own for its networks and its sockets."""
    return host.run(labs.program("shadowmesh"), *words, "-etc", host.dir / "etc", "-run", host.dir / "run", check=check, **options)


def listed(host):
    """What `shadowmesh status --json` says of each node of the host."""
    return json.loads(host.run(labs.program("shadowmesh"), "status", "-json", "-run", host.dir / "run", check=False).stdout or "[]")


def end_daemons(lab, host):
    """A daemon is no child of the lab's."""
    def end():
        for pid in host.pids():
            os.kill(pid, signal.SIGKILL)
    lab.closers.append(end)


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


def test_a_stop_while_it_is_made_leaves_nothing_half(lab):
    site, _, _, _ = lab.internet()
    end_daemons(lab, site)
    for number in (signal.SIGINT, signal.SIGTERM):
        up = site.start(labs.program("shadowmesh"), "up", "home", "-etc", site.dir / "etc", "-run", site.dir / "run")
        labs.wait_for(lambda: (site.dir / "etc").exists() or not up.running, 10, "it has begun")
        up.send_signal(number)
        up.wait()
        made = {path.name for path in (site.dir / "etc").glob("home/*")}
        assert not made or made >= {"ca.key", "ca.pem", "node.conf", "state"}
        assert not list((site.dir / "etc").glob(".*"))
        command(site, "leave", "home", "-yes", check=False)


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
