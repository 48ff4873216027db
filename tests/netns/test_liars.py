# SPDX-License-Identifier: Apache-2.0
"""Ten admitted peers (tests/rogue) name a bystander as the place where they are to be punched, as often as they can: what the node
sends to it stays within the budget of docs/PROTOCOL.md §19.

    node ──┬── rogue      ten processes, each with a key of its own
           └── bystander  counts what comes
"""

import re
import time

import pytest
from lab import wait_for
from test_rogue import ROGUE

LIARS, SECONDS = 10, 30
# Of a peer: so many rounds at once and one more every so often, and so many datagrams in each, with the tries of paths.
ROUNDS_ONCE, ROUND_SECONDS, SENT_MAX = 3, 22, 61
COUNTER = """
table ip bystander {
    counter probes { }
    chain arriving { type filter hook input priority 0; meta l4proto udp counter name probes drop ; }
}"""


def came(bystander):
    return int(re.search(r"packets (\d+)", bystander.run("nft", "list", "counter", "ip", "bystander", "probes", echo=False).stdout)[1])


@pytest.mark.early
def test_ten_liars_make_nobody_send_more_than_the_budget_to_a_bystander(lab, figure):
    node_host, rogue, bystander, _, _ = lab.internet(sites=("node", "rogue", "bystander"))
    bystander.nft(COUNTER)
    keys = [rogue.node(start=False, label=f"rogue-{i}") for i in range(LIARS)]
    node = node_host.node("-tap-ip", "10.10.10.1", "-tap-netmask", 24, *[flag for k in keys for flag in ("-allow", k.id)])
    at = node_host.address
    begin = time.monotonic()
    liars = [rogue.start(ROGUE, "-keydir", k.keydir, "-to", node.id, "-control", f"{at}:8443", "-data", f"{at}:9443", "-lie",
                         "punches", "-bystander", f"{bystander.address}:5000", "-rate", 20, "-seconds", SECONDS, name=f"rogue-{i}")
             for i, k in enumerate(keys)]
    for liar in liars:
        liar.wait_log("^connected$", 20)
        wait_for(lambda liar=liar: not liar.running, SECONDS + 20, "the end of the lie", every=0.5)
    seconds = time.monotonic() - begin
    rounds = LIARS * (ROUNDS_ONCE + seconds / ROUND_SECONDS)
    count = came(bystander)
    figure(f"{LIARS} liars in {seconds:.0f} s: {count} datagrams to a bystander, of {rounds * SENT_MAX:.0f} that the budget allows")
    assert LIARS < count <= rounds * SENT_MAX
    assert len(node.status()["peers"]) == LIARS
