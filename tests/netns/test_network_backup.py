# SPDX-License-Identifier: Apache-2.0
"""An issuer's machine is lost, and comes back from one file: who joined after that was made keeps name and address.

    berlin (issuer) ──┐
    paris ────────────┼──── internet
    oslo ─────────────┘
"""

import re

import lab as labs
from test_network_ca import PHRASE, join, listed
from test_network_up import address_of, command, end_daemons


def test_lost_issuer_comes_back_from_its_backup(lab):
    berlin, paris, oslo, *_ = lab.internet(sites=("site-a", "site-b", "site-c"))
    for host in (berlin, paris, oslo):
        end_daemons(lab, host)
    command(berlin, "up", "home", "-name", "berlin", "-ip", berlin.address)
    early = command(berlin, "invite", "home", "-quiet").stdout.strip()
    copy = berlin.dir / "copy"
    assert "berlin of home, an issuer" in command(berlin, "backup", "home", copy, stdin=f"{PHRASE}\n").stdout
    join(berlin, paris, "paris")  # nothing of that is in the copy
    labs.wait_for(lambda: "paris" in listed(paris), 10, "its issuer's roster at paris")
    before = listed(paris)["berlin"]
    command(berlin, "leave", "home", "-yes")
    assert "berlin is here again" in command(berlin, "restore", copy, stdin=f"{PHRASE}\n").stdout
    command(berlin, "up", "home")
    log = berlin.dir / "etc/home/node.log"
    labs.wait_for(lambda: re.search("1 members came back into the ledger", log.read_text()), 20, "paris tells of itself")
    assert (before["id"], before["addresses"]) == (listed(berlin)["berlin"]["id"], listed(berlin)["berlin"]["addresses"])
    berlin.wait_ping(address_of(paris), 20)
    refused = command(oslo, "join", "-name", "oslo", stdin=f"{early}\n", check=False, timeout=60)
    assert "the token was revoked" in refused.stdout
    assert "another member has this name" in join(berlin, oslo, "paris", check=False).stdout
    join(berlin, oslo, "oslo")
    assert address_of(oslo) not in (address_of(paris), address_of(berlin))
