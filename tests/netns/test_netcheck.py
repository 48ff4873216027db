# SPDX-License-Identifier: Apache-2.0
"""What a node and `shadowmesh netcheck` find out about the NAT in front of them, and that any STUN server will do.

    site 192.168.1.2 ──── router of a kind ──── inet ──── server 203.0.113.2 and .3: coturn, and a backbone at .2
"""

import json
import re
import time

import lab as labs
import pytest
import routers
from routers import KINDS

STUN, STUN_OTHER = "203.0.113.2", "203.0.113.3"
INDEPENDENT, BY_ADDRESS, BY_PORT = "endpoint-independent", "address-dependent", "address-and-port-dependent"


def start_coturn(server, *more):
    turn = server.start("turnserver", "-n", "--stun-only", "--no-cli", "--no-tls", "--no-dtls", "-L", STUN, "-L", STUN_OTHER,
                        "--listening-port", 3478, "--pidfile", server.dir / "turn.pid", "--log-file", "stdout", *more,
                        name="turnserver")
    labs.wait_for(lambda: server.run("ss", "-Hlnu", "sport = :3478", echo=False).stdout.count(":3478") >= 2, 5,
                  "turnserver listens")
    return turn


def netcheck(host, *flags, code=0):
    """What it prints as JSON, and the seconds that it took."""
    begun = time.monotonic()
    done = host.run(labs.program("shadowmesh"), "netcheck", "--json", *flags, check=False)
    assert done.returncode == code, f"{done.stdout} {done.stderr}"
    results = json.loads(done.stdout)
    assert len(results) == 1
    return results[0], time.monotonic() - begun


def stun_only_node(host, *flags):
    return host.node("-stun", STUN, "-stun", STUN_OTHER, "-tap-ip", "10.10.10.4", "-public", *flags)


def nat_of(node, family="ipv4"):
    return node.status()["nat"][family]


@pytest.mark.parametrize("kind, mapping, ports, filtering, hairpin", [
    ("none", "none", "kept", INDEPENDENT, None),
    pytest.param("full cone", INDEPENDENT, "kept", INDEPENDENT, False, marks=pytest.mark.long),
    pytest.param("address-restricted", INDEPENDENT, "kept", BY_ADDRESS, False, marks=pytest.mark.long),
    ("port-restricted", INDEPENDENT, "kept", BY_PORT, False),
    pytest.param("double NAT", INDEPENDENT, "kept", BY_PORT, False, marks=pytest.mark.long),
    ("symmetric, random", BY_PORT, "random", BY_PORT, False),
    ("symmetric, sequential", BY_PORT, "sequential", BY_PORT, False),
])
def test_verdict_is_right_for_each_kind_of_router(lab, kind, mapping, ports, filtering, hairpin):
    inet, server = routers.internet(lab)
    site = routers.Site(lab, inet, "site", KINDS[kind])
    start_coturn(server)
    result, took = netcheck(site.host, "-stun", STUN, "-stun", STUN_OTHER)
    nat = result["ipv4"]["nat"]
    assert (nat["mapping"], nat["ports"], nat["filtering"], nat["hairpin"]) == (mapping, ports, filtering, hairpin)
    assert result["udp"] and result["ipv4"]["path_size"] == 1472 and not result["ipv6"]["address"]
    assert took < 5
    # The node comes to the same by its own port; some seconds later it knows the filtering, too.
    node = stun_only_node(site.host)
    labs.wait_for(lambda: nat_of(node)["mapping"] != "unknown", 10, "the node knows its NAT")
    dependent = "address-dependent or address-and-port-dependent"
    assert nat_of(node)["mapping"] == (dependent if mapping == BY_PORT else mapping)
    assert nat_of(node)["ports"] == ports
    labs.wait_for(lambda: nat_of(node)["filtering"] == filtering and nat_of(node)["hairpin"] == hairpin, 20,
                  "the node knows whom its NAT lets in")
    text = site.host.run(labs.program("shadowmesh"), "status", "-run", node.run_dir).stdout
    assert re.search(r"NAT +(none: addresses are not translated|\S+-(in)?dependent.* mapping, ports " + ports + ")", text)


def test_stun_servers_alone_give_reflexive_candidates(lab):
    """Two sites without a backbone: each is seen by coturn, and B reaches A at what A was told."""
    inet, server = routers.internet(lab)
    site = routers.Site(lab, inet, "site", KINDS["full cone"])
    start_coturn(server)
    node = stun_only_node(site.host)
    labs.wait_for(lambda: node.status()["reflexive"] == f"{site.wan}:9443", 10, "the node is seen")
    observed = {(o["server"], o["address"]) for o in nat_of(node)["observed"]}
    labs.wait_for(lambda: len(nat_of(node)["observed"]) == 2, 10, "both servers see it")
    observed = {(o["server"], o["address"]) for o in nat_of(node)["observed"]}
    assert observed == {(f"{STUN}:3478", f"{site.wan}:9443"), (f"{STUN_OTHER}:3478", f"{site.wan}:9443")}


def test_ipv6_alone_is_enough(lab):
    inet, server = routers.internet(lab)
    site = routers.Site(lab, inet, "site", KINDS["port-restricted"], "IPv6")
    start_coturn(server, "-L", f"{routers.SERVER6}::2")
    backbone = server.backbone()
    url = routers.backbone_url("IPv6", server)
    host = f"[{routers.SERVER6}::2]"
    result, took = netcheck(site.host, "-backbone", url, "-stun", host)
    assert result["udp"] and result["ipv6"]["udp"] and not result["ipv4"]["udp"] and took < 5
    assert result["ipv6"]["nat"]["mapping"] == "none" and result["ipv6"]["path_size"] == 1452
    assert result["backbones"][0]["reachable"] and result["backbones"][0]["ipv6"]["rtt_us"] > 0
    assert backbone.get("/health")
    node = site.host.node("-stun", host, "-tap-ip", "10.10.10.4", "-public")
    labs.wait_for(lambda: node.status()["reflexive"] == f"[{site.host.address6}]:9443", 10, "the node is seen over IPv6")


@pytest.mark.parametrize("kind, udp, reached", [
    ("UDP blocked", False, True),
    ("backbone's port alone", False, True),
    ("HTTP proxy alone", False, True),
    ("nothing", False, False),
])
def test_check_is_quick_where_much_is_blocked(lab, kind, udp, reached):
    inet, server = routers.internet(lab)
    site = routers.Site(lab, inet, "site", KINDS["HTTP proxy alone" if kind == "nothing" else kind])
    server.backbone()
    start_coturn(server)
    flags = () if kind == "nothing" else site.flags
    result, took = netcheck(site.host, "-backbone", routers.backbone_url("IPv4", server), "-stun", STUN, *flags, code=1)
    assert took < 5
    assert result["udp"] == udp and result["backbones"][0]["reachable"] == reached
    assert (result["proxy"] is not None) == bool(flags)
    assert reached or result["backbones"][0]["error"]


def test_running_node_is_asked_as_it_is(lab):
    inet, server = routers.internet(lab)
    site = routers.Site(lab, inet, "site", KINDS["port-restricted"])
    backbone = server.backbone()
    start_coturn(server)
    node = site.host.node("-backbone", backbone.url, "-stun", STUN_OTHER, "-tap-ip", "10.10.10.4", "-public")
    result, took = netcheck(site.host, "-run", node.run_dir)
    assert result["node"] == node.id and took < 5
    assert result["backbones"][0]["url"] == backbone.url and result["backbones"][0]["reachable"]
    assert result["backbones"][0]["ipv4"]["rtt_us"] > 0 and result["ipv4"]["nat"]["mapping"] == INDEPENDENT
    text = site.host.run(labs.program("shadowmesh"), "netcheck", "-run", node.run_dir).stdout
    for line in (r"^  UDP +gets out$", r"^  NAT +endpoint-independent mapping, ports kept", r"^  proxy +none$",
                 r"^  backbone +http://203.0.113.2:8080: .* over HTTP, .* over UDP$", r"^  means +good:"):
        assert re.search(line, text, re.MULTILINE), text
    assert node.process.running


def test_without_node_or_server_the_remedy_is_told(lab):
    host = lab.host("lonely")
    done = host.run(labs.program("shadowmesh"), "netcheck", "-run", host.dir / "none", check=False)
    assert done.returncode == 3 and "give -backbone URL or -stun HOST" in done.stderr
    done = host.run(labs.program("shadowmesh"), "netcheck", "-stun", "no host", check=False)
    assert done.returncode == 2 and "-stun" in done.stderr


@pytest.mark.parametrize("flags", [("-n", "alice"), ("-run", "/tmp")])
def test_choice_of_a_node_beside_servers_is_refused(lab, flags):
    done = lab.host("lonely").run(labs.program("shadowmesh"), "netcheck", "-stun", STUN, *flags, check=False)
    assert done.returncode == 2 and "leave -n and -run away" in done.stderr


@pytest.mark.parametrize("kind", ["full cone", "symmetric, random"])
def test_coturns_own_program_comes_to_the_same_mapping(lab, kind):
    inet, server = routers.internet(lab)
    site = routers.Site(lab, inet, "site", KINDS[kind])
    start_coturn(server)
    told = site.host.run("turnutils_natdiscovery", "-m", STUN, timeout=60, check=False)
    theirs = re.search(r"NAT with (.*) Mapping", told.stdout + told.stderr)[1]
    result, _ = netcheck(site.host, "-stun", STUN)
    ours = result["ipv4"]["nat"]["mapping"]
    assert theirs.lower().replace(" ", "-") == ours
