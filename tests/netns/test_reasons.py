# SPDX-License-Identifier: Apache-2.0
"""Who is not reached: the log and status say why, in words that lead to the remedy.

    site-a ──── inet ──── site-b
                 │
              server
"""

import lab as labs
from clocks import shifted_clock
from lab import A_OVERLAY, B_OVERLAY

DAY_S = 86400


def reason(node, peer):
    return node.peer(peer).get("error", "")


def shown(node):
    return node.host.run(labs.program("shadowmesh"), "status", "-run", node.run_dir, echo=False).stdout


def test_one_wrong_digit_in_an_id_is_told_as_that(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    wrong = a.id[:-1] + ("0" if a.id[-1] != "0" else "1")
    b = b_host.node("-backbone", backbone.url, "-tap-ip", B_OVERLAY, "-connect", wrong)
    b.process.wait_log(rf"{wrong}: not reached: the backbone knows no such id: check its digits", 10)
    assert "the backbone knows no such id: check its digits" in reason(b, wrong)
    assert "check its digits" in shown(b)


def test_backbone_that_is_down_is_the_reason(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone(start=False)
    a = a_host.node(start=False)
    b = b_host.node("-backbone", backbone.url, "-tap-ip", B_OVERLAY, "-connect", a.id)
    b.process.wait_log(rf"{a.id}: not reached: the backbone cannot be reached: Connection refused", 10)
    assert f"{backbone.url}, cannot be reached: Connection refused" in shown(b)
    assert reason(b, a) == "the backbone cannot be reached: Connection refused"
    told = b.status()["backbone"]
    uplink = told.pop("uplink")
    assert told == {"url": backbone.url, "reachable": False, "registered": False, "error": "Connection refused"}
    assert (uplink["state"], uplink["error"]) == ("down", "Connection refused")


def test_clock_that_is_a_day_fast_is_told_and_hinders_no_connection(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a, environment=shifted_clock(b_host, DAY_S))
    b_host.wait_ping(A_OVERLAY, 8)
    b.process.wait_log("warn  this machine's clock is 24 h fast, by the backbone's: set it", 5)
    assert b.log().count("clock is 24 h fast") == 1
    assert any("clock is 24 h fast" in text for text in b.status()["warnings"])
    assert "clock is 24 h fast" in shown(b) and "reached, but it does not register us: " in shown(b)
    assert a.status()["warnings"] == []
