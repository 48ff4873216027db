# SPDX-License-Identifier: Apache-2.0
"""Nodes find each other with every backbone dead: by records that they kept on disk, and by those that peers pass on.

    site-a 198.51.100.2 ─┐        ┌─ server 203.0.113.2: the first backbone
    site-b 198.51.101.2 ─┼─ inet ─┤
    site-c 198.51.102.2 ─┘        └─ second 203.0.114.2: the second
"""

import os
import re

import pytest

import lab as labs
from lab import A_OVERLAY, B_OVERLAY

C_OVERLAY = "10.10.10.5"


@pytest.fixture
def sites(lab):
    *hosts, server, inet = lab.internet(sites=("site-a", "site-b", "site-c"))
    second = lab.host("second")
    lab.attach(second, inet, "203.0.114")
    return hosts, [server.backbone(), second.backbone()]


def node(host, address, *flags, backbones=()):
    urls = [flag for backbone in backbones for flag in ("-backbone", backbone.url)]
    return host.node(*urls, "-tap-ip", address, *flags)


def records_of(node):
    return node.keydir / "cache" / "records"


def wait_kept(node, others=1):
    """Each record is over 7 KB."""
    labs.wait_for(lambda: records_of(node).exists() and records_of(node).stat().st_size > 7000 * others, 15, "records on disk")


def test_both_backbones_killed_and_one_node_restarted_is_back_by_what_it_kept(sites, figure):
    (a_host, b_host, _), both = sites
    a = node(a_host, A_OVERLAY, "-public", backbones=both)
    b = node(b_host, B_OVERLAY, "-connect", a.id, backbones=both)
    b_host.wait_ping(A_OVERLAY, 5)
    wait_kept(b)
    assert records_of(b).stat().st_mode & 0o777 == 0o600
    for backbone in both:
        backbone.kill()
    b.kill()
    b.start(wait=False)
    seconds = b_host.wait_ping(A_OVERLAY, 5)
    figure(f"both backbones killed, one of two nodes killed and restarted: back by its cache after {seconds:.1f} s")
    assert not [entry for entry in b.status()["backbones"] if entry["reachable"]]


def test_node_that_knows_one_member_finds_the_others_of_its_list(sites, figure):
    """By gossip alone: nobody has a backbone, nothing is kept."""
    (a_host, b_host, c_host), _ = sites
    a = node(a_host, A_OVERLAY, "-public")
    b = c_host.node("-tap-ip", C_OVERLAY, "-connect", f"{a.id}@{a_host.address}", label="c", start=False)
    c = b_host.node("-tap-ip", B_OVERLAY, "-connect", f"{a.id}@{a_host.address}", "-connect", b.id, label="b", start=False)
    b.flags += ["-allow", c.id]
    b.start()
    c_host.wait_ping(A_OVERLAY, 5)
    c.start(wait=False)
    figure(f"no backbone, one address known: the other member is found by gossip after {b_host.wait_ping(C_OVERLAY, 5):.1f} s")
    assert c.peer(b)["state"] == "connected"


@pytest.mark.parametrize("damage", ["cut", "noise", "other-signature", "link", "writable"])
def test_damaged_records_are_ignored_with_one_line_at_most(sites, damage):
    (a_host, b_host, _), both = sites
    a = node(a_host, A_OVERLAY, "-public", backbones=both)
    b = node(b_host, B_OVERLAY, "-connect", a.id, backbones=both)
    b_host.wait_ping(A_OVERLAY, 5)
    wait_kept(b)
    b.stop()
    path = records_of(b)
    kept = path.read_bytes()
    if damage == "cut":
        path.write_bytes(kept[:-100])
    elif damage == "noise":
        path.write_bytes(os.urandom(5000))
    elif damage == "other-signature":
        path.write_bytes(kept[:-100] + bytes(100))
    elif damage == "link":
        path.rename(path.with_name("moved"))
        path.symlink_to("moved")
    else:
        path.chmod(0o666)
    b.start()
    b_host.wait_ping(A_OVERLAY, 5)
    lines = re.findall(r"cache/records: .*: the addresses of peers in it are not used", b.log())
    if damage == "other-signature":
        assert not lines
        assert b.drops()["record"] == 1
    else:
        assert len(lines) == 1, b.log()
