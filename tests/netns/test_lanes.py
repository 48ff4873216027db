# SPDX-License-Identifier: Apache-2.0
"""Several data workers: whatever their numbers on both sides, frames pass, and a flow stays in order.

    site-a (1 to 4 workers) ──── inet ──── site-b (1 to 4 workers)
"""

import re

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY

pytestmark = pytest.mark.alone

SECONDS = 2
CONNECTIONS = 20
PINGS = 100
HUB = "10.10.10.100"
# What TCP counts when segments overtake each other: detected by time stamps or SACK.
REORDERED = ("TcpExtTCPSACKReorder", "TcpExtTCPRenoReorder", "TcpExtTCPTSReorder")


def counters(host, names):
    text = host.run("nstat", "-asz", echo=False).stdout
    values = dict(re.findall(r"^(\w+)\s+(\d+)", text, re.MULTILINE))
    return sum(int(values.get(name, 0)) for name in names)


def pair(lab, workers_a, workers_b):
    a, b, _, _ = labs.reference_pair(lab, a_flags=("-workers", workers_a), b_flags=("-workers", workers_b))
    assert a.status()["workers"] == workers_a and b.status()["workers"] == workers_b
    labs.wait_for(lambda: b.peer(a)["path"]["mtu"] > 1440, 10, "the path's size is found")
    return a, b


def tcp_run(a, b, **how):
    """Mbit/s of one stream, and how often TCP saw its segments overtake each other."""
    before = counters(a.host, REORDERED) + counters(b.host, REORDERED)
    report = b.host.iperf(a.host, A_OVERLAY, **how)
    after = counters(a.host, REORDERED) + counters(b.host, REORDERED)
    return report["end"]["sum_received"]["bits_per_second"] / 1e6, after - before


@pytest.mark.parametrize("workers", [(1, 2), *(pytest.param(w, marks=pytest.mark.long) for w in ((2, 1), (2, 2))), (4, 2)], ids=lambda w: f"{w[0]}-{w[1]}")
def test_flows_keep_their_order_between_any_numbers_of_workers(lab, figure, workers):
    a, b = pair(lab, *workers)
    # The kernels spread a connection's first frames each by its own hash: a flow must have settled before its data comes.
    assert sum(tcp_run(a, b, amount="8M", reverse=n % 2 == 1)[1] for n in range(CONNECTIONS)) == 0
    # Flows of many addresses and ports, so that every queue has some.
    for size in (56, 1472, 4000):
        assert b.host.ping(A_OVERLAY, "-s", size, count=20, interval=0.01).lost == 0
    rates, late = [], 0
    for reverse in (False, True):
        rate, overtaken = tcp_run(a, b, seconds=SECONDS, reverse=reverse)
        rates.append(rate)
        assert overtaken == 0
        udp = b.host.iperf(a.host, A_OVERLAY, seconds=SECONDS, udp="200M", reverse=reverse)
        late += sum(stream["udp"]["out_of_order"] for stream in udp["end"]["streams"])
    figure(f"{workers[0]} and {workers[1]} workers: TCP {rates[0]:.0f} and {rates[1]:.0f} Mbit/s, {late} UDP datagrams out of order")
    assert late == 0
    drops = {**a.drops(), **b.drops()}
    assert all(drops[reason] == 0 for reason in ("auth", "replay", "old", "lane")), drops


def test_a_device_with_one_queue_has_one_worker(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    b_host.run("ip", "tuntap", "add", "dev", "single0", "mode", "tap")
    b_host.run("ip", "addr", "add", f"{B_OVERLAY}/24", "dev", "single0")
    b_host.run("ip", "link", "set", "single0", "up")
    a = labs.receiver(a_host, backbone, "-workers", 2)
    b = b_host.node("-backbone", backbone.url, "-tap", "single0", "-connect", a.id, "-workers", 4)
    b_host.wait_ping(A_OVERLAY, 5)
    assert b.status()["workers"] == 1 and a.status()["workers"] == 2
    assert "single0 has 1 queue: as many data workers" in b.log()
    assert b.host.throughput(a.host, A_OVERLAY, seconds=1) > 1e8


def test_peers_of_one_worker_keep_all_workers_of_a_hub_busy(lab):
    *spokes, hub_host, server, _ = lab.internet(sites=("p0", "p1", "p2", "p3", "hub"))
    backbone = server.backbone()
    hub = labs.receiver(hub_host, backbone, "-workers", 4, "-profile", address=HUB)
    nodes = [labs.sender(spoke, backbone, hub, "-workers", 1, address=f"10.10.10.{10 + n}") for n, spoke in enumerate(spokes)]
    for node in nodes:
        node.host.wait_ping(HUB, 10)
    since = len(hub.log())
    for node in nodes:
        assert node.host.ping(HUB, count=PINGS, interval=0.005).lost == 0
        node.host.iperf(hub.host, HUB, amount="32M")

    def received():
        counts = re.findall(r"\[PROFILE-UDP-RECV\] worker=(\d) n=(\d+)", hub.log()[since:])
        return {worker: sum(int(count) for of, count in counts if of == worker) for worker, _ in counts}

    # Four for bulk flows, and one for pings. Of batches: some hold more than one datagram.
    labs.wait_for(lambda: len(received()) == 5 and min(received().values()) >= PINGS // 2, 5, "every worker of the hub received")
