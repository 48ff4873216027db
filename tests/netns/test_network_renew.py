# SPDX-License-Identifier: Apache-2.0
"""Certificates that end soon are renewed by themselves, and nothing is lost; who has expired is renewed when its issuer is back.

    site-a (issuer) ───┐
                       inet ─── server (backbone)
    site-b ────────────┘
"""

import re
import time

import lab as labs
import pytest
from network import Network

# More often would cost more bytes of handshakes than a peer is granted.
SHORT = ("-test-certificate-seconds", "12", "-test-rehandshake-seconds", "4")


def ends(node):
    """When the node's certificate does."""
    return node.status()["network"]["not_after"]


def test_certificates_are_renewed_and_no_ping_is_lost(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    net = Network(lab, ["a!", "b"], life=12)
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


@pytest.mark.long  # shorter lives would cost more bytes of handshakes than a peer is granted
def test_twenty_renewals_lose_no_ping(lab, figure):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    net = Network(lab, ["a!", "b"], life=20)
    life = ("-test-certificate-seconds", "20")
    a = net.node(a_host, "a", "-backbone", backbone.url, *life)
    b = net.node(b_host, "b", "-backbone", backbone.url, "-connect", a.id, *life)
    b_host.wait_ping(net.addresses["a"][0], 10)
    stream = b_host.ping_stream(net.addresses["a"][0])
    for node in (a, b):
        labs.wait_for(lambda: node.log().count("certificate is renewed") >= 20, 500, "twenty renewals")
    result = stream.stop()
    figure(f"pings, 10 ms apart, over twenty renewals of both ends: {result.sent} sent, {len(stream.lost())} lost")
    assert result.sent - result.received <= 1 and stream.lost() == [], stream.lost()


def test_expired_members_are_whole_again_when_an_issuer_comes_back(lab, figure):
    a_host, b_host, c_host, server, _ = lab.internet(sites=("site-a", "site-b", "site-c"))
    backbone = server.backbone()
    net = Network(lab, ["a!", "d!", "b", "c"], life=2)  # d, the other issuer, stays away
    b, c = (net.node(host, name, "-backbone", backbone.url, "-connect", net.ids["a"]) for host, name in ((b_host, "b"), (c_host, "c")))
    for node in (b, c):
        labs.wait_for(lambda: node.status()["network"]["state"] == "expired", 20, "it has expired")
        labs.wait_for(lambda: "has expired and is not renewed" in node.status()["network"]["text"], 30, "it is told")
    begun = time.monotonic()
    a = net.node(a_host, "a", "-backbone", backbone.url)  # its own has expired, too
    b_host.wait_ping(net.addresses["a"][0], 30)
    c_host.wait_ping(net.addresses["b"][0], 30)
    figure(f"all had expired: whole {time.monotonic() - begun:.1f} s after an issuer's start")
    assert [node.status()["network"]["state"] for node in (a, b, c)] == ["member", "member", "member"]
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
