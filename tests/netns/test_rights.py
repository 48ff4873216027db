# SPDX-License-Identifier: Apache-2.0
"""What the programs let others see of themselves, and that they still find out what they tell people about each other."""

import re
import shutil
import socket

import lab as labs
import pytest
from lab import A_OVERLAY


@pytest.fixture
def site(lab):
    return lab.internet(("site-a",))


def core_limits(process):
    text = labs.Path(f"/proc/{process.pid}/limits").read_text()
    return re.search(r"^Max core file size\s+(\S+)\s+(\S+)", text, flags=re.MULTILINE).groups()


def test_no_program_that_holds_keys_dumps_core(site):
    host, server, _ = site
    backbone = server.backbone()
    node = labs.receiver(host, backbone)
    assert core_limits(node.process) == core_limits(backbone.process) == ("0", "0")


def test_who_holds_a_device_or_an_id_is_still_named(site):
    """Both come from the kernel and from /proc, where a hardened process shows less."""
    host, _, _ = site
    host.add_tap("tap7", f"{A_OVERLAY}/24")
    node = host.node("-tap", "tap7", "-public")
    other = [labs.program("shadowmesh-l2"), "-run", host.dir / "run", "-public", "-port", 9543, "-control-port", 8543]
    busy = host.run(*other, "-keydir", host.dir / "other", "-tap", "tap7", check=False)
    assert f"tap7 is held by process {node.process.pid} (shadowmesh-l2)" in busy.stderr
    twice = host.run(*other, "-keydir", node.keydir, "-tap-ip", "10.9.9.1", check=False)
    assert f"runs already, as process {node.process.pid}" in twice.stderr
    assert busy.returncode and twice.returncode


def key_memory(process):
    """Bytes of the mappings that are locked, left out of dumps and wiped on fork, and how much of them is in use."""
    size = used = 0
    for mapping in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", labs.Path(f"/proc/{process.pid}/smaps").read_text(), flags=re.MULTILINE):
        flags = re.search(r"^VmFlags: (.*)$", mapping, re.MULTILINE)
        if flags and {"lo", "dd", "wf"} <= set(flags[1].split()):
            size += int(re.search(r"^Size:\s+(\d+)", mapping, re.MULTILINE)[1]) * 1024
            used += int(re.search(r"^Rss:\s+(\d+)", mapping, re.MULTILINE)[1]) * 1024
    return size, used


def test_memory_with_keys_is_locked(lab):
    a, b, _, _ = labs.reference_pair(lab)
    for node in (a, b):
        size, used = key_memory(node.process)
        memory = node.status()["key_memory"]
        assert size == memory["bytes"] > 0 and memory["unlocked"] == 0
        assert 50_000 < used < 2_000_000
        assert "may not be locked" not in node.log()


def test_memory_with_keys_that_may_not_be_locked_is_told_once(site):
    host, _, _ = site
    node = host.node("-tap-ip", A_OVERLAY, "-public", start=False)
    node.process = host.start("prlimit", "--memlock=0:0", "setpriv", "--bounding-set=-ipc_lock,-sys_resource", "--inh-caps=-all",
                              *node.command(), name=node.label)
    node.wait_ready()
    node.process.wait_log("memory with keys may not be locked, so swap may hold them")
    memory = node.status()["key_memory"]
    assert memory["unlocked"] == memory["bytes"] > 0 and key_memory(node.process) == (0, 0)
    assert node.stop() == 0 and node.log().count("may not be locked") == 1


def file_limits(process):
    """(soft, hard)"""
    line = re.search(r"^Max open files\s+(\d+)\s+(\d+)", labs.Path(f"/proc/{process.pid}/limits").read_text(), re.MULTILINE)
    return int(line[1]), int(line[2])


def limited(node, soft, hard):
    node.take_keys()
    return node.host.start("prlimit", f"--nofile={soft}:{hard}", *node.command(), name=node.label)


def test_as_many_files_may_be_open_as_peers_may_come(site):
    host, _, _ = site
    node = host.node("-tap-ip", A_OVERLAY, "-public", start=False)
    node.process = limited(node, 256, 20000)
    node.wait_ready()
    assert file_limits(node.process) == (656 + 2 * 4096, 20000)
    assert "files may be open" not in node.log()


def test_fewer_files_are_fewer_peers_and_it_is_said(site):
    host, _, _ = site
    ids = ["".join(digit * 40) for digit in "123"]
    flags = ["-tap-ip", A_OVERLAY, "-allow", ids[0], "-allow", ids[1]]
    node = host.node(*flags, start=False)
    node.process = limited(node, 100, 660)
    node.process.wait_log(r"only 660 files may be open: at most 2 peers instead of 4096; `ulimit -Hn 8848`")
    node.wait_ready()
    assert file_limits(node.process) == (660, 660)
    assert node.stop() == 0
    fuller = host.node(*flags, "-allow", ids[2], start=False)
    fuller.process = limited(fuller, 100, 660)
    fuller.process.wait_log("-allow: too many peers, at most 2")
    assert fuller.process.wait() == 1


GROUP = 4242


def asks(node, *verb, group=None):
    """shadowmesh as a user who is nobody here, from where that user can read it."""
    copy = node.host.dir / "shadowmesh"
    copy.write_bytes(labs.Path(labs.program("shadowmesh")).read_bytes())
    copy.chmod(0o755)
    for library in re.findall(r"=> (/(?!usr/|lib)\S+)", node.host.run("ldd", copy, echo=False).stdout):
        shutil.copy(library, node.host.dir)  # where no PREFIX has it, only who built it may read it
    groups = ["--groups", str(group)] if group else ["--clear-groups"]
    return node.host.run("setpriv", "--reuid=65534", "--regid=65534", *groups, "env", f"LD_LIBRARY_PATH={node.host.dir}", copy, *verb, "-run", node.run_dir, check=False)


@pytest.mark.parametrize("sandbox", ["on", "off"])
def test_a_group_may_read_and_others_may_not(lab, sandbox):
    host = lab.internet(("site-a",))[0]
    groups = host.dir / "group"
    groups.write_text(f"root:x:0:\nshadowmesh:x:{GROUP}:\n")
    node = host.node("-tap-ip", A_OVERLAY, "-public", "-sandbox", sandbox, start=False)
    node.process = host.start("unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/group && exec "$@"', groups, *node.command(),
                              name=node.label)
    node.wait_ready()
    for verb in ("status", "peers", "fdb", "id"):
        member, stranger = asks(node, verb, group=GROUP), asks(node, verb)
        assert member.returncode == 0 and not member.stderr
        assert stranger.returncode == 1 and stranger.stderr.count("\n") == 1
        assert "may be read only by root, the user that runs it and the group shadowmesh" in stranger.stderr
    assert node.stop() == 0 and not list(node.run_dir.iterdir())


def test_a_reader_may_not_make_a_node_ping(lab):
    a, b, _, _ = labs.reference_pair(lab)
    labs.wait_for(lambda: a.peer(b).get("path"), 10, "a path")
    reader = a.run_dir / f"{a.id}.ro.sock"
    assert reader.stat().st_mode & 0o777 == 0o600  # no such group here
    (a.run_dir / f"{a.id}.sock").chmod(0o666)
    reader.chmod(0o666)
    assert asks(a, "ping", b.id, "-c1").returncode == 0
    (a.run_dir / f"{a.id}.sock").chmod(0o600)
    refused = asks(a, "ping", b.id, "-c3", "-i", "0.01")
    assert refused.returncode == 1 and refused.stderr.count("try sudo") == 1
    assert "only root and the user that runs the node may make it ping" in refused.stderr
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(reader))
        raw.sendall(b'{"cmd":"ping","peer":"' + b.id.encode() + b'"}\n')
        assert b"this socket is for reading: ping needs the node's other one" in raw.recv(4096)
