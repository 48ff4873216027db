# SPDX-License-Identifier: Apache-2.0
"""Overlay addresses that do not go together, and a device that was taken down: the person is told.

    site-b, site-c ──── internet ──── site-a
"""

import re

import lab as labs
import pytest
from lab import A_OVERLAY


@pytest.fixture
def listener(lab):
    a_host, b_host, c_host, *_ = lab.internet(("site-a", "site-b", "site-c"))
    return a_host.node("-tap-ip", A_OVERLAY, "-tap-netmask", 24, "-public", "-name", "site-a"), b_host, c_host


def joins(a, host, address, bits):
    node = host.node("-tap-ip", address, "-tap-netmask", bits, "-name", host.name, "-connect", f"{a.id}@{a.host.address}")
    labs.wait_for(lambda: node.peer(a).get("state") == "connected", 10, f"{host.name} is connected")
    return node


@pytest.mark.parametrize("address,bits,words", [
    ("10.10.10.3", 16, "with different masks some are not reached; give both the same -tap-netmask"),
    ("10.20.20.3", 24, "they are in different subnets, and reach each other by routes alone"),
    (A_OVERLAY, 24, "which is this machine's own address"),
])
def test_addresses_that_do_not_go_together_are_told_once_at_both_sides(listener, address, bits, words):
    a, b_host, _ = listener
    b = joins(a, b_host, address, bits)
    for node, other in ((a, b), (b, a)):
        line = node.process.wait_log(f"warn .*{words}.*").group()
        assert f"peer {'site-b' if other is b else 'site-a'} ({other.id[:10]})" in line
        assert [text for text in node.status()["warnings"] if text in line and words in text]
    asked = len(a.log())
    b.stop()
    a.process.wait_log("disconnected", since=asked)
    assert a.status()["warnings"] == []
    b.start()
    a.process.wait_log("connected, accepted", since=asked)
    labs.wait_for(lambda: a.peer(b).get("path"), 10, "b is back")
    assert a.log().count(words) == 1


def test_two_peers_with_one_address_are_told_by_name(listener):
    a, b_host, c_host = listener
    b = joins(a, b_host, "10.10.10.3", 24)
    c = joins(a, c_host, "10.10.10.3", 24)
    line = a.process.wait_log("warn .*only one of them is reached").string
    assert re.search(rf"peer site-c \({c.id[:10]}\): announces 10\.10\.10\.3, as peer site-b \({b.id[:10]}\) does", line)
    assert a.log().count("only one of them is reached") == 1
    warnings = [text for text in a.status()["warnings"] if "only one of them is reached" in text]
    assert len(warnings) == 1 and warnings[0] in line


def test_addresses_that_go_together_are_no_warning(listener):
    a, b_host, c_host = listener
    joins(a, b_host, "10.10.10.3", 24)
    joins(a, c_host, "10.10.10.5", 24)
    b_host.wait_ping(A_OVERLAY, 10)
    assert " warn " not in a.log()


def test_device_that_was_taken_down_is_shown(listener):
    a, b_host, _ = listener
    joins(a, b_host, "10.10.10.3", 24)
    assert a.status()["device_up"] is True

    def told():
        return a.host.run(labs.program("shadowmesh"), "status", "-run", a.run_dir, echo=False).stdout
    assert "down" not in told()
    a.host.ip("link", "set", "tap0", "down")
    a.process.wait_log("device tap0 was taken down: no frame passes until `ip link set tap0 up`")
    labs.wait_for(lambda: "tap0 (down: no frame passes), MTU 1500" in told(), 5, "status says so")
    assert a.status()["device_up"] is False
    a.host.ip("link", "set", "tap0", "up")
    a.process.wait_log("device tap0 is up again")
    labs.wait_for(lambda: a.status()["device_up"], 5, "status says so")
    b_host.wait_ping(A_OVERLAY, 10)
