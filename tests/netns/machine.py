# SPDX-License-Identifier: Apache-2.0
"""A machine of another architecture: Debian's arm64 kernel in qemu, at a wire of the lab.

It has an initramfs of ours alone: busybox, the modules that the wire and a TAP take, and the programs of `make dist`. What
it is told to do goes through its console, a line each, and so does what it answers.
"""

import json
import re
import shutil
import socket
import stat
import subprocess
from pathlib import Path

import lab as labs

RELEASE = "bookworm"  # Linux 6.1, whose TUN has no USO
MODULES = ("failover", "net_failover", "virtio_mmio", "virtio_net", "tun")  # each behind what it needs
PROGRAMS = ("shadowmesh", "shadowmesh-l2")
INIT = f"""#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /run /tmp
/bin/busybox --install -s /bin
stty -echo
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in {' '.join(MODULES)}; do insmod /modules/$module.ko; done
ip link set lo up
ip addr add $address/24 dev eth0
ip link set eth0 up
ip route add default via $gateway
echo "exit code 0"
while read -r line; do
    sh -c "$line" </dev/null
    echo "exit code $?"
done
poweroff -f
"""


def unpacked():
    """The folder with the kernel, its modules and busybox."""
    script = labs.ROOT / "tools" / "unpacked.sh"
    packages = ("linux-image-arm64", "busybox-static")
    done = subprocess.run([script, "arm64", RELEASE, *packages], check=True, stdout=subprocess.PIPE, text=True)
    return Path(done.stdout.strip())


def make_initramfs(source, folder):
    """Returns the archive, made in folder."""
    root = folder / "root"
    (root / "bin").mkdir(parents=True)
    (root / "modules").mkdir()
    shutil.copy(source / "bin/busybox", root / "bin")
    for module in MODULES:
        [path] = source.glob(f"lib/modules/*/kernel/**/{module}.ko")
        shutil.copy(path, root / "modules")
    for name in PROGRAMS:
        shutil.copy(labs.program(f"{name}-linux-arm64"), root / "bin" / name)
    init = root / "init"
    init.write_text(INIT)
    init.chmod(init.stat().st_mode | stat.S_IXUSR)
    archive = folder / "initramfs"
    with open(archive, "wb") as out:
        names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], check=True, cwd=root, input=names.encode(), stdout=out)
    return archive


class Machine:
    """At SUBNET.2, with the router's SUBNET.1 as its gateway, like Lab.attach's hosts."""

    def __init__(self, lab, name, router, subnet):
        self.lab, self.name, self.address = lab, name, f"{subnet}.2"
        folder = lab.dir / name
        folder.mkdir()
        router.ip("tuntap", "add", "dev", name, "mode", "tap", "vnet_hdr")
        router.ip("addr", "add", f"{subnet}.1/24", "dev", name)
        router.ip("link", "set", name, "up")
        source = unpacked()
        [kernel] = source.glob("boot/vmlinuz-*")
        at = folder / "console"
        self.process = router.start(
            "qemu-system-aarch64", "-M", "virt", "-cpu", "max,pauth-impdef=on", "-smp", 2, "-m", 1024, "-nographic",
            "-no-reboot", "-monitor", "none", "-kernel", kernel, "-initrd", make_initramfs(source, folder),
            "-append", f"console=ttyAMA0 quiet loglevel=3 panic=-1 address={self.address} gateway={subnet}.1",
            "-chardev", f"socket,id=console,path={at},server=on,wait=on,logfile={folder}/console.log",
            "-serial", "chardev:console",
            "-netdev", f"tap,id=wire,ifname={name},script=no,downscript=no,vnet_hdr=on",
            "-device", "virtio-net-device,netdev=wire", name=f"{name}-qemu")
        self.console = socket.socket(socket.AF_UNIX)
        labs.wait_for(lambda: self.console.connect_ex(str(at)) == 0, 10, "the emulator's console")
        self.said = b""
        self.answer(120)

    def answer(self, seconds):
        """(exit code, output) of what was told last."""
        self.console.settimeout(seconds)
        while not (end := re.search(rb"exit code (\d+)\r?\n", self.said)):
            more = self.console.recv(65536)
            assert more, f"{self.name} has stopped: {self.said.decode(errors='replace')}"
            self.said += more
        output, self.said = self.said[:end.start()], self.said[end.end():]
        return int(end[1]), output.decode(errors="replace").replace("\r\n", "\n")

    def tell(self, command):
        """A line for its shell; until the answer is taken there is no other."""
        self.lab.echo(f"[{self.name}] {command}")
        self.console.sendall(command.encode() + b"\n")

    def run(self, command, check=True, seconds=60):
        """What a line for its shell puts out."""
        self.tell(command)
        code, output = self.answer(seconds)
        assert not check or code == 0, f"[{self.name}] {command}: exit code {code}\n{output}"
        return output

    def ping(self, to, count):
        """Pings that were answered."""
        said = self.run(f"ping -c {count} -i 0.2 -W 5 {to}", check=False, seconds=60 + 6 * count)
        return int(re.search(r"(\d+) packets received", said)[1])

    def state(self):
        """What a stopped node must have undone."""
        labs.wait_for(lambda: re.search("inet6 fe80(?!.*tentative)", self.run("ip addr show dev eth0")), 30,
                      "an IPv6 address in use", every=0.5)
        return self.run("ip -o link | cut -d: -f2; ip addr | grep inet; ip route; pidof shadowmesh-l2 || echo no node")

    def node(self, *flags, environment=""):
        """A shadowmesh-l2 that is up."""
        return MachineNode(self, flags, environment)


class MachineNode:
    """With the key of the machine, whose only node it is."""

    def __init__(self, machine, flags, environment):
        self.machine = machine
        self.id = re.search("Peer ID: ([0-9a-f]{40})", machine.run("shadowmesh-l2 -keydir /keys -generate-keys"))[1]
        command = " ".join(map(str, ("exec shadowmesh-l2 -keydir /keys -run /run", *flags)))
        machine.run(f"rm -f /ended; ({environment} sh -c 'echo $$ >/pid; {command}' >/log 2>&1; echo $? >/ended) &")
        labs.wait_for(self.status, 60, "the API of the machine's node", every=1)

    def status(self):
        """None while it does not answer."""
        said = self.machine.run("shadowmesh status --json -run /run 2>/dev/null", check=False)
        nodes = json.loads(said) if said.startswith("[") else []
        return nodes[0] if nodes else None

    def log(self):
        return self.machine.run("cat /log")

    def peer(self, node):
        return next((peer for peer in self.status()["peers"] if peer["id"] == node.id), {})

    def stop(self):
        """Its exit code."""
        self.machine.run("kill -TERM $(cat /pid)")
        ended = labs.wait_for(lambda: self.machine.run("cat /ended 2>/dev/null", check=False), 30, "the end of the node",
                              every=0.5)
        return int(ended)
