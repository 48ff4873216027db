# SPDX-License-Identifier: Apache-2.0
"""Members whose clocks are off meet all the same, and are told; so is an issuer whose certificate nears its end.

    site-a ──── inet ──── site-b
                 │
              server (backbone, and a third member)
"""

import time

import lab as labs
from clocks import shifted_clock
from network import Network
from test_network_ca import ca_renew

DAY = 86400


def warnings(node):
    return " / ".join(node.status()["warnings"])


def test_clock_that_is_off_is_told_with_the_remedy(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    net = Network(lab, ["a!", "b", "c"])
    a = net.node(a_host, "a", "-backbone", backbone.url)
    b = net.node(b_host, "b", "-backbone", backbone.url, "-connect", a.id,
                 environment=shifted_clock(b_host, 2 * DAY))
    c = net.node(server, "c", "-backbone", backbone.url, "-connect", a.id, "-connect", b.id,
                 environment=shifted_clock(server, 1000 - int(time.time())))
    for host in (b_host, server):
        host.wait_ping(net.addresses["a"][0], 20)
    labs.wait_for(lambda: "clock is 2 days fast, by those of 2 of 2 members: set it" in warnings(b), 40, "b is told")
    labs.wait_for(lambda: "days slow, by those of 2 of 2 members: set it" in warnings(c), 40, "c is told")
    assert "timedatectl set-ntp true" in warnings(b)
    assert b.log().count("network lab: this machine's clock is 2 days fast") == 1
    assert "members: set it" not in warnings(a)


def test_issuer_is_told_that_its_certificate_ends(lab):
    a_host, _, _, _ = lab.internet()
    net = Network(lab, ["a!"])
    later = shifted_clock(a_host, 200 * DAY)
    a = net.node(a_host, "a", environment=later)
    a.process.wait_log(r"warn .*certificate as an issuer ends in 16\d days: `shadowmesh ca renew lab`", 10)
    labs.wait_for(lambda: "certificate as an issuer ends in 16" in warnings(a), 5, "status has it")
    network = a.status()["network"]
    assert network["issuer_not_after"] > network["not_after"] - 200 * DAY
    assert 0 <= network["life_spent"] <= 100
    said = a_host.run("env", *(f"{name}={value}" for name, value in later.items()), *ca_renew(net, a)).stdout
    assert "a is an issuer until" in said or net.ids["a"] in said
    labs.wait_for(lambda: "as an issuer" not in warnings(a), 10, "all is well again")
