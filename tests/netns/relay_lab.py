# SPDX-License-Identifier: Apache-2.0
"""Two nodes that no datagram takes to each other, and nodes that relay for them.

    site-a 192.168.1.2 ── nat-a 198.51.100.2 ─┐
    site-b 192.168.1.2 ── nat-b 198.51.101.2 ─┼─ inet ── server 203.0.113.2: backbone, which relays nothing
                                              ├── near 198.51.102.2 -relay
                                              └── far  198.51.103.2 -relay

Both NATs give every address another port. What goes to the far node may take longer.
"""

import lab as labs
from lab import A_OVERLAY, B_OVERLAY

ANY = ("-relay-rate", 100000)
SYMMETRIC = """
table inet nat {
    chain out { type nat hook postrouting priority 100; oifname "eth0" masquerade random,fully-random; }
}
table inet guard {
    chain from-outside { type filter hook input priority 0; iifname "eth0" ct state new drop; }
    chain passing { type filter hook forward priority 0; iifname "eth0" ct state new drop; }
}"""
OVERLAYS = ("10.10.10.21", "10.10.10.22")


def node_on(host, backbone, address):
    """Not started: its flags may have to name others that are none yet."""
    return host.node("-backbone", backbone.url, "-tap-ip", address, "-tap-netmask", 24, start=False)


class Relayed:
    """a and b, started, and the nodes of names that relay."""

    def __init__(self, lab, names=("near", "far"), rate=ANY, backbone=("-relay-rate", 0)):
        nat_a, nat_b, *hosts, server, self.inet = lab.internet(sites=("nat-a", "nat-b", *names))
        self.nats = nat_a, nat_b
        self.backbone = server.backbone(flags=backbone)
        self.a, self.b = (node_on(host_behind(lab, nat, name), self.backbone, address) for nat, name, address in (
            (nat_a, "site-a", A_OVERLAY), (nat_b, "site-b", B_OVERLAY)))
        self.nodes = [node_on(host, self.backbone, address) for host, address in zip(hosts, OVERLAYS)]
        for number, node in enumerate(self.nodes):
            node.flags += ["-relay", *map(str, rate), "-allow", self.a.id, "-allow", self.b.id]
            for end in (self.a, self.b):
                end.flags += ["-connect", f"{node.id}@198.51.{102 + number}.2"]
        self.a.flags += ["-allow", self.b.id]
        self.b.flags += ["-connect", self.a.id]
        for node in (*self.nodes, self.a, self.b):
            node.start()

    def address_of(self, node):
        return f"198.51.{102 + self.nodes.index(node)}.2:9443"

    def carrying(self):
        """Addresses of what relays, as both ends have it."""
        return {(end.peer(other).get("path") or {}).get("remote") for end, other in ((self.a, self.b), (self.b, self.a))}

    def wait_carried_by(self, node, seconds=20):
        labs.wait_for(lambda: self.carrying() == {self.address_of(node)}, seconds, f"{node.host.name} relays both ways")

    def warm(self, end, other):
        return [path for path in end.peer(other).get("paths", []) if path["kind"] == "relay" and path["state"] == "proven"]

    def wait_warm(self, count, seconds=30):
        labs.wait_for(lambda: len(self.warm(self.a, self.b)) == len(self.warm(self.b, self.a)) == count, seconds,
                      f"{count} relays are proven")


def host_behind(lab, router, name):
    router.sysctl("net.ipv4.ip_forward", 1)
    host = lab.host(name)
    lab.attach(host, router, "192.168.1")
    router.nft(SYMMETRIC)
    return host
