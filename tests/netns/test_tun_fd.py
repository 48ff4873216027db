# SPDX-License-Identifier: Apache-2.0
"""A node of an ordinary user with a TUN that its parent, which is root, opened and passed on as descriptor 7 (-tun-fd).

    A: tap0 10.10.10.4 ═══ tunnel ═══ B (uid 65534): descriptor 7 ── tun0 10.10.10.3, on site-b or in another namespace
"""

import os
import shutil
import signal
from pathlib import Path

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY
from test_rootless import USER, program_for_all

TUN, TAP, NO_PI, VNET_HDR = 0x1, 0x2, 0x1000, 0x4000
FD = 7

# Opens the device, has its own namespace give it an address, and becomes the node.
PARENT = """
import fcntl, os, struct, subprocess, sys
name, flags, address = sys.argv[1], int(sys.argv[2]), sys.argv[3]
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH22x", name.encode(), flags))
for words in (["addr", "add", address + "/24", "dev", name], ["link", "set", name, "up", "mtu", "1400"]):
    subprocess.run(["ip", *words], check=True)
os.dup2(tun, 7)
os.execvp(sys.argv[4], sys.argv[4:])
"""

# Packets are its own: what answers pings is no device at all.
ANSWERER = """
import os, socket, struct, sys
ours, nodes = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if os.fork() == 0:
    ours.close()
    nodes.set_inheritable(True)
    os.dup2(nodes.fileno(), 7)
    os.execvp(sys.argv[1], sys.argv[1:])
nodes.close()
while packet := bytearray(ours.recv(2000)):
    if packet[0] == 0x45 and packet[9] == 1 and packet[20] == 8:
        packet[12:16], packet[16:20], packet[20] = packet[16:20], packet[12:16], 0
        total = struct.unpack_from("!H", packet, 22)[0] + 0x0800
        struct.pack_into("!H", packet, 22, (total & 0xffff) + (total >> 16))
        ours.send(packet)
"""


def given(host, parent, *flags, wait=True, label="given"):
    """A node that a parent starts, given as words before its own, and that has no right."""
    node = host.node("-tun-fd", FD, *flags, start=False, label=label)
    node.take_keys()
    node.run_dir.mkdir(exist_ok=True)
    for path in (node.run_dir, node.keydir, *node.keydir.rglob("*")):
        shutil.chown(path, USER, USER)
    user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all",
            "env", f"LD_LIBRARY_PATH={host.dir}"]
    node.process = host.start(*parent, *user, program_for_all(host, "shadowmesh-l2"), *node.command()[1:], name=label)
    return node.wait_ready() if wait else node


def opened(flags, name="tun0", address=B_OVERLAY):
    return ["/usr/bin/python3", "-c", PARENT, name, flags, address]


def ways(backbone, host, to):
    return ["-backbone", backbone.url, "-ip", host.address, "-connect", to.id, "-tap-ip", B_OVERLAY]


def processes(node):
    return [node.process.pid, *labs.helpers(node.process).values()]


def holders(node):
    """Those of its processes that have a TUN open."""
    return [pid for pid in processes(node)
            if any("iff:" in info.read_text() for info in Path(f"/proc/{pid}/fdinfo").iterdir())]


def capabilities(pid):
    return next(line.split()[1] for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("CapEff"))


def packet_bytes(node):
    """What a packet of the device has, on average."""
    frames = node.status()["frames"]
    return frames["bytes_from_device"] / frames["from_device"]


@pytest.mark.parametrize("persistent, header", [(False, False), (True, True)])
def test_user_without_rights_serves_the_device_of_its_parent(lab, persistent, header):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    if persistent:
        b_host.ip("tuntap", "add", "dev", "tun0", "mode", "tun", "vnet_hdr")
    b = given(b_host, opened(TUN | NO_PI | VNET_HDR * header), *ways(backbone, b_host, a))
    b_host.wait_ping(A_OVERLAY, 5)
    assert b_host.ping(A_OVERLAY, count=20).lost == 0 and a_host.ping(B_OVERLAY, count=20).lost == 0
    for reverse in (False, True):
        assert b_host.iperf(a_host, A_OVERLAY, amount="8M", reverse=reverse)["end"]["sum_received"]["bytes"] > 1_000_000
    assert (packet_bytes(b) > 10_000) == header, "super-frames with a header, and packets without"
    status = b.status()
    assert status["descriptor"] == {"number": FD, "flags": "read", "virtio_header": header, "interface": True}
    assert ("tso" in status["offloads"]) == header and status["workers"] == 1
    assert (status["device"], status["mtu"], status["addresses"]) == ("tun0", 1400, [f"{B_OVERLAY}/24"])
    assert all(int(capabilities(pid), 16) == 0 for pid in processes(b))
    assert holders(b) == [b.process.pid]
    text = b_host.run(labs.program("shadowmesh"), "status", "-run", b.run_dir).stdout
    assert f"tun0 (descriptor {FD} of another program{'' if header else ', plain packets'})" in text
    assert b.stop() == 0
    assert b_host.exists("tun0") == persistent


def test_device_of_another_namespace_is_not_taken_for_one_of_that_name_here(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    box = lab.host("box")
    b_host.ip("tuntap", "add", "dev", "tun0", "mode", "tun")
    b_host.ip("addr", "add", "10.77.0.1/24", "dev", "tun0")
    b_host.ip("link", "set", "tun0", "up", "mtu", "1300")
    inside = ["ip", "netns", "exec", box.namespace, *opened(TUN | NO_PI | VNET_HDR), "ip", "netns", "exec", b_host.namespace]
    b = given(b_host, inside, *ways(backbone, b_host, a), "-tap-mtu", 1400)
    box.wait_ping(A_OVERLAY, 5)
    assert box.ping(A_OVERLAY, count=10).lost == 0 and a_host.ping(B_OVERLAY, count=10).lost == 0
    status = b.status()
    assert status["descriptor"]["interface"] is False
    assert (status["mtu"], status["addresses"]) == (1400, [f"{B_OVERLAY}/24"])
    assert "is no interface to be seen here" in b.log()


def test_local_socket_passes_plain_packets_and_its_end_ends_the_node(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b = given(b_host, ["/usr/bin/python3", "-c", ANSWERER], *ways(backbone, b_host, a))
    a_host.wait_ping(B_OVERLAY, 5)
    assert a_host.ping(B_OVERLAY, count=10).lost == 0
    assert b.status()["descriptor"] == {"number": FD, "flags": "assumed", "virtio_header": False, "interface": False}
    text = b_host.run(labs.program("shadowmesh"), "status", "-run", b.run_dir).stdout
    assert f"fd {FD} (descriptor {FD} of another program, plain packets as its flags cannot be read, no interface to be seen here)" in text
    os.kill(b.process.pid, signal.SIGKILL)  # the parent alone
    labs.wait_for(lambda: f"device fd {FD} was removed: stopping" in b.log(), 5, "the node is told")


def test_what_is_no_such_device_ends_it_with_a_line(lab):
    host = lab.host("alone")
    tap = [*opened(TAP | NO_PI, "tap5"), "sh", "-c", 'exec "$@"', "sh"]
    refused = ((["env"], "no such descriptor is open"), (tap, "that is a TAP: open it with IFF_TUN"),
               (opened(TUN, "tun5"), "begin with packet information: open it with IFF_NO_PI"),
               (["sh", "-c", 'exec "$@" 7<>/dev/net/tun', "sh"], "no device of it: call TUNSETIFF"),
               (["sh", "-c", 'exec "$@" 7<>/dev/null', "sh"], "that is no TUN"))
    for number, (parent, line) in enumerate(refused):
        node = given(host, parent, "-tap-ip", B_OVERLAY, wait=False, label=f"refused-{number}")
        assert node.process.wait() == 1
        assert [text for text in node.log().splitlines() if f"-tun-fd {FD}: " in text and line in text], node.log()
    node = given(host, opened(TUN | NO_PI), "-tap-ip", "10.10.10.9")
    assert "device tun0 has no address 10.10.10.9/24, by which peers are to reach it" in node.log()
    assert node.status()["addresses"] == [f"{B_OVERLAY}/24"]
    host.ip("addr", "add", "10.10.10.9/24", "dev", "tun0")
    labs.wait_for(lambda: "10.10.10.9/24" in node.status()["addresses"], 5, "its parent's other address")
