# SPDX-License-Identifier: Apache-2.0
"""Two members that no datagram takes to each other: one whose certificate has the role relays for them, unasked.

    site-a ── nat-a ─┐
    site-b ── nat-b ─┼─ inet ── server: backbone, which relays nothing
                     └── relay
"""

import lab as labs
from network import Network
from relay_lab import host_behind


def test_member_with_the_role_relays_for_its_network(lab):
    nat_a, nat_b, relay_host, server, _ = lab.internet(sites=("nat-a", "nat-b", "relay"))
    url = server.backbone(flags=("-relay-rate", 0)).url
    net = Network(lab, ["issuer!", "r+", "a", "b"])
    relay = net.node(relay_host, "r", "-backbone", url)
    place = f"{relay.id}@{relay_host.address}"
    a = net.node(host_behind(lab, nat_a, "site-a"), "a", "-backbone", url, "-connect", place)
    b = net.node(host_behind(lab, nat_b, "site-b"), "b", "-backbone", url, "-connect", place, "-connect", a.id)
    b.host.wait_ping(net.addresses["a"][0], 15)
    labs.wait_for(lambda: (b.peer(a).get("path") or {}).get("remote") == f"{relay_host.address}:9443", 30, "r relays")
    assert relay.status()["relay"]["channels"] >= 1
    assert b.host.answers(net.addresses["a"][0])
