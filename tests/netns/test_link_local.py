# SPDX-License-Identifier: Apache-2.0
"""An underlay of IPv6 link-local addresses alone: two machines on one wire, with nothing set up.

    site-a fe80::…%eth0 ──── fe80::…%eth0 site-b
"""

import re

from lab import A_OVERLAY, B_OVERLAY, wait_for


def link_local(host):
    def settled():
        text = host.run("ip", "-6", "address", "show", "dev", "eth0", "scope", "link", echo=False).stdout
        found = re.search(r"inet6 (fe80::[0-9a-f:]+)/64", text)
        return found.group(1) if found and "tentative" not in text else None
    return wait_for(settled, 10, "a link-local address")


def test_link_local_addresses_alone_carry_data_at_full_size(lab):
    a_host, b_host = lab.host("site-a"), lab.host("site-b")
    lab.link(a_host, "eth0", b_host, "eth0")
    at = link_local(a_host)
    link_local(b_host)
    a = a_host.node("-tap-ip", A_OVERLAY, "-tap-netmask", 24, "-public")
    b = b_host.node("-tap-ip", B_OVERLAY, "-tap-netmask", 24, "-connect", f"{a.id}@[{at}%eth0]")
    b_host.wait_ping(A_OVERLAY, 10)
    a_host.ping(B_OVERLAY, count=3)
    path = b.peer(a)["path"]
    assert path["remote"].startswith("[fe80::"), path
    wait_for(lambda: b.peer(a)["path"]["mtu"] > 1400, 10, "the path is measured")
