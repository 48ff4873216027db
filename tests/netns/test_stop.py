# SPDX-License-Identifier: Apache-2.0
"""A node that is told to end does so at once, undoes what it did, and says it, whatever it waits for.

    site-a ──── inet ──── site-b
                 │
              server           203.0.113.77 is routed into nowhere: who sends there never hears anything
"""

import signal

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY

STOP_SECONDS = 2
NOWHERE = "203.0.113.77"
SOMEBODY = "ab" * 20

SILENT_SERVER = ("import socket, time\n"
                 "server = socket.create_server(('', 8080))\n"
                 "print('listening', flush=True)\n"
                 "held = []\n"
                 "while True: held.append(server.accept()); print('accepted', flush=True)\n")


# Answers one name, and no other ever.
NAME_SERVER = ("import socket, sys\n"
               "server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
               "server.bind(('', 53))\n"
               "print('listening', flush=True)\n"
               "while True:\n"
               "    question, asker = server.recvfrom(512)\n"
               "    print('asked', question, flush=True)\n"
               "    if b'\\x04good' not in question: continue\n"
               "    is_a = question[12:].split(b'\\0', 1)[1][:2] == b'\\0\\x01'\n"
               "    answer = b'\\xc0\\x0c\\0\\x01\\0\\x01\\0\\0\\0\\x05\\0\\x04' + socket.inet_aton(sys.argv[1])\n"
               "    end = 12 + question[12:].index(b'\\0') + 5\n"
               "    server.sendto(question[:2] + b'\\x81\\x80\\0\\x01\\0' + bytes([is_a]) + b'\\0\\0\\0\\0'\n"
               "                  + question[12:end] + (answer if is_a else b''), asker)\n")


def internet(lab):
    *hosts, inet = lab.internet()
    inet.ip("route", "add", "blackhole", NOWHERE)
    return *hosts, inet


def is_dialling(host, to=NOWHERE):
    return to in host.run("ss", "-Htn", "state", "syn-sent", echo=False).stdout


def start_asking(node, nameserver, options=""):
    """Starts the node on a machine whose name server is this one. The namespace's mounts are its own."""
    path = node.host.dir / "resolv.conf"
    path.write_text(f"nameserver {nameserver}\n{options}")
    node.process = node.host.start("sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', path, *node.command(),
                                   name=node.label)
    node.wait_ready()


def settings(host, device):
    return host.run("sh", "-c", f"grep -rHs . /proc/sys/net/ipv4/conf/{device} | sort", echo=False).stdout


def ends_in_time(node):
    assert node.process.stop(seconds=STOP_SECONDS) == 0
    assert not node.host.exists("tap0")


def test_dial_that_hangs_does_not_hold_up_the_end(lab):
    host, *_ = internet(lab)
    node = host.node("-tap-ip", A_OVERLAY, "-connect", f"{SOMEBODY}@{NOWHERE}")
    labs.wait_for(lambda: is_dialling(host), 5, "a dial that hangs")
    ends_in_time(node)


def test_unreachable_address_of_a_connected_peer_does_not_hold_up_the_end(lab):
    a_host, b_host, server, _ = internet(lab)
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b = b_host.node("-backbone", backbone.url, "-tap-ip", B_OVERLAY, "-connect", f"{a.id}@{NOWHERE}")
    b_host.wait_ping(A_OVERLAY, 5)
    ends_in_time(b)
    ends_in_time(a)


def test_frozen_peer_does_not_hold_up_the_end(lab):
    a, b, _, _ = labs.reference_pair(lab)
    a.process.send_signal(signal.SIGSTOP)
    ends_in_time(b)
    a.process.send_signal(signal.SIGCONT)
    ends_in_time(a)


def test_resolver_that_never_answers_does_not_hold_up_the_end(lab):
    host, *_ = internet(lab)
    node = host.node("-tap-ip", A_OVERLAY, "-connect", f"{SOMEBODY}@peer.example", start=False)
    start_asking(node, NOWHERE)
    labs.wait_for(lambda: NOWHERE in host.run("ss", "-Hun", echo=False).stdout, 5, "a question to the name server")
    ends_in_time(node)


def test_resolver_that_never_answers_for_the_backbone_does_not_hold_up_the_end(lab):
    host, *_ = internet(lab)
    node = host.node("-tap-ip", A_OVERLAY, "-backbone", "http://backbone.example:8080", start=False)
    start_asking(node, NOWHERE)
    labs.wait_for(lambda: NOWHERE in host.run("ss", "-Hun", echo=False).stdout, 5, "a question to the name server")
    node.process.wait_log(r"cannot be reached \(no name server answers within 3 s\)")
    ends_in_time(node)


def lookups(node):
    """The processes that look names up at present."""
    helper = labs.helpers(node.process)["shadowmesh-l2: names"]
    return labs.children(helper)


def test_names_that_hang_hold_up_no_other_name(lab):
    a_host, b_host, server, _ = internet(lab)
    names = server.start("/usr/bin/python3", "-c", NAME_SERVER, a_host.address, name="names")
    names.wait_log("listening")
    a = a_host.node("-tap-ip", A_OVERLAY, "-public")
    hanging = [f"hang{i}.example" for i in range(6)]
    dials = [word for i, name in enumerate(hanging) for word in ("-connect", f"{i:040x}@{name}")]
    b = b_host.node("-tap-ip", B_OVERLAY, *dials, "-connect", f"{a.id}@good.example", start=False)
    start_asking(b, server.address, "options timeout:1 attempts:2\n")
    b_host.wait_ping(A_OVERLAY, 5)
    for name in hanging:
        b.process.wait_log(f"{name}: the name cannot be looked up")
    asked = names.log().count("hang0")
    labs.wait_for(lambda: lookups(b), 15, "they are asked again")
    at_once = []
    labs.wait_for(lambda: at_once.append(len(lookups(b))) or names.log().count("hang0") >= asked + 4, 15, "and again")
    assert max(at_once) <= len(hanging)
    assert all(b.log().count(f"{name}: the name cannot") == 1 for name in hanging)
    hang = labs.wait_for(lambda: lookups(b), 30, "they are asked again")
    started = [*labs.helpers(b.process).values(), *hang]
    ends_in_time(b)
    labs.wait_for(lambda: not any(labs.Path(f"/proc/{pid}").exists() for pid in started), 2, "the helpers' end")


def test_name_server_at_a_link_local_address_is_asked(lab):
    host, _, _, inet = internet(lab)
    host.wait_addresses_settled()
    shown = inet.run("ip", "-6", "-o", "addr", "show", "dev", host.name, "scope", "link", echo=False).stdout
    router = shown.split("inet6 ")[1].split("/")[0]
    node = host.node("-tap-ip", A_OVERLAY, "-connect", f"{SOMEBODY}@peer.example", start=False)
    capture = inet.capture(host.name, "udp port 53")
    start_asking(node, f"{router}%eth0")
    node.process.wait_log("peer.example: the name cannot be looked up")
    assert any(b"\x04peer\x07example" in frame for frame in capture.stop())


def test_name_that_fails_is_told_once(lab):
    host, *_ = internet(lab)
    node = host.node("-tap-ip", A_OVERLAY, "-connect", f"{SOMEBODY}@peer.example", start=False)
    start_asking(node, "127.0.0.1")  # where nobody listens
    node.process.wait_log("peer.example: the name cannot be looked up")
    questions = "awk '/^Udp: [0-9]/ {print $3}' /proc/net/snmp"
    asked = int(host.run("sh", "-c", questions, echo=False).stdout)
    labs.wait_for(lambda: int(host.run("sh", "-c", questions, echo=False).stdout) >= 3 * asked, 15, "it is asked again")
    assert node.log().count("peer.example: the name cannot be looked up") == 1


def test_backbone_that_never_answers_does_not_hold_up_the_end(lab):
    host, _, server, _ = internet(lab)
    silent = server.start("/usr/bin/python3", "-c", SILENT_SERVER, name="silent")
    silent.wait_log("listening")
    node = host.node("-tap-ip", A_OVERLAY, "-backbone", f"http://{server.address}:8080")
    silent.wait_log("accepted")
    ends_in_time(node)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_signal_ends_it_with_one_line_and_undoes_all(lab, number):
    a_host, b_host, server, _ = internet(lab)
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b_host.add_tap("site", f"{B_OVERLAY}/24")
    before = settings(b_host, "site")
    b = b_host.node("-backbone", backbone.url, "-tap", "site", "-connect", a.id)
    b_host.wait_ping(A_OVERLAY, 5)
    assert b.process.stop(number, STOP_SECONDS) == 0
    assert settings(b_host, "site") == before and not list(b.run_dir.iterdir())
    assert b.log().count("stopping") == 1 and f"{number.name}: stopping" in b.log()


def test_removed_device_is_told_once_and_is_no_failure(lab):
    host, *_ = internet(lab)
    node = host.node("-tap-ip", A_OVERLAY, "-workers", "2")
    host.ip("link", "del", "tap0")
    assert node.process.wait(5) == 0
    assert node.log().count("tap0 was removed: stopping") == 1 and node.log().count("stopping") == 1


def test_reader_of_the_log_that_leaves_at_once_ends_nothing(lab):
    host, *_ = internet(lab)
    node = host.node("-tap-ip", A_OVERLAY, start=False)
    assert node.id
    node.process = host.start("sh", "-c", '"$@" 2>&1 | true', "sh", *node.command(), name=node.label)
    node.wait_ready()


def test_backbone_at_an_address_that_never_answers_is_no_matter_of_names(lab):
    host, *_ = internet(lab)
    node = host.node("-tap-ip", A_OVERLAY, "-backbone", f"http://{NOWHERE}:8080")
    node.process.wait_log(r"cannot be reached \(no connection within 3 s\)")
    ends_in_time(node)
