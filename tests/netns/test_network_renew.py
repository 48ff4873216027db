# SPDX-License-Identifier: Apache-2.0
"""Certificates that end soon are renewed by themselves, and nothing is lost; who has expired is renewed when its issuer is back.

    site-a (issuer) ───┐
                       inet ─── server (backbone)
    site-b ────────────┘
"""

import re

import lab as labs
from network import Network

SHORT = ("-test-certificate-seconds", "8", "-test-rehandshake-seconds", "2")


def ends(node):
    """When the node's certificate does."""
    return node.status()["network"]["not_after"]


def test_certificates_are_renewed_and_no_ping_is_lost(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    net = Network(lab, ["a!", "b"], life=8)
    a = net.node(a_host, "a", "-backbone", backbone.url, *SHORT)
    b = net.node(b_host, "b", "-backbone", backbone.url, "-connect", a.id, *SHORT)
    b_host.wait_ping(net.addresses["a"][0], 10)
    first = {node: ends(node) for node in (a, b)}
    stream = b_host.ping_stream(net.addresses["a"][0])
    for node in (a, b):
        labs.wait_for(lambda: ends(node) >= first[node] + 10, 60, "it is renewed again and again")
    result = stream.stop()
    assert result.sent - result.received <= 1 and stream.lost() == [], stream.lost()
    assert len(re.findall("certificate is renewed", b.log())) >= 2
    assert "lost" not in b.log()


def test_expired_member_is_renewed_when_its_issuer_comes_back(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    net = Network(lab, ["a!", "b"], life=2)
    b = net.node(b_host, "b", "-backbone", backbone.url, "-connect", net.ids["a"])
    labs.wait_for(lambda: b.status()["network"]["state"] == "expired", 20, "it has expired")
    labs.wait_for(lambda: "has expired and is not renewed" in b.status()["network"]["text"], 30, "it is told")
    a = net.node(a_host, "a", "-backbone", backbone.url)  # its own has expired, too
    b_host.wait_ping(net.addresses["a"][0], 30)
    assert [node.status()["network"]["state"] for node in (a, b)] == ["member", "member"]
    assert b.status()["network"]["text"] == ""
    assert "certificate has expired and is not renewed" in b.log() and "certificate is renewed" in b.log()


def test_another_issuer_renews_when_the_first_is_gone(lab):
    d_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    net = Network(lab, ["a!", "d!", "b"], life=60)  # a, which certified b, never runs
    d = net.node(d_host, "d", "-backbone", backbone.url)
    b = net.node(b_host, "b", "-backbone", backbone.url, "-connect", d.id)
    first, addresses = ends(b), b.status()["addresses"]
    labs.wait_for(lambda: ends(b) > first + 3600, 40, "it is renewed by the other one")
    b_host.wait_ping(net.addresses["d"][0], 10)
    assert b.status()["addresses"] == addresses
    assert d.status()["network"]["issued"]["renewed"] >= 1
    assert (net.keydir("b") / "last-issuer.pem").exists()
    b.stop()
    b.start()  # by what is on disk
    b_host.wait_ping(net.addresses["d"][0], 20)
    assert b.status()["network"]["state"] == "member"
