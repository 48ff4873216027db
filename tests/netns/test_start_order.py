# SPDX-License-Identifier: Apache-2.0
"""Who starts first does not matter: connected within 5 s of the last one being up.

    site-a ──── inet ──── site-b
                 │
              server
"""

import re

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY

ORDERS = {
    "receiver first": ["backbone", "a", "b"],
    "sender first": ["backbone", "b", "a"],
    "backbone last": ["a", "b", "backbone"],
    "backbone last, sender first": ["b", "a", "backbone"],
    "backbone between": ["b", "backbone", "a"],
}


TRIES = 4  # from then on a pause is eight times the first one


def refused_connections(node):
    """As its host's kernel counts them."""
    names, values = [line.split() for line in node.host.run("cat", "/proc/net/snmp", echo=False).stdout.splitlines() if line.startswith("Tcp:")]
    return int(dict(zip(names, values))["AttemptFails"])


def records_not_found(backbone):
    answers = re.search(r'http_answers_total\{code="404"\} (\d+)', backbone.get("/metrics")[1])
    return int(answers[1]) if answers else 0


def wait_tried_in_vain(early):
    """Until who came before the last has failed often enough to lengthen its pauses, if there is anything to fail at."""
    nodes = [part for name, part in early.items() if name != "backbone"]
    if "backbone" not in early:
        labs.wait_for(lambda: min(map(refused_connections, nodes)) >= TRIES, 10, "tries to reach the backbone")
    elif "b" in early:
        labs.wait_for(lambda: records_not_found(early["backbone"]) >= TRIES, 10, "questions for a's record")
    else:
        labs.wait_for(lambda: all(map(early["backbone"].knows, nodes)), 10, "the registration of who is there")


def three(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone(start=False)
    a = labs.receiver(a_host, backbone, start=False)
    b = labs.sender(b_host, backbone, a, start=False)
    return a, b, backbone


@pytest.mark.parametrize("order", ORDERS)
def test_connected_within_5_seconds_of_the_last(lab, figure, order):
    a, b, backbone = three(lab)
    parts = {"a": a, "b": b, "backbone": backbone}
    *early, last = ORDERS[order]
    for name in early:
        parts[name].start()
    wait_tried_in_vain({name: parts[name] for name in early})
    parts[last].start()
    seconds = b.host.wait_ping(A_OVERLAY, 5)
    a.host.ping(B_OVERLAY, count=3)
    figure(f"{order}: connected {seconds:.2f} s after {last}")


def test_connected_within_5_seconds_when_all_start_at_once(lab, figure):
    a, b, backbone = three(lab)
    for part in (a, b, backbone):
        part.start(wait=False)
    b.wait_ready()
    seconds = b.host.wait_ping(A_OVERLAY, 5)
    figure(f"all at once: connected {seconds:.2f} s after the device was there")


def test_waiting_for_the_backbone_is_said_once_and_not_repeated(lab):
    a, b, backbone = three(lab)
    b.start()
    b.process.wait_log("(?i)backbone", 5)
    labs.wait_for(lambda: refused_connections(b) >= TRIES, 10, "several tries, each of which could say it again")
    lines = [line for line in b.log().splitlines() if "backbone" in line.lower()]
    assert 1 <= len(lines) <= 4, lines
    backbone.start()
    b.process.wait_log("(?i)(backbone.*(reach|regist|connected|back))|(regist.*backbone)", 20)
