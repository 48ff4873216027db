# SPDX-License-Identifier: Apache-2.0
"""What `make dist` makes needs nothing of the system that it is copied to: the reference scenario with each program in
the root of an old Debian, of a musl system, and of a folder that has no file but the programs and /etc/hosts.

    site-a 198.51.100.2 ────┐            ┌──── site-b 198.51.101.2
    chroot, tap0 10.10.10.4  ├── inet ────┤     chroot, tap0 10.10.10.3
                             └─── server ─┘
                                  chroot, shadowmesh-backbone
"""

import hashlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY, Backbone, Node

pytestmark = pytest.mark.dist
PROGRAMS = ("shadowmesh", "shadowmesh-l2", "shadowmesh-backbone")
ARCHITECTURES = {"amd64": ("X86-64", []), "arm64": ("AArch64", ["qemu-aarch64"])}
SYSTEMS = {  # release and packages that the root has
    "debian-11": ("bullseye", ["base-files", "bash", "coreutils", "libc-bin", "netbase"]),
    "musl": ("bookworm", ["musl"]),
    "bare": None,
}
BACKBONE = "rendezvous.example"


def dist(program, arch):
    return Path(labs.program(f"{program}-linux-{arch}"))


def make_root(folder, system):
    if SYSTEMS[system]:
        release, packages = SYSTEMS[system]
        script = labs.ROOT / "tools" / "unpacked.sh"
        done = subprocess.run([script, "amd64", release, *packages], check=True, stdout=subprocess.PIPE, text=True)
        shutil.copytree(done.stdout.strip(), folder, symlinks=True)
    for name in ("dev", "proc", "sys", "etc"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "etc/hosts").write_text(f"203.0.113.2 {BACKBONE}\n")
    for program in PROGRAMS:
        shutil.copy(dist(program, "amd64"), folder / program)
    return folder


class Root:
    """Commands of a host, run in the root: of this machine it has devices, /proc, /sys and the lab's own folder."""

    def __init__(self, lab, system):
        self.path, self.lab_dir = make_root(lab.dir / "root", system), lab.dir

    def command(self, program, *argv):
        inner = self.path / str(self.lab_dir).lstrip("/")
        inner.mkdir(parents=True, exist_ok=True)
        mounts = {"--rbind /dev": "dev", "-t proc proc": "proc", "--rbind /sys": "sys", f"--bind {self.lab_dir}": inner}
        script = "\n".join(f"mount {what} {shlex.quote(str(self.path / where))}" for what, where in mounts.items())
        return ["unshare", "--mount", "sh", "-ec", f'{script}\nexec chroot "$@"', "sh", self.path, f"/{program}", *argv]


class RootedNode(Node):
    def __init__(self, host, root, *flags):
        super().__init__(host, flags)
        self.root = root

    def command(self):
        return self.root.command("shadowmesh-l2", *super().command()[1:])


class RootedBackbone(Backbone):
    def __init__(self, host, root):
        super().__init__(host)
        self.root = root

    @property
    def url(self):
        return f"http://{BACKBONE}:{self.port}"

    def command(self):
        return self.root.command("shadowmesh-backbone", *super().command()[1:])


@pytest.mark.parametrize("system", SYSTEMS)
def test_copied_programs_run_on(system, lab):
    a_host, b_host, server, _ = lab.internet()
    root = Root(lab, system)
    before = a_host.network_state()
    backbone = RootedBackbone(server, root).start()
    shared = ("-backbone", backbone.url, "-port", 9443)
    a = RootedNode(a_host, root, *shared, "-tap-ip", A_OVERLAY, "-public").start()
    b = RootedNode(b_host, root, *shared, "-tap-ip", B_OVERLAY, "-connect", a.id).start()
    b_host.wait_ping(A_OVERLAY, 10)
    b_host.ping(A_OVERLAY, count=20)
    table = b_host.run(*root.command("shadowmesh", "status", "-run", b.run_dir)).stdout
    assert A_OVERLAY in table and "direct" in table and f"http://{BACKBONE}:8080, reached" in table, table
    assert b.status()["sandbox"]["seccomp"]
    assert [b.stop(), a.stop(), backbone.stop()] == [0, 0, 0]
    assert a_host.network_state() == before


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_copied_program_is_one_file(program, arch):
    path, (machine, run) = dist(program, arch), ARCHITECTURES[arch]
    told = subprocess.run(["readelf", "-W", "-h", "-l", "-d", path], check=True, capture_output=True, text=True).stdout
    assert re.search(rf"Machine: .*{machine}$", told, re.MULTILINE)
    assert not re.search("INTERP|NEEDED", told)
    digest, name = Path(f"{path}.sha256").read_text().split()
    assert (digest, name) == (hashlib.sha256(path.read_bytes()).hexdigest(), path.name)
    said = subprocess.run([*run, path, "--version"], check=True, capture_output=True, text=True).stdout
    assert re.match(rf"{program} \d", said)
