# SPDX-License-Identifier: Apache-2.0
"""Private addresses are tried where they can be the peer's, and peers behind one NAT meet at its public address.

    site-a 192.168.1.2 ──── router ──┐
         └── 172.30.0.0/24 (a VPN)   inet ──── server 203.0.113.2: backbone
    site-b 192.168.2.2 ──── router ──┘
"""

import lab as labs
import pytest
import routers
from routers import KINDS

A, B = "10.10.10.4", "10.10.10.3"

# Leads what hosts behind it send to its own address back to whose mapping it is; its networks see nothing else of each other.
HAIRPIN = """
table ip nat {{
    map fullcone {{ type inet_service : ipv4_addr . inet_service; flags dynamic, timeout; timeout 5m; size 4096; }}
    chain out {{ type nat hook postrouting priority 100;
                 oifname "eth0" meta l4proto udp update @fullcone {{ udp sport : ip saddr . udp sport }} snat to {wan} ;
                 ct status dnat meta l4proto udp ip saddr 192.168.0.0/16 snat to {wan} ;
                 oifname "eth0" snat to {wan} ; }}
    chain in {{ type nat hook prerouting priority -100; ip daddr {wan} meta l4proto udp dnat to udp dport map @fullcone ; }}
}}
table ip firewall {{
    chain passing {{ type filter hook forward priority 0; ct state established,related accept ; ct status dnat accept ;
                     ip daddr 192.168.0.0/16 drop ; }}
}}"""


CLOSED = """
table inet closed {
    chain passing { type filter hook forward priority -1; udp dport 9440-9449 drop ; }
}"""


def start_pair(site_a, site_b, backbone, *flags):
    a = site_a.node("-backbone", backbone, "-tap-ip", A, "-public", *flags)
    return a, site_b.node("-backbone", backbone, "-tap-ip", B, "-port", 9444, "-connect", a.id, *flags)


def direct(node, peer):
    """The remote address of the straight path that carries; None: none does."""
    path = node.peer(peer)["path"]
    return path["remote"] if path and path["kind"] == "direct" else None


def test_no_datagram_goes_to_the_private_address_of_another_network(lab):
    inet, server = routers.internet(lab)
    site_a = routers.Site(lab, inet, "site-a", KINDS["full cone"])
    site_b = routers.Site(lab, inet, "site-b", KINDS["full cone"], subnet="192.168.2", net=1)
    backbone = server.backbone()
    strays = [site.host.capture("eth0", "dst host", other)
              for site, other in ((site_a, "192.168.2.2"), (site_b, "192.168.1.2"))]
    a = site_a.host.node("-backbone", backbone.url, "-tap-ip", A, "-public")
    b = site_b.host.node("-backbone", backbone.url, "-tap-ip", B, "-port", 9444)
    for node in (a, b):  # who does not know yet how it is seen tries everything
        labs.wait_for(lambda: node.status()["reflexive"], 10, "it knows how it is seen")
    site_b.host.run(labs.program("shadowmesh"), "connect", a.id, "-run", b.run_dir)
    site_b.host.wait_ping(A, 10)
    labs.wait_for(lambda: direct(b, a) == f"{site_a.wan}:9443", 15, "they are straight")
    assert [stray.stop() for stray in strays] == [[], []]


def test_private_address_behind_a_route_of_its_own_is_tried(lab):
    """Their routers let no UDP out; a tunnel of another program leads from network to network."""
    inet, server = routers.internet(lab)
    site_a = routers.Site(lab, inet, "site-a", KINDS["port-restricted"])
    site_b = routers.Site(lab, inet, "site-b", KINDS["port-restricted"], subnet="192.168.2", net=1)
    lab.link(site_a.host, "vpn0", site_b.host, "vpn0")
    for site, own, peer, network in ((site_a, "172.30.0.1", "172.30.0.2", "192.168.2.0/24"),
                                     (site_b, "172.30.0.2", "172.30.0.1", "192.168.1.0/24")):
        site.host.ip("addr", "add", f"{own}/32", "peer", f"{peer}/32", "dev", "vpn0")
        site.host.ip("route", "add", network, "via", peer, "dev", "vpn0")
        # Addresses of the tunnel are no candidates of interest here: only the route tells.
        site.router.nft(CLOSED)
    backbone = server.backbone()
    a, b = start_pair(site_a.host, site_b.host, backbone.url)
    site_b.host.wait_ping(A, 10)
    labs.wait_for(lambda: direct(b, a) in ("192.168.1.2:9443", "172.30.0.1:9443"), 15, "they are straight over the tunnel")
    assert "192.168.1.2:9443" in {path["remote"] for path in b.peer(a)["paths"]}


@pytest.mark.parametrize("led_back", [True, False])
def test_peers_behind_one_nat_meet_at_its_address_where_it_leads_back(lab, led_back):
    inet, server = routers.internet(lab)
    router = routers.without_waiting(lab.router("router"))
    lab.link(router, "eth0", inet, "site")
    wan = "198.51.100.2"
    router.ip("addr", "add", f"{wan}/24", "dev", "eth0")
    inet.ip("addr", "add", "198.51.100.1/24", "dev", "site")
    router.ip("route", "add", "default", "via", "198.51.100.1")
    hosts = []
    for name, subnet in (("flat-a", "192.168.1"), ("flat-b", "192.168.2")):
        hosts.append(routers.without_waiting(lab.host(name)))
        lab.attach(hosts[-1], router, subnet)
    rules = HAIRPIN.format(wan=wan)
    router.nft(rules if led_back else rules.replace("ip daddr " + wan, 'iifname "eth0"'))
    backbone = server.backbone()
    a, b = start_pair(*hosts, backbone.url)
    hosts[1].wait_ping(A, 10)
    if led_back:
        labs.wait_for(lambda: direct(b, a) == f"{wan}:9443", 15, "they are straight by the router's address")
    else:
        labs.wait_for(lambda: b.peer(a)["path"]["kind"] == "relay", 15, "the relay carries")
        assert direct(b, a) is None
    done = hosts[0].run(labs.program("shadowmesh"), "netcheck", "-backbone", backbone.url, "-stun", "203.0.113.2:8080", "--json")
    assert f'"hairpin": {"true" if led_back else "false"}' in done.stdout
