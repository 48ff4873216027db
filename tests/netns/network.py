# SPDX-License-Identifier: Apache-2.0
"""Networks for labs: their keys and certificates are there at once, as if everybody had joined.

    net = Network(lab, ["a!", "b", "c@a"])     a and whoever has a "!" are issuers; c's certificate is of a; "d+" has the role relay
    a = net.node(a_host, "a", "-backbone", backbone.url)
"""

import subprocess

import lab as labs

DAY = 86400


class Network:
    """Certificates began `age` seconds ago, and those of members end `life` seconds after that."""

    def __init__(self, lab, members, name="lab", range="10.77.7.0/24", age=0, life=30 * DAY):
        self.lab = lab
        self.name = name
        self.dir = lab.dir / f"network-{name}"
        command = [labs.program("tests/rogue/founder"), str(self.dir), name, range, str(age), str(life), *members]
        lab.echo(f"[host] {' '.join(command)}")
        made = subprocess.run(labs.Host.sanitized(command), check=True, capture_output=True, text=True).stdout
        self.ids, self.addresses = {}, {}
        for line in made.splitlines():
            member, self.ids[member], *self.addresses[member] = line.split()

    def keydir(self, member):
        """The folder of the member's node: key and certificates."""
        return self.dir / member

    def node(self, host, member, *flags, **options):
        """The member's node on a host."""
        return host.node("-network", self.name, *flags, keydir=self.keydir(member), label=member, **options)
