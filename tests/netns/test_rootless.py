# SPDX-License-Identifier: Apache-2.0
"""A node of an ordinary user: its device is in namespaces of its own, and this machine's network stays as it was.

    site-a (root) 198.51.100.2 ──── inet ──── 198.51.101.2 site-b (uid 65534)
    tap0 10.10.10.4/24                          └ broker's namespaces: tap0 10.10.10.3/24
"""

import os
import re
import shutil
import signal
from pathlib import Path

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY, wait_for
from test_network_up import command as up
from test_network_up import end_daemons, listed

USER = 65534


def program_for_all(host, name):
    """A copy that every user may run, with what libraries of it are not the system's."""
    copy = host.dir / name
    if not copy.exists():
        shutil.copy(labs.program(name), copy)
        for library in re.findall(r"=> (/(?!usr/|lib)\S+)", host.run("ldd", copy, echo=False).stdout):
            if not (host.dir / Path(library).name).exists():  # a program has it mapped
                shutil.copy(library, host.dir)
    return str(copy)


def as_user(host, *argv, mode=0o666):
    """The words of a command of the user's, before whom /dev/net/tun is as it is by default, or of that mode."""
    tun = host.dir / "tun"
    if not tun.exists():
        os.mknod(tun, 0o020000 | mode, os.makedev(10, 200))
        tun.chmod(mode)
    return ["sh", "-c", 'mount --bind "$0" /dev/net/tun && exec "$@"', tun, "setpriv", f"--reuid={USER}", f"--regid={USER}",
            "--clear-groups", "--inh-caps=-all", "env", f"LD_LIBRARY_PATH={host.dir}", f"HOME={host.dir}", *argv]


def rootless(host, *flags, wait=True, **options):
    node = host.node("-rootless", *flags, start=False, **options)
    node.take_keys()
    node.run_dir.mkdir(exist_ok=True)
    for path in (node.run_dir, node.keydir, *node.keydir.rglob("*")):
        shutil.chown(path, USER, USER)
    node.process = host.start(*as_user(host, program_for_all(host, "shadowmesh-l2"), *node.command()[1:]), name="node")
    return node.wait_ready() if wait else node


def rootless_pair(lab, *flags):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b = rootless(b_host, "-backbone", backbone.url, "-ip", b_host.address, "-tap-ip", B_OVERLAY, "-connect", a.id, *flags)
    return a, b


def broker(node):
    return next(pid for pid in labs.children(node.process.pid) if "broker" in Path(f"/proc/{pid}/cmdline").read_text())


def command(node, *argv):
    """The words by which the user runs a command in the node's network."""
    return as_user(node.host, program_for_all(node.host, "shadowmesh"), "run", "-run", node.run_dir, "--", *argv)


def run(node, *argv):
    return node.host.run(*command(node, *argv), check=False)


def inside(node, *argv):
    """As root, who sees into every namespace."""
    return node.host.run("nsenter", f"--net=/proc/{broker(node)}/ns/net", *argv, check=False)


def pings(node, to=A_OVERLAY):
    return wait_for(lambda: inside(node, "ping", "-c1", "-W1", to).returncode == 0, 10, f"{to} answers")


def capabilities(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return {name: int(value, 16) for name, value in re.findall(r"^(Cap(?:Eff|Prm|Amb)):\s+(\w+)", text, re.MULTILINE)}


def family(pid):
    """A process and all that it started."""
    return [pid, *(below for child in labs.children(pid) for below in family(child))]


def namespaces():
    """The network namespaces that processes are in."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            found.add(os.readlink(path))
        except OSError:
            continue
    return found


def test_reference_scenario_without_a_right_and_without_a_trace(lab):
    a_host, b_host, server, _ = lab.internet()
    before = b_host.network_state()
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b = rootless(b_host, "-backbone", backbone.url, "-ip", b_host.address, "-tap-ip", B_OVERLAY, "-connect", a.id)
    pings(b)
    assert all(value == 0 for pid in family(b.process.pid) for value in capabilities(pid).values())
    assert b_host.network_state() == before
    assert b.status()["sandbox"]["capabilities"] == []
    # The node has the device's queues, and no other process of its.
    holders = [pid for pid in family(b.process.pid) if "/dev/net/tun" in map(os.readlink, Path(f"/proc/{pid}/fd").iterdir())]
    assert holders == [b.process.pid]
    a_host.ping(B_OVERLAY, count=3)
    assert f"{B_OVERLAY}/24" in inside(b, "ip", "addr", "show", "tap0").stdout
    assert "LOOPBACK,UP" in inside(b, "ip", "link", "show", "lo").stdout
    space = os.readlink(f"/proc/{broker(b)}/ns/net")
    assert b.stop() == 0
    wait_for(lambda: space not in namespaces(), 2, "the namespace ends")
    assert b_host.network_state() == before


@pytest.mark.parametrize("victim", ["node", "broker"])
def test_whoever_is_killed_leaves_nothing(lab, victim):
    a, b = rootless_pair(lab)
    pings(b)
    before = b.host.network_state()
    guest = b.host.start(*command(b, "sh", "-c", "echo up; sleep 61.7; :"), name="guest")
    guest.wait_log("^up$")
    space = os.readlink(f"/proc/{broker(b)}/ns/net")
    pids = [*family(b.process.pid), *family(guest.pid)]
    os.kill(b.process.pid if victim == "node" else broker(b), signal.SIGKILL)
    assert b.process.wait() == (-signal.SIGKILL if victim == "node" else 1)
    assert guest.wait() == 1 and "run: the node has ended, and sh with it" in guest.log()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 2, "no process")
    wait_for(lambda: space not in namespaces(), 2, "no namespace")
    assert b.host.network_state() == before
    if victim == "broker":
        assert "the process that holds the namespace of device tap0 has ended: stopping" in b.log()


def test_commands_run_in_the_network_without_a_right(lab):
    a, b = rootless_pair(lab)
    assert wait_for(lambda: run(b, "ping", "-c1", "-W1", A_OVERLAY).returncode == 0, 10, "an answer")
    assert "3 packets transmitted, 3 received" in run(b, "ping", "-c3", "-i0.05", A_OVERLAY).stdout
    told = run(b, "sh", "-c", "id -u; grep Cap /proc/self/status; readlink /proc/self/ns/net /proc/self/ns/user").stdout.split()
    assert told[0] == str(USER)
    assert {told[i + 1] for i, word in enumerate(told) if re.match("Cap(Inh|Prm|Eff|Amb)", word)} == {"0" * 16}
    assert told[-2:] == [os.readlink(f"/proc/{broker(b)}/ns/{kind}") for kind in ("net", "user")]
    listener = a.host.socket(2, 1)
    listener.bind((A_OVERLAY, 7000))
    listener.listen()
    script = f"exec 3<>/dev/tcp/{A_OVERLAY}/7000 && head -c 300000 /dev/zero >&3"
    talker = b.host.start(*command(b, "bash", "-c", script), name="talker")
    listener.settimeout(10 * labs.PATIENCE)
    with listener.accept()[0] as stream:
        stream.settimeout(10 * labs.PATIENCE)
        assert len(b"".join(iter(lambda: stream.recv(65536), b""))) == 300000
    listener.close()
    assert talker.wait() == 0


def test_a_program_with_rights_of_its_own_gets_none(lab):
    b = rootless(lab.host("site-b"), "-tap-ip", B_OVERLAY, "-public")
    reader = b.host.dir / "reader"
    shutil.copy("/usr/bin/cat", reader)
    b.host.run("setcap", "cap_net_raw+ep", reader)
    told = run(b, reader, "/proc/self/status")
    assert told.returncode == 0, told.stderr
    assert re.search(r"^CapEff:\s+0+$", told.stdout, re.MULTILINE) and re.search(r"^NoNewPrivs:\s+1$", told.stdout, re.MULTILINE)


def test_a_commands_end_is_told(lab):
    b = rootless(lab.host("site-b"), "-tap-ip", B_OVERLAY, "-public")
    assert run(b, "sh", "-c", "exit 42").returncode == 42
    assert run(b, "sh", "-c", "kill -9 $$").returncode == 128 + signal.SIGKILL
    missing = run(b, "/no-such-program")
    assert missing.returncode == 127 and missing.stderr == "shadowmesh: run: /no-such-program: No such file or directory\n"
    sleeper = b.host.start(*command(b, "sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done"), name="sleeper")
    sleeper.wait_log("^up$")
    assert sleeper.stop() == 7
    # What it leaves in the background ends with it, also who has a session of its own.
    left = run(b, "sh", "-c", "setsid sleep 61.5 & setsid sh -c 'trap \"\" TERM; sleep 61.6; :' & sleep 0.2")
    assert left.returncode == 0
    assert not [pid for pid in b.host.pids() if "61." in Path(f"/proc/{pid}/cmdline").read_text()]


def told(host, argv):
    """What the node says that the machine refuses: one line, and nothing is left."""
    before = host.pids()
    result = host.run(*argv, check=False)
    assert result.returncode == 1 and result.stderr.count("\n") == 1 and not result.stdout, result
    wait_for(lambda: host.pids() == before, 10, "no process is left")
    return result.stderr


def test_what_the_machine_refuses_is_one_line_with_the_cure(lab):
    host = lab.host("site-b")
    program = program_for_all(host, "shadowmesh-l2")
    (host.dir / "keys").mkdir()
    flags = ["-rootless", "-tap-ip", B_OVERLAY, "-keydir", host.dir / "keys", "-run", host.dir / "run"]
    assert "-rootless: /dev/net/tun may not be opened by this user: as root, chmod 0666 it" in \
        told(host, as_user(host, program, *flags, mode=0o600))
    # A user namespace has limits of its own, which its root sets.
    for limit, cure in (("max_user_namespaces", "sysctl user.max_user_namespaces=10000"),
                        ("max_net_namespaces", "sysctl user.max_net_namespaces=10000")):
        script = f'echo 0 >/proc/sys/user/{limit} && exec "$@"'
        line = told(host, ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", labs.program("shadowmesh-l2"), *flags])
        assert cure in line, line
    assert not list((host.dir / "keys").iterdir())


def test_who_may_not_come_in_is_told_why(lab):
    host = lab.host("site-b")
    b = rootless(host, "-tap-ip", B_OVERLAY, "-public")
    program, where = program_for_all(host, "shadowmesh"), ["-run", b.run_dir]
    other = host.run(program, "run", *where, "--", "true", check=False)
    assert other.returncode == 1 and "its namespaces are another user's: run this as that user" in other.stderr
    assert "no node \"paris\" runs here" in host.run(program, "run", "paris", *where, "--", "true", check=False).stderr
    nothing = host.run(program, "run", *where, check=False)
    assert nothing.returncode == 2 and "run needs a command: shadowmesh run [NODE] -- CMD" in nothing.stderr
    assert b.stop() == 0
    assert host.run(program, "run", *where, "--", "true", check=False).returncode == 3
    plain = host.node("-tap-ip", B_OVERLAY, "-public", keydir=host.dir / "other-keys")
    assert "is in its network already" in host.run(program, "run", *where, "--", "true", check=False).stderr
    assert plain.status()["rootless"] is None


def test_names_of_members_are_found_inside(lab):
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    for host in (a_host, b_host):
        end_daemons(lab, host)
    up(a_host, "up", "home", "-name", "a", "-backbone", backbone.url)
    up(b_host, "join", "-name", "b", stdin=up(a_host, "invite", "home", "-quiet").stdout)
    address = listed(a_host)[0]["addresses"][0].split("/")[0]
    up(b_host, "down", "home")
    before = b_host.hosts.read_text(), Path("/etc/resolv.conf").read_text()
    b = rootless(b_host, "-network", "home", "-backbone", backbone.url, keydir=b_host.dir / "etc/home/state")
    wait_for(lambda: run(b, "getent", "ahostsv4", "a.home.internal").stdout.split()[:1] == [address], 20, "a's name is known")
    assert run(b, "ping", "-c1", "-W5", "a").returncode == 0
    assert [path.name for path in b.run_dir.iterdir() if "resolv" in path.name] == []
    here = run(b, "sh", "-c", "cat /etc/resolv.conf; touch /etc/resolv.conf").stdout.splitlines()
    assert here[-2:] == ["search home.internal", "options timeout:2"] and here[0].startswith("nameserver 10.")
    assert (b_host.hosts.read_text(), Path("/etc/resolv.conf").read_text()) == before


def test_what_is_changed_inside_is_seen(lab):
    a, b = rootless_pair(lab)
    pings(b)
    assert inside(b, "ip", "addr", "add", "10.10.10.33/24", "dev", "tap0").returncode == 0
    wait_for(lambda: "10.10.10.33/24" in b.status()["addresses"], 10, "another address")
    assert inside(b, "ip", "link", "set", "tap0", "down").returncode == 0
    b.process.wait_log("device tap0 was taken down")


def test_tun_inside_is_a_machine_on_the_segment(lab):
    a, b = rootless_pair(lab, "-tun", "auto")
    pings(b)
    assert b.status()["device"] == "tun0"
    assert inside(b, "ip", "addr", "add", "10.10.10.33/24", "dev", "tun0").returncode == 0
    a.host.wait_ping("10.10.10.33", 5)


def test_device_is_none_of_the_machines_interfaces(lab):
    """Interfaces here and inside have the same numbers, and subnets may be the same, too."""
    a, b = rootless_pair(lab)
    b.host.ip("link", "add", "other", "type", "bridge")
    b.host.ip("addr", "add", "10.10.10.99/24", "dev", "other")
    b.host.ip("link", "set", "other", "up")
    pings(b)
    assert b.status()["addresses"] == [f"{B_OVERLAY}/24"]
    assert "overlaps" not in b.log()
    assert a.peer(b)["path"]["remote"].startswith(b.host.address)
