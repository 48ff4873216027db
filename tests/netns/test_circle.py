# SPDX-License-Identifier: Apache-2.0
"""The tunnel inside itself: the default route leads into the TAP, and nothing leads to the peer but that.

    site-a ──── inet ──── site-b          site-a: default via site-b's overlay address
"""

import json

import lab as labs
from lab import B_OVERLAY, wait_for

BYTES_MAX = 1_000_000  # through the TAP; without the guard it was gigabytes


def carried(node):
    link = node.host.run("ip", "-j", "-s", "link", "show", "tap0", echo=False).stdout
    return json.loads(link)[0]["stats64"]["tx"]["bytes"]


def test_own_datagrams_are_dropped_and_told_once(lab):
    a, b, _, _ = labs.reference_pair(lab)
    a.host.ping(B_OVERLAY, count=2)
    before = carried(a)
    a.host.ip("route", "replace", "default", "via", B_OVERLAY, "dev", "tap0")
    a.host.ping(B_OVERLAY, count=20, interval=0.1, check=False)
    assert carried(a) - before < BYTES_MAX
    wait_for(lambda: a.drops().get("circle", 0) > 0, 10, "the drop is counted")
    assert len([line for line in a.log().splitlines() if "our own datagrams into tap0" in line]) == 1
