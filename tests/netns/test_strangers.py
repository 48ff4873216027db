# SPDX-License-Identifier: Apache-2.0
"""Strangers without number at a door: IPv6 addresses cost them nothing.

    strangers ── 2001:db8:a::/64 ──┐
    (2001:db8:1::/48 and others)   ├── guard      which runs the node, or the backbone
    friend ───── 2001:db8:b::/64 ──┘
"""

import os

import lab as labs
import pytest
from lab import wait_for

STRANGERS = os.path.join(os.path.dirname(__file__), "strangers.py")
RATE = 1000
REPLAYS = 500  # a second
ONE_SUBNET = "2001:db8:1:1::%x:%x"
SUBNETS_OF_ONE_CUSTOMER = "2001:db8:1:1%02x::%x"
SUBNETS_OF_MANY = "2001:db8:1%02x::%x"
GUARD = "2001:db8:a::1"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Door:
    """The three hosts."""

    def __init__(self, lab):
        self.guard, self.strangers, self.friend = lab.host("guard"), lab.host("strangers"), lab.host("friend")
        for host, subnet in ((self.strangers, "a"), (self.friend, "b")):
            lab.link(self.guard, host.name, host, "eth0")
            self.guard.ip("-6", "addr", "add", f"2001:db8:{subnet}::1/64", "dev", host.name, "nodad")
            host.ip("-6", "addr", "add", f"2001:db8:{subnet}::2/64", "dev", "eth0", "nodad")
            host.ip("-6", "route", "add", "default", "via", f"2001:db8:{subnet}::1")
        self.guard.ip("-6", "route", "add", "2001:db8::/32", "via", "2001:db8:a::2")
        self.strangers.sysctl("net.ipv6.ip_nonlocal_bind", 1)
        self.strangers.ip("-6", "route", "add", "local", "2001:db8:1::/48", "dev", "lo")
        self.strangers.ip("-6", "route", "add", "local", "2001:db8:100::/40", "dev", "lo")

    def come(self, port, seconds, sources, words="-", rate=RATE, keep=3000, name="strangers"):
        """Strangers knock until they are told to stop, or for so many seconds. Returns when they crowd the door."""
        crowd = self.strangers.start("/usr/bin/python3", STRANGERS, GUARD, str(port), str(rate), str(seconds), str(keep), str(words),
                                     sources, name=name)
        crowd.wait_log("coming")
        wait_for(lambda: len(self.guard.run("ss", "-6tnH", "sport", "=", str(port), echo=False).stdout.splitlines()) > 50, 10,
                 "a crowd at the door")
        return crowd


def crowd_has_come(door, count):
    """So many connections were begun since the strangers came, as the kernel of their host counts."""
    counters = door.strangers.run("cat", "/proc/net/snmp", echo=False).stdout.split("Tcp:")
    return int(dict(zip(counters[1].split(), counters[2].split()))["ActiveOpens"]) >= count


def cpu_seconds(process):
    """What the node's control thread, its first one, has used."""
    with open(f"/proc/{process.pid}/task/{process.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def client_hello(door):
    """What a node says first, taken down by a listener that never answers."""
    path = door.strangers.dir / "client-hello"
    script = ("import socket, sys\n"
              "s = socket.create_server(('::', 8443), family=socket.AF_INET6)\n"
              "print('listening', flush=True)\n"
              "c, _ = s.accept()\n"
              "data = c.recv(5)\n"
              "while len(data) < 5 + int.from_bytes(data[3:5], 'big'): data += c.recv(65536)\n"
              "open(sys.argv[1], 'wb').write(data)\n"
              "print('written', flush=True)\n")
    listener = door.guard.start("/usr/bin/python3", "-c", script, str(path), name="listener")
    listener.wait_log("listening")
    bait = door.friend.node("-ip", "2001:db8:b::2", "-port", 9443, "-tap-ip", "10.10.10.9", "-tap-netmask", 24, "-connect",
                            f"{'0' * 40}@[2001:db8:b::1]:8443", label="bait", wait=False)
    listener.wait_log("written")
    bait.kill()
    return path


@pytest.mark.parametrize("sources", [SUBNETS_OF_ONE_CUSTOMER, SUBNETS_OF_MANY], ids=["one-customer", "many-customers"])
# With handshakes both sides compute at a rate that is given: they need the CPUs.
@pytest.mark.parametrize("speaks", [False, pytest.param(True, marks=pytest.mark.alone)], ids=["silent", "handshakes"])
def test_a_known_peer_is_admitted_while_strangers_crowd_the_door(lab, figure, sources, speaks):
    door = Door(lab)
    words = client_hello(door) if speaks else "-"
    friend = door.friend.node("-ip", "2001:db8:b::2", "-port", 9443, "-tap-ip", labs.B_OVERLAY, "-tap-netmask", 24, "-connect",
                              "0" * 40 + "@192.0.2.1", start=False)
    guard = door.guard.node("-ip", GUARD, "-port", 9443, "-tap-ip", labs.A_OVERLAY, "-tap-netmask", 24, "-allow", friend.id)
    crowd = door.come(8443, 60, sources, words)
    before, begin = cpu_seconds(guard.process), os.times().elapsed
    wait_for(lambda: os.times().elapsed - begin > 6, 10, "six seconds of crowd")
    spent = (cpu_seconds(guard.process) - before) / (os.times().elapsed - begin)
    friend.flags[-1] = f"{guard.id}@[2001:db8:b::1]:8443"
    friend.start()
    wait_for(lambda: friend.peer(guard).get("state") == "connected", 3, f"the friend is admitted\n{friend.log()}")
    assert crowd.running
    assert guard.drops()["stranger"] > 1000
    assert spent < 0.5, f"the control thread took {spent:.0%} of a core"
    figure(f"control thread, {RATE} strangers a second: {spent:.0%} of a core")
    crowd.stop()


def threads_seconds(process):
    """What all of its threads have used, those that have ended, too."""
    with open(f"/proc/{process.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def test_replayed_hellos_leave_the_control_thread_to_others(lab, figure):
    """A ClientHello can be said again by anybody, and makes a node exchange keys and sign."""
    door = Door(lab)
    words = client_hello(door)
    guard = door.guard.node("-ip", GUARD, "-port", 9443, "-tap-ip", labs.A_OVERLAY, "-tap-netmask", 24)
    crowd = door.come(8443, 60, SUBNETS_OF_MANY, words, rate=REPLAYS)
    control, every, begin = cpu_seconds(guard.process), threads_seconds(guard.process), os.times().elapsed
    wait_for(lambda: os.times().elapsed - begin > 10, 15, "ten seconds of replays")
    lasted = os.times().elapsed - begin
    spent, others = (cpu_seconds(guard.process) - control) / lasted, (threads_seconds(guard.process) - every) / lasted
    others -= spent
    figure(f"{REPLAYS} replayed ClientHellos a second: control thread {spent:.1%} of a core, all other threads {others:.1%}")
    assert crowd.running
    assert guard.drops()["stranger"] > REPLAYS
    assert others > spent / 4, "what replays cost is paid elsewhere"
    assert spent < 0.2, f"the control thread took {spent:.0%} of a core"
    crowd.stop()


@pytest.mark.alone
@pytest.mark.parametrize("inside, least", [(False, 20), (True, 10)], ids=["from-elsewhere", "from-the-same-subnet"])
def test_a_client_of_the_backbone_is_served_while_one_subnet_crowds_it(lab, inside, least):
    """Who shares the crowd's places has one for 64 ms: a request that takes longer, on a busy machine, is made again."""
    door = Door(lab)
    door.guard.address = "127.0.0.1"
    backbone = door.guard.backbone()
    crowd = door.come(backbone.port, 60, ONE_SUBNET)
    wait_for(lambda: crowd_has_come(door, 2000), 10, "twice as many strangers as there are places")
    client, flags = (door.strangers, ("--interface", "2001:db8:1:1::beef:1")) if inside else (door.friend, ())
    to = f"http://[{GUARD if inside else '2001:db8:b::1'}]:{backbone.port}/v1/info"
    answers = [client.run("curl", "-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", *flags, to, check=False).stdout
               for _ in range(20)]
    assert answers.count("200") >= least, answers
    assert crowd.running
    crowd.stop()
