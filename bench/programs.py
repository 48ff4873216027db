# SPDX-License-Identifier: Apache-2.0
"""The programs that `make bench` compares, each set up as its own manual sets up two sites, with nothing tuned against it.
docs/BENCHMARKS.md says which settings these are. To add one: a class with its start (program.py), and its line in ALL.
"""

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

import lab as labs
from lab import wait_for
from ours import BackboneRelay, NullCipher, OverTcp, PeerRelay, ShadowMesh, Uplink
from program import A, B, Absent, Program, first_line, last_line


class Veth(Program):
    """The underlay itself: no tunnel."""
    key, title, limit = "veth", "veth", True

    def start_a(self):
        self.a.ip("addr", "add", f"{A}/24", "dev", "eth0")

    def start_b(self):
        self.b.ip("addr", "add", f"{B}/24", "dev", "eth0")

    def stop(self):
        self.a.ip("addr", "del", f"{A}/24", "dev", "eth0", check=False)
        self.b.ip("addr", "del", f"{B}/24", "dev", "eth0", check=False)


class Vxlan(Program):
    """The kernel's own Layer 2 tunnel, without encryption."""
    key, title, limit = "vxlan", "VXLAN", True

    def add(self, host, far, address):
        made = host.ip("link", "add", "vx0", "type", "vxlan", "id", "42", "dstport", "4789", "local", host.address,
                       "remote", far.address, "dev", "eth0", check=False)
        if made.returncode:
            raise Absent(f"this kernel has no VXLAN: {last_line(made.stderr)}")
        self.device(host, "vx0", address)

    def start_a(self):
        self.add(self.a, self.b, A)

    def start_b(self):
        self.add(self.b, self.a, B)

    def stop(self):
        for host in (self.a, self.b):
            host.ip("link", "del", "vx0", check=False)


@functools.cache
def stable():
    """The folder of programs from Debian's current stable release, None when they cannot be had."""
    result = subprocess.run([labs.ROOT / "tools" / "rivals.sh"], stdout=subprocess.PIPE, text=True)
    return Path(result.stdout.strip()) if result.returncode == 0 else None


class OfStable(Program):
    """Debian's current stable release has it newer than older ones, or alone."""

    def missing(self):
        return super().missing() or (None if stable() else f"{self.title} of Debian's stable release cannot be fetched")

    def version(self):
        versions = (stable() / "versions").read_text().splitlines()
        return next(line.replace("\t", " ") for line in versions if line.startswith(self.key))


class WireGuardGo(OfStable):
    """Layer 3: it is spared the Ethernet header."""
    key, title = "wireguard-go", "wireguard-go"
    needs = ("wg",)

    def names(self, host):
        # Its control sockets lie in one folder for all namespaces.
        return f"wg{os.getpid() % 100000}{host.name}"

    def prepare(self):
        self.keys = {}
        for host in (self.a, self.b):
            private = host.run("wg", "genkey").stdout.strip()
            public = host.run("wg", "pubkey", stdin=private).stdout.strip()
            path = host.dir / "wg.key"
            path.write_text(private)
            self.keys[host.name] = (path, public)

    def side(self, host, far, address, far_address):
        name = self.names(host)
        self.run(host, stable() / "wireguard-go", name, environment={"WG_PROCESS_FOREGROUND": "1"})
        self.wait_device(host, name)
        wait_for(lambda: Path(f"/var/run/wireguard/{name}.sock").exists(), 5, "wireguard-go's control socket")
        host.run("wg", "set", name, "private-key", self.keys[host.name][0], "listen-port", "51820", "peer",
                 self.keys[far.name][1], "endpoint", f"{far.address}:51820", "allowed-ips", f"{far_address}/32")
        self.device(host, name, address, mtu=1420)

    def start_a(self):
        self.side(self.a, self.b, A, B)

    def start_b(self):
        self.side(self.b, self.a, B, A)


class Nebula(OfStable):
    """Layer 3. Certificates and addresses of two hosts that know each other's address, no lighthouse; the MTU of its example."""
    key, title = "nebula", "nebula"

    def prepare(self):
        cert = stable() / "nebula-cert"
        self.folder = self.a.dir / "nebula"
        self.folder.mkdir()
        self.a.run(cert, "ca", "-name", "bench", "-out-crt", self.folder / "ca.crt", "-out-key", self.folder / "ca.key")
        for host, far, address, far_address in ((self.a, self.b, A, B), (self.b, self.a, B, A)):
            at = self.folder / host.name
            self.a.run(cert, "sign", "-ca-crt", self.folder / "ca.crt", "-ca-key", self.folder / "ca.key", "-name", host.name, "-ip",
                       f"{address}/24", "-out-crt", f"{at}.crt", "-out-key", f"{at}.key")
            Path(f"{at}.yml").write_text(
                f"pki: {{ca: {self.folder}/ca.crt, cert: {at}.crt, key: {at}.key}}\n"
                f'static_host_map: {{"{far_address}": ["{far.address}:4242"]}}\n'
                "lighthouse: {am_lighthouse: false}\nlisten: {host: 0.0.0.0, port: 4242}\ntun: {dev: nebula0, mtu: 1300}\n"
                "firewall:\n  outbound: [{port: any, proto: any, host: any}]\n  inbound: [{port: any, proto: any, host: any}]\n")

    def side(self, host):
        self.run(host, stable() / "nebula", "-config", f"{self.folder / host.name}.yml")
        self.wait_device(host, "nebula0")

    def start_a(self):
        self.side(self.a)

    def start_b(self):
        self.side(self.b)


class OpenVpn(Program):
    """TAP, TLS, AES-256-GCM, over UDP; in user space (DCO has no TAP)."""
    key, title = "openvpn", "OpenVPN"
    needs = ("openvpn", "openssl")

    def version(self):
        return " ".join(first_line("openvpn", "--version").split()[:2])

    def prepare(self):
        folder = self.a.dir / "openvpn"
        folder.mkdir()
        new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1", "-nodes", "-days", 2]
        self.a.run(*new, "-x509", "-subj", "/CN=bench-ca", "-keyout", folder / "ca.key", "-out", folder / "ca.crt")
        for serial, name in enumerate("ab", 2):
            self.a.run(*new, "-subj", f"/CN={name}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr")
            self.a.run("openssl", "x509", "-req", "-in", folder / f"{name}.csr", "-CA", folder / "ca.crt", "-CAkey",
                       folder / "ca.key", "-set_serial", serial, "-days", 2, "-out", folder / f"{name}.crt")
        self.folder = folder

    def side(self, host, far, address, *role):
        return self.run(host, "openvpn", "--dev", "ovpn0", "--dev-type", "tap", "--proto", "udp", "--remote", far.address,
                        "--port", 1194, "--ca", self.folder / "ca.crt", "--cert", self.folder / f"{host.name}.crt", "--key",
                        self.folder / f"{host.name}.key", "--cipher", "AES-256-GCM", "--data-ciphers", "AES-256-GCM",
                        "--ifconfig", address, "255.255.255.0", *role)

    def start_a(self):
        self.side(self.a, self.b, A, "--tls-server", "--dh", "none")
        self.wait_device(self.a, "ovpn0")

    def start_b(self):
        self.side(self.b, self.a, B, "--tls-client")


class Tinc(Program):
    """Switch mode; ciphers as they come (1.0: AES-256-CBC and HMAC-SHA-256, 1.1: ChaCha20-Poly1305)."""
    key, title = "tinc", "tinc"
    needs = ("tincd",)

    def version(self):
        return first_line("tincd", "--version")

    def prepare(self):
        hosts = {}
        for host, far in ((self.a, self.b), (self.b, self.a)):
            folder = host.dir / "tinc"
            (folder / "hosts").mkdir(parents=True)
            connect = f"ConnectTo = {far.name}\n" if host is self.b else ""
            (folder / "tinc.conf").write_text(f"Name = {host.name}\nMode = switch\nDeviceType = tap\nInterface = tinc0\n"
                                              f"AddressFamily = ipv4\n{connect}")
            own = folder / "hosts" / host.name
            own.write_text(f"Address = {host.address}\n")
            if shutil.which("tinc"):
                host.run("tinc", "-b", "-c", folder, "generate-keys", stdin="\n\n\n\n", timeout=60)
            else:
                host.run("tincd", "-c", folder, "-K", "2048", stdin="\n\n", timeout=60)
            hosts[host.name] = own
        for host, far in ((self.a, self.b), (self.b, self.a)):
            shutil.copy(hosts[far.name], host.dir / "tinc" / "hosts" / far.name)

    def side(self, host, address):
        self.run(host, "tincd", "-c", host.dir / "tinc", "-D", "-d1", f"--pidfile={host.dir}/tinc.pid")
        self.device(host, "tinc0", address)

    def start_a(self):
        self.side(self.a, A)

    def start_b(self):
        self.side(self.b, B)


class N2n(Program):
    """Two edges and a supernode, direct between the edges. AES where it has it (-A3, since 2.x), else Twofish."""
    key, title = "n2n", "n2n"
    needs = ("edge", "supernode")
    PORT = 7654

    def __init__(self, a, b):
        super().__init__(a, b)
        self.help = ""

    def version(self):
        match = re.search(r"n2n v\.? ?(\S+)", subprocess.run(["edge", "-h"], capture_output=True, text=True).stdout)
        return f"n2n {match[1]}" if match else ""

    def prepare(self):
        result = subprocess.run(["edge", "-h"], capture_output=True, text=True)
        self.help = result.stdout + result.stderr

    def modern(self):
        return "-A" in self.help

    def side(self, host, address):
        # -f is "stay in the foreground" today and was "fork" in 1.x, which stays without it.
        more = ["-A3", "-f"] if self.modern() else ["-s", "255.255.255.0"]
        self.run(host, "edge", "-d", "n2n0", "-a", address, "-c", "bench", "-k", "a key for the bench", "-u", "0", "-g", "0",
                 "-l", f"{self.a.address}:{self.PORT}", *more)

    def start_a(self):
        self.supernode = self.a.start("supernode", *(["-p", str(self.PORT), "-f"] if self.modern() else ["-l", str(self.PORT)]),
                                      name="supernode")
        self.side(self.a, A)
        self.wait_device(self.a, "n2n0")

    def start_b(self):
        self.side(self.b, B)

    def stop(self):
        super().stop()
        if self.supernode:
            self.supernode.kill()

    supernode = None


class Fastd(Program):
    """TAP with salsa2012+umac, which its manual recommends, and the MTU that fits 1500."""
    key, title = "fastd", "fastd"
    needs = ("fastd",)

    def version(self):
        return first_line("fastd", "--version")

    def prepare(self):
        keys = {}
        for host in (self.a, self.b):
            text = host.run("fastd", "--generate-key").stdout
            keys[host.name] = dict(re.findall(r"(Secret|Public): ([0-9a-f]{64})", text))
        for host, far in ((self.a, self.b), (self.b, self.a)):
            (host.dir / "fastd.conf").write_text(
                f'log level info;\nmode tap;\ninterface "fastd0";\nmtu 1406;\nmethod "salsa2012+umac";\n'
                f'bind {host.address}:10000;\nsecret "{keys[host.name]["Secret"]}";\n'
                f'peer "{far.name}" {{ key "{keys[far.name]["Public"]}"; remote {far.address} port 10000; }}\n')

    def side(self, host, address):
        self.run(host, "fastd", "--config", host.dir / "fastd.conf")
        self.device(host, "fastd0", address)

    def start_a(self):
        self.side(self.a, A)

    def start_b(self):
        self.side(self.b, B)


ALL = {program.key: program for program in
       (Veth, Vxlan, NullCipher, ShadowMesh, OverTcp, PeerRelay, BackboneRelay, Uplink, WireGuardGo, Nebula, OpenVpn, Tinc, N2n, Fastd)}
