# SPDX-License-Identifier: Apache-2.0
"""Two nodes that flags drive become a network, one after the other: each keeps its id, and in between they meet as before.

    site-a ─── internet ─── site-b
"""

import lab as labs
from test_network_up import command, end_daemons, invited, listed


def test_nodes_of_flags_become_a_network_one_after_the_other(lab):
    a_host, b_host, *_ = lab.internet()
    end_daemons(lab, a_host)
    end_daemons(lab, b_host)
    a = a_host.node("-tap-ip", "10.10.10.3/24", "-public")
    b = b_host.node("-tap-ip", "10.10.10.4/24", "-connect", f"{a.id}@{a_host.address}")
    b_host.wait_ping("10.10.10.3", 10)
    assert "stop it first" in command(a_host, "up", "home", "-adopt", a.keydir, check=False).stderr
    a.stop()
    said = command(a_host, "up", "home", "-name", "berlin", "-ip", a_host.address, "-adopt", a.keydir, "-tap-ip", "10.10.10.3",
                   "-allow", b.id).stdout
    assert a.id in said
    b_host.wait_ping("10.10.10.3", 20)  # b runs as it did
    token = invited(a_host)
    b.stop()
    command(b_host, "join", "-name", "paris", "-adopt", b.keydir, stdin=f"{token}\n", timeout=60)
    node, = listed(b_host)
    assert (node["id"], node["name"], node["network"]["state"]) == (b.id, "paris", "member")
    labs.wait_for(lambda: [peer["name"] for peer in listed(a_host)[0]["peers"]] == ["paris"], 20, "paris at berlin")
    b_host.wait_ping("10.10.10.3", 10)
