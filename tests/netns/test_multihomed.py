# SPDX-License-Identifier: Apache-2.0
"""A has two addresses; B dials the second one, from behind a firewall that lets in only what answers B.

    site-a eth0 198.51.100.2, default route ──┐
           eth1 198.51.102.2 ─────────────────┤ inet ──── eth0 site-b (firewall)
"""

import pytest
from lab import A_OVERLAY, B_OVERLAY

FIREWALL = """
table inet guard {
    chain in {
        type filter hook input priority 0; policy drop;
        iifname "lo" accept
        iifname "tap*" accept
        meta l4proto ipv6-icmp accept
        ct state established,related accept
    }
}"""
FIRST = {4: "198.51.100", 6: "2001:db8:a:"}
SECOND = {4: "198.51.102", 6: "2001:db8:c:"}
DIALLER = {4: "198.51.101", 6: "2001:db8:b:"}


def at(subnet, number):
    return f"{subnet}:{number}" if ":" in subnet else f"{subnet}.{number}"


def attach(lab, host, router, subnet, device, default):
    length, flags = (64, ["nodad"]) if ":" in subnet else (24, [])
    beyond = f"{host.name}-{device}"
    lab.link(host, device, router, beyond)
    host.ip("addr", "add", f"{at(subnet, 2)}/{length}", "dev", device, *flags)
    router.ip("addr", "add", f"{at(subnet, 1)}/{length}", "dev", beyond, *flags)
    if default:
        host.ip("route", "add", "default", "via", at(subnet, 1))


def dialled_at(family):
    second = at(SECOND[family], 2)
    return f"[{second}]" if family == 6 else second


@pytest.mark.parametrize("family", [4, 6])
def test_the_tunnel_goes_on_when_the_address_that_was_dialled_goes(lab, family):
    a_host, b_host, inet = lab.host("site-a"), lab.host("site-b"), lab.router("inet")
    inet.sysctl("net.ipv6.conf.all.forwarding", 1)
    attach(lab, a_host, inet, FIRST[family], "eth0", default=True)
    attach(lab, a_host, inet, SECOND[family], "eth1", default=False)
    attach(lab, b_host, inet, DIALLER[family], "eth0", default=True)
    a = a_host.node("-tap-ip", A_OVERLAY, "-tap-netmask", 24, "-public")
    b = b_host.node("-tap-ip", B_OVERLAY, "-tap-netmask", 24, "-connect", f"{a.id}@{dialled_at(family)}")
    b_host.wait_ping(A_OVERLAY, 10)
    a_host.ip("link", "set", "eth1", "down")
    a_host.wait_ping(B_OVERLAY, 10)
    assert at(FIRST[family], 2) in b.peer(a)["path"]["remote"]
    assert a.peer(b)["path"]["local"] != at(SECOND[family], 2)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("device", ["eth0", "eth1"], ids=["on one interface", "on two interfaces"])
def test_the_second_address_is_answered_from_where_it_was_dialled(lab, family, device):
    a_host, b_host, inet = lab.host("site-a"), lab.host("site-b"), lab.router("inet")
    inet.sysctl("net.ipv6.conf.all.forwarding", 1)
    attach(lab, a_host, inet, FIRST[family], "eth0", default=True)
    attach(lab, b_host, inet, DIALLER[family], "eth0", default=True)
    second = at(SECOND[family], 2)
    if device == "eth1":
        attach(lab, a_host, inet, SECOND[family], "eth1", default=False)
    else:
        a_host.ip("addr", "add", f"{second}/{128 if family == 6 else 32}", "dev", "eth0", *(["nodad"] if family == 6 else []))
        inet.ip("route", "add", second, "via", at(FIRST[family], 2))
    b_host.nft(FIREWALL)
    # A announces its first address too: B's datagrams there would open the firewall for it, and hide what is tested.
    inet.nft(f"""
table inet guard {{
    chain forward {{
        type filter hook forward priority 0; policy accept;
        {"ip" if family == 4 else "ip6"} daddr {at(FIRST[family], 2)} drop
    }}
}}""")
    a = a_host.node("-tap-ip", A_OVERLAY, "-tap-netmask", 24, "-public")
    b = b_host.node("-tap-ip", B_OVERLAY, "-tap-netmask", 24, "-connect", f"{a.id}@{dialled_at(family)}")
    b_host.wait_ping(A_OVERLAY, 10)
    a_host.ping(B_OVERLAY, count=3)
    assert second in b.peer(a)["path"]["remote"]
    assert a.peer(b)["path"]["local"] == second
