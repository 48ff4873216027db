# SPDX-License-Identifier: Apache-2.0
"""A full mesh: nodes that have one list of ids, and are started with -mesh.

    m0 … m3 ── internet ── server: a backbone
"""

import lab as labs
import pytest

MEMBERS = 4


def overlay(number):
    return f"10.10.10.{number + 1}"


@pytest.fixture
def members(lab):
    """Not started; each has all ids in its list, its own one too."""
    *hosts, server, _ = lab.internet([f"m{i}" for i in range(MEMBERS)])
    backbone = server.backbone()
    nodes = [host.node("-backbone", backbone.url, "-tap-ip", overlay(i), "-mesh", start=False) for i, host in enumerate(hosts)]
    ids = [node.id for node in nodes]
    for node in nodes:
        node.flags += [word for id in ids for word in ("-allow", id)]
    return nodes


def wait_full(nodes, seconds=30):
    count = len(nodes) - 1
    for node in nodes:
        labs.wait_for(lambda node=node: node.status()["mesh"]["connected"] == count, seconds, f"all members connected to {node.host.name}", every=0.2)


def test_every_member_has_a_session_to_every_other_also_after_all_were_killed(members):
    for node in members:
        node.start(wait=False)
    for node in members:
        node.wait_ready()
    wait_full(members)
    for number in range(1, MEMBERS):
        members[0].host.wait_ping(overlay(number), 5)
        members[number].host.wait_ping(overlay((number + 1) % MEMBERS), 5)
    for node in members:
        node.kill()
    for node in members:
        node.start(wait=False)
    for node in members:
        node.wait_ready()
    wait_full(members)
    said = members[0].host.run(labs.program("shadowmesh"), "status", "-run", members[0].run_dir).stdout
    assert f"{MEMBERS - 1} of {MEMBERS - 1} members connected" in said


def test_member_that_is_not_there_is_told_of_and_a_list_that_changes_is_followed(members):
    first, second, late, added = members
    for node in members:
        node.flags = node.flags[:-2]  # nobody lists the last one
    first.start()
    second.start()
    labs.wait_for(lambda: first.peer(second).get("state") == "connected", 30, "the two are connected")
    assert first.status()["mesh"] == {"members": 2, "connected": 1}
    labs.wait_for(lambda: first.peer(late).get("error"), 30, "a reason why the third is not connected")
    late.start()
    wait_full([first, second, late])
    added.start()
    for node in (first, second, late):
        node.host.run(labs.program("shadowmesh"), "allow", added.id, "-run", node.run_dir)
    labs.wait_for(lambda: added.status()["mesh"]["connected"] == 3, 30, "the new member is connected to all")
    first.host.run(labs.program("shadowmesh"), "disallow", added.id, "-run", first.run_dir)
    labs.wait_for(lambda: first.peer(added)["state"] == "disallowed", 10, "the one that was taken back")
    assert first.status()["mesh"] == {"members": 2, "connected": 2}
