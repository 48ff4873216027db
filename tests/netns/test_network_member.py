# SPDX-License-Identifier: Apache-2.0
"""Members of a network, whose certificates are there from the start: they exchange frames with each other and with nobody else,
and no longer than their certificates hold.

    site-a ───┐
    site-b ───┼─ inet ─── server (backbone)
    site-c ───┘
"""

import time

import pytest

from lab import wait_for
from network import Network

SITES = ("site-a", "site-b", "site-c")


def test_three_members_of_two_issuers_meet_without_any_list_at_who_is_dialled(lab):
    *hosts, server, _ = lab.internet(SITES)
    backbone = server.backbone()
    net = Network(lab, ["a!", "b!", "c@b"])
    a = net.node(hosts[0], "a", "-backbone", backbone.url)
    b = net.node(hosts[1], "b", "-backbone", backbone.url, "-connect", a.id)
    net.node(hosts[2], "c", "-backbone", backbone.url, "-connect", a.id, "-connect", b.id)
    for host in hosts:
        for member in "abc":
            host.wait_ping(net.addresses[member][0], 15)
    for node, peers in ((a, "bc"), (b, "ac")):  # b named a, whose certificate is looked at all the same
        of = {peer["name"]: peer["certificate"] for peer in node.status()["peers"] if "certificate" in peer}
        assert sorted(of) == list(peers)
        assert of["c"]["issuer"] == b.id
        assert of["c"]["not_after"] > time.time() + 29 * 86400


def test_stranger_is_refused_and_told_why(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    net = Network(lab, ["a!"])
    a = net.node(a_host, "a", "-backbone", backbone.url)
    stranger = b_host.node("-backbone", backbone.url, "-connect", a.id, "-tap-ip", "10.77.7.200/24")
    stranger.process.wait_log("refused.*it is for members of its network alone", 15)
    a.process.wait_log("it shows no certificate, and is in no -connect or -allow of ours", 5)
    assert not a.status()["peers"]
    assert not b_host.answers(net.addresses["a"][0])


@pytest.mark.early
def test_session_ends_with_the_certificate_at_both_sides(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    net = Network(lab, ["off!", "a", "b"], life=20)  # the issuer does not run: nobody renews
    a = net.node(a_host, "a", "-backbone", backbone.url)
    b = net.node(b_host, "b", "-backbone", backbone.url, "-connect", a.id)
    b_host.wait_ping(net.addresses["a"][0], 18)
    a.process.wait_log("disconnected: its certificate has expired", 25)
    b.process.wait_log("it admits us no longer", 5)
    b.process.wait_log("our certificate has expired", 20)
    wait_for(lambda: not b_host.answers(net.addresses["a"][0]), 5, "no frame passes")
    a.process.wait_log(r"its certificate \(b\) has expired and must be renewed: it ended \d+ s ago", 5)
