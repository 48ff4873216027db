# SPDX-License-Identifier: Apache-2.0
"""What breaks heals by itself: a node that dies, an address that changes, a backbone that goes.

    site-a ──── inet ──── site-b
                 │
              server
"""

import contextlib
import fcntl
import os
import signal
import time

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY, PATIENCE


@pytest.mark.parametrize("who", ["A", "B"])
def test_killed_node_is_back_within_5_seconds_of_its_start(lab, figure, who):
    a, b, _, _ = labs.reference_pair(lab)
    stream = b.host.ping_stream(A_OVERLAY)
    stream.wait_replies(100, 5)
    victim = a if who == "A" else b
    victim.kill()
    victim.start()
    # B's ping runs into an unreachable network while B has no device; what counts is when frames pass again.
    seconds = b.host.wait_ping(A_OVERLAY, 5)
    a.host.ping(B_OVERLAY, count=3)
    figure(f"kill -9 of {who}: back {seconds:.2f} s after its new start")


def test_killed_and_restarted_many_times(lab):
    a, b, _, _ = labs.reference_pair(lab)
    for victim in (a, b, a, b, a):
        victim.kill()
        victim.start()
        b.host.wait_ping(A_OVERLAY, 5)


def test_both_killed_at_once(lab):
    a, b, _, _ = labs.reference_pair(lab)
    a.kill()
    b.kill()
    b.start()
    a.start()
    b.host.wait_ping(A_OVERLAY, 5)


def test_frozen_node_is_missed_and_resumes(lab):
    a, b, _, _ = labs.reference_pair(lab)
    a.process.send_signal(signal.SIGSTOP)
    labs.wait_for(lambda: not b.host.answers(A_OVERLAY), 3, "no answer from a frozen node")
    labs.wait_for(lambda: b.peer(a).get("state") != "connected", 20, "B's status misses A")
    a.process.send_signal(signal.SIGCONT)
    b.host.wait_ping(A_OVERLAY, 5)
    b.host.ping(A_OVERLAY, count=10)


@pytest.mark.parametrize("who", ["A", "B"])
def test_address_change_costs_less_than_2_seconds(lab, figure, who):
    a, b, _, inet = labs.reference_pair(lab)
    host, subnet = (a.host, "198.51.100") if who == "A" else (b.host, "198.51.101")
    stream = b.host.ping_stream(A_OVERLAY)
    stream.wait_replies(100, 5)
    at = stream.last()
    host.ip("addr", "add", f"{subnet}.77/24", "dev", "eth0")
    host.ip("addr", "del", f"{subnet}.2/24", "dev", "eth0")
    # The kernel took the secondary address along with the first, and the route with both.
    host.ip("addr", "replace", f"{subnet}.77/24", "dev", "eth0")
    host.ip("route", "replace", "default", "via", f"{subnet}.1")
    stream.wait_sequence(at + 300, 20)
    stream.stop()
    gap = stream.longest_gap(after=at - 10)
    figure(f"the address of {who} is replaced: {gap:.2f} s without an answer")
    assert gap < 2.0 * PATIENCE
    other = b if who == "A" else a
    assert other.peer(a if who == "A" else b)["path"]["remote"] == f"{subnet}.77:9443"


def test_link_that_goes_down_and_up_again(lab):
    a, b, _, inet = labs.reference_pair(lab)
    inet.ip("link", "set", "site-b", "down")
    labs.wait_for(lambda: not b.host.answers(A_OVERLAY), 3, "no answer while the link is down")
    for node, other in ((a, b), (b, a)):
        labs.wait_for(lambda: node.peer(other).get("state") != "connected", 20, "both miss each other")
    inet.ip("link", "set", "site-b", "up")
    b.host.wait_ping(A_OVERLAY, 5)


def test_dead_backbone_costs_nothing_and_a_new_one_learns_both(lab, figure):
    a, b, backbone, _ = labs.reference_pair(lab)
    labs.wait_for(lambda: backbone.knows(a) and backbone.knows(b), 5, "both are registered")
    stream = b.host.ping_stream(A_OVERLAY)
    stream.wait_replies(100, 5)
    backbone.kill()
    stream.wait_replies(500, 15)
    # One without memory: whoever is listed there has registered anew.
    backbone.data = backbone.host.dir / "another-data-folder"
    backbone.start()
    start = time.monotonic()
    labs.wait_for(lambda: backbone.knows(a) and backbone.knows(b), 20, "both register with the new backbone")
    figure(f"backbone killed and replaced: both registered anew after {time.monotonic() - start:.1f} s")
    stream.stop()
    assert stream.lost() == []


def test_restarted_backbone_has_forgotten_nobody(lab):
    a, b, backbone, _ = labs.reference_pair(lab)
    labs.wait_for(lambda: backbone.knows(a) and backbone.knows(b), 5, "both are registered")
    b.kill()
    backbone.kill()
    backbone.start()
    assert backbone.knows(a) and backbone.knows(b)
    b.start()
    b.host.wait_ping(A_OVERLAY, 5)


def test_killed_helper_processes_come_back_and_it_is_told_once(lab):
    a, b, backbone, _ = labs.reference_pair(lab)
    stream = b.host.ping_stream(A_OVERLAY)
    for title, told in (("shadowmesh-l2: backbone", "backbone"), ("shadowmesh-l2: names", "name look-ups")):
        pid = labs.helpers(a.process)[title]
        os.kill(pid, signal.SIGKILL)
        labs.wait_for(lambda: labs.helpers(a.process).get(title, pid) != pid, 5, f"another {title}")
        a.process.wait_log(rf"{told}: its process ended \(signal 9, Killed\): another one is started")
    backbone.kill()
    backbone.start()
    labs.wait_for(lambda: backbone.knows(a), 20, "A's registration by the new process")
    assert a.log().count("another one is started") == 2
    stream.stop()
    assert not stream.lost()


def test_stopped_helper_does_not_outlive_the_node(lab):
    a, _, _, _ = labs.reference_pair(lab)
    helpers = labs.helpers(a.process)
    for title in ("shadowmesh-l2: backbone", "shadowmesh-l2: names"):
        os.kill(helpers[title], signal.SIGSTOP)
    assert a.stop() == 0
    labs.wait_for(lambda: not any(labs.Path(f"/proc/{pid}").exists() for pid in helpers.values()), 5, "the helpers' end")


def test_node_whose_helpers_are_all_killed_says_so_and_carries_on(lab):
    a, b, _, _ = labs.reference_pair(lab)
    for pid in labs.helpers(a.process).values():
        os.kill(pid, signal.SIGSTOP)  # so that none starts another
    for pid in labs.helpers(a.process).values():
        os.kill(pid, signal.SIGKILL)
    for told in ("backbone", "name look-ups"):
        a.process.wait_log(f"{told}: its process ended, and so did the one that would start another: restart the node")
    b.host.ping(A_OVERLAY, count=5)
    assert a.stop() == 0


def test_node_restarts_while_the_backbone_is_away(lab):
    """A is dialled at the address it is known to have; who is restarted finds it by its own dialling."""
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b = b_host.node("-backbone", backbone.url, "-tap-ip", B_OVERLAY, "-connect", f"{a.id}@{a_host.address}")
    b_host.wait_ping(A_OVERLAY, 5)
    backbone.kill()
    a.kill()
    a.start()
    b_host.wait_ping(A_OVERLAY, 5)
    b.kill()
    b.start()
    b_host.wait_ping(A_OVERLAY, 5)


@contextlib.contextmanager
def small_pipe():
    """(read end, write end) of a pipe that holds 4,096 bytes."""
    reader, writer = os.pipe()
    try:
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def read_until(reader, word, seconds):
    """Reads a pipe until a word came."""
    os.set_blocking(reader, False)
    text = b""

    def found():
        nonlocal text
        with contextlib.suppress(BlockingIOError):
            while more := os.read(reader, 65536):
                text += more
        return word.encode() in text
    labs.wait_for(found, seconds, f"{word!r} on stderr")


def test_log_that_nobody_reads_stops_nothing(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a, start=False, verbose=True)
    with small_pipe() as (reader, writer):
        b.process = b_host.start(*b.command(), name="node", stderr=writer)
        b.wait_ready()
        b_host.wait_ping(A_OVERLAY, 5)
        b_host.ping(A_OVERLAY, count=1000, interval=0.005)
        assert b.peer(a).get("state") == "connected"
        read_until(reader, "lost: the reader of the log is slow", 5)
        b_host.ping(A_OVERLAY, count=1000, interval=0.005)
        assert b.process.stop(seconds=2) == 0


def test_backbone_whose_log_nobody_reads_serves_and_ends(lab):
    _, _, server, _ = lab.internet()
    backbone = server.backbone(start=False)
    with small_pipe() as (_, writer):
        assert os.write(writer, bytes(4096)) == 4096
        backbone.process = server.start(*backbone.command(), name="backbone", stderr=writer)
        labs.wait_for(lambda: backbone.get("/health")[0] == 200, 10, "the backbone's /health")
        assert backbone.process.stop(seconds=2) == 0


@pytest.mark.parametrize("program", ["node", "backbone"])
def test_reader_of_the_log_that_leaves_ends_nothing(lab, program):
    _, _, server, _ = lab.internet()
    backbone = server.backbone(start=False)
    node = server.node("-tap-ip", B_OVERLAY, "-tap-netmask", 24, "-public", start=False, verbose=True)
    with small_pipe() as (reader, writer):
        nobody = os.dup(writer)
        os.dup2(os.open("/dev/null", os.O_RDONLY), reader)
        if program == "node":
            node.process = server.start(*node.command(), name="node", stderr=nobody)
            process = node.wait_ready().process
        else:
            process = backbone.process = server.start(*backbone.command(), name="backbone", stderr=nobody)
            labs.wait_for(lambda: backbone.get("/health")[0] == 200, 10, "the backbone's /health")
        os.close(nobody)
        assert process.stop() == 0


@pytest.mark.parametrize("streams", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_nobody_elses(lab, streams):
    """What a program opens first takes the number of a closed stream: what is said would go there."""
    host, *_ = lab.internet(("site-a",))
    node = host.node("-tap-ip", A_OVERLAY, "-public", start=False)
    assert node.id
    node.process = host.start("sh", "-c", f'exec "$0" "$@" {streams}', *node.command(), name="node")
    node.wait_ready()
    for number in "012":
        if streams[0] == "<" or number != "0":
            target = os.readlink(f"/proc/{node.process.pid}/fd/{number}")
            assert target == "/dev/null" or "log" in target
    assert node.stop() == 0


def test_id_that_cannot_be_written_is_told_in_the_log(lab):
    host, *_ = lab.internet(("site-a",))
    node = host.node("-tap-ip", A_OVERLAY, "-public", start=False)
    full = host.run("sh", "-c", 'exec "$0" "$@" >/dev/full', *node.command(), "-generate-keys", check=False)
    assert full.returncode == 1 and f"the peer id {node.id} cannot be written to the standard output" in full.stderr
    node.process = host.start("sh", "-c", 'exec "$0" "$@" >/dev/full', *node.command(), name="node")
    node.process.wait_log(f"the peer id {node.id} cannot be written to the standard output: No space left on device")
    node.wait_ready()
    assert node.stop() == 0
