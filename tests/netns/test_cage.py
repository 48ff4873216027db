# SPDX-License-Identifier: Apache-2.0
"""What the running programs may still do, read from the kernel for each of their threads, while frames pass."""

import re
import signal

import lab as labs
import pytest
from lab import A_OVERLAY

CAP_NET_ADMIN, CAP_SYS_NICE = 1 << 12, 1 << 23

pytestmark = pytest.mark.skipif(labs.SANITIZED != "none", reason="a build with a sanitizer runs without the sandbox")


def threads_of(pid):
    """{thread: {field: value}} of /proc/PID/task/*/status."""
    return {task.name: dict(re.findall(r"^(\w+):[^\S\n]*(.*)$", (task / "status").read_text(), flags=re.MULTILINE))
            for task in labs.Path(f"/proc/{pid}/task").iterdir()}


def threads(process):
    return threads_of(process.pid)


def assert_caged(process, kept):
    for name, status in threads(process).items():
        for field, most in (("CapEff", kept), ("CapPrm", kept), ("CapInh", 0), ("CapBnd", 0), ("CapAmb", 0)):
            assert not int(status[field], 16) & ~most, f"{process.argv}, thread {name}: {field} {status[field]}"
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), f"{process.argv}, thread {name}"


def test_every_thread_is_caged_while_frames_pass(lab):
    a, b, backbone, _ = labs.reference_pair(lab)
    stream = b.host.ping_stream(A_OVERLAY)
    stream.wait_replies(20, 10)
    assert len(threads(a.process)) >= 3  # log, pool, workers
    assert len(threads(backbone.process)) == 8  # its main one, log, arrivals, HTTP, the directory's, STUN, relay, uplinks
    for node in (a, b):
        assert_caged(node.process, CAP_NET_ADMIN | CAP_SYS_NICE)
        assert int(threads(node.process)[str(node.process.pid)]["CapEff"], 16) & CAP_NET_ADMIN
    assert_caged(backbone.process, 0)
    stream.wait_replies(20, 10)
    assert a.stop() == b.stop() == backbone.stop() == 0


def test_helper_processes_are_caged_and_nobodys(lab):
    host, _, server, _ = lab.internet()
    backbone = server.backbone()
    node = host.node("-tap-ip", A_OVERLAY, "-backbone", backbone.url, "-forward", f"tcp:7000:{labs.B_OVERLAY}:80")
    node.process.wait_log("registered")
    helpers = labs.helpers(node.process)
    assert sorted(helpers) == [f"shadowmesh-l2: {name}" for name in ("backbone", "doors", "helpers", "names", "portmap")]
    nobody = ["65534"] * 4
    for title, pid in helpers.items():
        for name, status in threads_of(pid).items():
            assert [int(status[field], 16) for field in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")] == [0] * 5, title
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), f"{title}, thread {name}"
            assert status["Uid"].split() == status["Gid"].split() == nobody and not status["Groups"].strip(), title
            assert "VmLck:\t       0 kB" in labs.Path(f"/proc/{pid}/status").read_text(), f"{title} has locked memory"
        links = [str(fd.readlink()) for fd in labs.Path(f"/proc/{pid}/fd").iterdir()]
        assert not [link for link in links if "tun" in link], f"{title} has the TAP"
        # The ends of its channels, what libcurl opens, and for each of four uplinks one and one of each worker, of which one has the
        # sparse flows; the node has more.
        sockets = [link for link in links if link.startswith("socket:")]
        assert len(sockets) <= 8 + 4 * (1 + node.status()["workers"] + 1), sockets


def test_the_file_is_opened_by_a_process_that_reads_beside_it_alone(lab):
    host = lab.host("site-a")
    folder = host.dir / "conf"
    folder.mkdir()
    (folder / "node.conf").write_text(f"tap-ip = {A_OVERLAY}\n")
    node = host.node("-config", folder / "node.conf")
    opener = {title: pid for title, pid in labs.helpers(node.process).items() if title == "shadowmesh-l2: files"}
    for status in threads_of(opener["shadowmesh-l2: files"]).values():
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    (folder / "new").write_text(f"tap-ip = {A_OVERLAY}\nallow = {'0' * 40}\n")
    (folder / "new").rename(folder / "node.conf")
    node.process.send_signal(signal.SIGHUP)
    node.process.wait_log(f"reload: -allow {'0' * 40} added")
    assert node.stop() == 0


def test_status_says_what_holds(lab):
    a, _, _, _ = labs.reference_pair(lab)
    held = a.status()["sandbox"]
    assert "net_admin" in held["capabilities"] and not set(held["capabilities"]) - {"net_admin", "sys_nice"}
    assert held["no_new_privileges"] and held["seccomp"] and isinstance(held["landlock"], int)
    shown = a.host.run(labs.program("shadowmesh"), "status", "-run", a.run_dir).stdout
    line = f"caps {' '.join(held['capabilities'])}, no new privileges, seccomp, "
    line += f"landlock {held['landlock']}" if held["landlock"] else "no landlock on this kernel"
    assert re.search(rf"^  sandbox +{line}$", shown, flags=re.MULTILINE), shown


def test_it_can_be_switched_off(lab):
    host, server, _ = lab.internet(("site-a",))
    node = host.node("-tap-ip", A_OVERLAY, "-sandbox=off")
    assert node.status()["sandbox"] is None and "no sandbox" in node.log()
    assert all(status["Seccomp"] == "0" for pid in labs.helpers(node.process).values() for status in threads_of(pid).values())
    assert "sandbox   off" in host.run(labs.program("shadowmesh"), "status", "-run", node.run_dir).stdout
    assert {status["Seccomp"] for status in threads(node.process).values()} == {"0"}
    backbone = server.start(labs.program("shadowmesh-backbone"), "-data", server.dir / "data", "-sandbox", "off")
    backbone.wait_log("listening")
    assert {status["Seccomp"] for status in threads(backbone).values()} == {"0"}
