# SPDX-License-Identifier: Apache-2.0
"""Two nodes whose only way out is an HTTP proxy, one of the real ones, reach their backbone and each other.

    site-a 198.51.100.2 ─┐        ┌─ proxy 203.0.114.2 :3128
                         ├─ inet ─┤
    site-b 198.51.101.2 ─┘        └─ server 203.0.113.2: backbone :8080, or nginx with TLS :443 in front
"""

import json
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

import lab as labs
from lab import A_OVERLAY, B_OVERLAY

NAME = "backbone.example"
USER, PASSWORD, SECRET = "labuser", "c0rrect-horse_battery", "battery"
WORDS = f"{USER}:{PASSWORD}"
PORT = 3128
TRUSTED = "/etc/ssl/certs/ca-certificates.crt"
ONLY_THE_PROXY = """
table inet only-the-proxy {{
    chain out {{ type filter hook output priority 0; policy drop;
        oifname != "eth0" accept; ip daddr {proxy} tcp dport {port} accept; }}
    chain in {{ type filter hook input priority 0; iifname "eth0" ct state new drop; }}
}}"""
SQUID = """http_port {port}
pid_filename none
cache_log {dir}/cache.log
access_log none
cache deny all
shutdown_lifetime 0 seconds
max_filedescriptors 1024
hosts_file {dir}/hosts
acl connect method CONNECT
acl tunnelled port {allowed}
http_access deny !connect
http_access deny connect !tunnelled
"""
SQUID_WORDS = """auth_param basic program /usr/lib/squid/basic_ncsa_auth {dir}/words
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
"""
TINYPROXY = """Port {port}
Timeout 600
MaxClients 100
ConnectPort {allowed}
"""
TLS = """defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend in
  maxconn 100
  bind :{port} ssl crt {dir}/both.pem alpn h2,http/1.1
  default_backend out
backend out
  server squid 127.0.0.1:{inner}
"""
NGINX = """daemon off; pid {dir}/nginx.pid; error_log {dir}/nginx.log; worker_processes 1;
events {{ worker_connections 200; }}
http {{ access_log off; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
 uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
 server {{ listen 443 ssl http2; ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;
  location / {{ proxy_pass http://127.0.0.1:8080; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
   proxy_set_header Connection upgrade; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }} }} }}
"""


def certify(host, name):
    """Self-signed, for a name or an address; returns the certificate's path."""
    kind = "IP" if name[0].isdigit() else "DNS"
    host.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-addext",
             f"subjectAltName={kind}:{name}", "-keyout", host.dir / "key.pem", "-out", host.dir / "cert.pem")
    (host.dir / "both.pem").write_text((host.dir / "cert.pem").read_text() + (host.dir / "key.pem").read_text())
    return host.dir / "cert.pem"


def squid(host, port, server, words, allowed=8080):
    (host.dir / "hosts").write_text(f"127.0.0.1 localhost\n{server.address} {NAME}\n")
    text = SQUID + (SQUID_WORDS if words else "http_access allow all\n")
    (host.dir / "squid.conf").write_text(text.format(port=port, dir=host.dir, allowed=allowed))
    hashed = subprocess.run(["openssl", "passwd", "-apr1", "-stdin"], input=PASSWORD, capture_output=True, text=True, check=True)
    (host.dir / "words").write_text(f"{USER}:{hashed.stdout}")
    host.dir.chmod(0o777)  # squid gives root up
    return host.start("squid", "-N", "-f", host.dir / "squid.conf")


def tinyproxy(host, port, server, words, allowed=8080):
    text = TINYPROXY + (f"BasicAuth {USER} {PASSWORD}\n" if words else "")
    (host.dir / "tinyproxy.conf").write_text(text.format(port=port, allowed=allowed))
    return host.start("tinyproxy", "-d", "-c", host.dir / "tinyproxy.conf")


def tls_squid(host, port, server, words):
    certify(host, host.address)
    squid(host, port + 1, server, words)
    (host.dir / "haproxy.conf").write_text(TLS.format(port=port, inner=port + 1, dir=host.dir))
    return host.start("haproxy", "-db", "-f", host.dir / "haproxy.conf")


KINDS = {
    "squid": (squid, False, f"http://{NAME}:8080"),
    "squid-password": (squid, True, f"http://{NAME}:8080"),
    "tinyproxy": (tinyproxy, False, None),
    "tinyproxy-password": (tinyproxy, True, None),
    "https": (tls_squid, True, f"http://{NAME}:8080"),
}


class Site:
    """The lab's hosts, with a proxy that runs."""

    def __init__(self, lab, serve, words, **options):
        self.a_host, self.b_host, self.server, inet = lab.internet()
        self.host = lab.host("proxy")
        lab.attach(self.host, inet, "203.0.114")
        for host in (self.a_host, self.b_host):
            host.nft(ONLY_THE_PROXY.format(proxy=self.host.address, port=PORT))
        self.at = self.host.address
        self.backbone = self.server.backbone()
        self.proxy = serve(self.host, PORT, self.server, words, **options)
        self.scheme = "https" if serve is tls_squid else "http"
        self.mounts = [(self.host.dir / "cert.pem", TRUSTED)] if serve is tls_squid else []
        for port in {PORT, PORT + (serve is tls_squid)}:
            labs.wait_for(lambda port=port: self.listens(port), 20, f"port {port} of the proxy listens")

    def listens(self, port):
        with self.host.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def url(self, words=""):
        return f"{self.scheme}://{words}{self.at}:{PORT}"

    def node(self, host, backbone, *flags, words=None, **options):
        """With -proxy, and what the file of -proxy-auth is to say."""
        if words:
            file = host.dir / "proxy-words"
            file.write_text(words + "\n")
            file.chmod(0o600)
            flags = (*flags, "-proxy-auth", file)
        node = host.node("-backbone", backbone, "-proxy", self.url(), *flags, start=False, **options)
        return node.start(mounts=self.mounts)

    def node_by_environment(self, host, backbone, *flags, words=None):
        url = self.url(f"{words}@" if words else "")
        node = host.node("-backbone", backbone, *flags, start=False, environment={"http_proxy": url, "https_proxy": url})
        return node.start(mounts=self.mounts)


def command_lines():
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


def assert_untold(*nodes):
    """Nobody's ps, no log and no answer has the password."""
    seen = command_lines()
    for node in nodes:
        assert any(str(node.keydir) in line for line in seen), "the node's own command line was looked at"
        texts = [node.log(), json.dumps(node.status()),
                 node.host.run(labs.program("shadowmesh"), "status", "-run", node.run_dir).stdout]
        assert not [text for text in texts if SECRET in text]
    assert not [line for line in seen if SECRET in line]


@pytest.mark.parametrize("kind", KINDS)
def test_two_nodes_whose_only_way_out_is_a_proxy_connect(lab, figure, kind):
    """One is told of it by flags, one by its environment."""
    serve, guarded, url = KINDS[kind]
    site = Site(lab, serve, guarded)
    url = url or site.backbone.url
    words = WORDS if guarded else None
    a = site.node(site.a_host, url, "-tap-ip", A_OVERLAY, "-public", words=words)
    b = site.node_by_environment(site.b_host, url, "-tap-ip", B_OVERLAY, "-connect", a.id, words=words)
    site.b_host.wait_ping(A_OVERLAY, 10)
    site.a_host.ping(B_OVERLAY)
    shown = site.url("***@" if words else "")
    for node in (a, b):
        backbone = node.status()["backbone"]
        assert backbone["registered"] and backbone["uplink"]["state"] == "up" and backbone["proxy"] == shown
        assert f"by the proxy {shown}" in node.log()
    rate = site.b_host.throughput(site.a_host, A_OVERLAY)
    figure(f"over the uplink through {kind}: TCP {rate / 1e6:.0f} Mbit/s")
    assert rate > 5e6 / labs.PATIENCE
    assert_untold(a, b)


@pytest.mark.parametrize("serve, reload", [(squid, signal.SIGHUP), (tinyproxy, signal.SIGUSR1)])
def test_proxy_that_is_reloaded_or_started_anew_gets_its_uplinks_back(lab, figure, serve, reload):
    site = Site(lab, serve, True)
    a = site.node(site.a_host, site.backbone.url, "-tap-ip", A_OVERLAY, "-public", words=WORDS)
    b = site.node(site.b_host, site.backbone.url, "-tap-ip", B_OVERLAY, "-connect", a.id, words=WORDS)
    site.b_host.wait_ping(A_OVERLAY, 10)
    site.proxy.send_signal(reload)
    labs.wait_for(lambda: site.listens(PORT), 10, "the proxy listens again")
    site.b_host.wait_ping(A_OVERLAY, 10)
    site.proxy.kill()
    for node in (a, b):
        node.process.wait_log("the uplink is lost", 5)
    serve(site.host, PORT, site.server, True)
    taken = site.b_host.wait_ping(A_OVERLAY, 20)
    site.b_host.ping(A_OVERLAY)
    figure(f"{serve.__name__} killed and started again: a ping after {taken:.1f} s")


@pytest.mark.parametrize("serve", [squid, tinyproxy])
def test_wrong_password_is_one_clear_line(lab, serve):
    site = Site(lab, serve, True)
    node = site.node(site.a_host, site.backbone.url, "-tap-ip", A_OVERLAY, words=f"{USER}:wr0ng-{SECRET}")
    node.process.wait_log(re.escape(
        f"backbone {site.backbone.url}: cannot be reached (the proxy {site.url('***@')} does not take our name and password: "
        "correct them in the file of -proxy-auth, or in the environment (HTTP status ") + "40[17]\\)\\); retrying")
    labs.wait_for(lambda: "does not take our name" in node.status()["backbone"]["uplink"].get("error", ""), 10,
                  "the uplink was tried")
    assert len(re.findall("does not take", node.log())) == 1
    assert_untold(node)


def test_what_a_proxy_asks_for_or_refuses_is_told(lab):
    site = Site(lab, squid, True)
    node = site.node(site.a_host, site.backbone.url, "-tap-ip", A_OVERLAY)
    node.process.wait_log("asks for a name and a password: give them by -proxy-auth FILE \\(HTTP status 407\\)")
    node.stop()
    site.proxy.kill()
    node = site.node(site.a_host, site.backbone.url, "-tap-ip", A_OVERLAY, label="second")
    node.process.wait_log(f"cannot be reached \\(the proxy {site.url()}: Connection refused\\)")
    node.stop()
    tinyproxy(site.host, PORT, site.server, False, allowed=443)
    labs.wait_for(lambda: site.listens(PORT), 10, "the other proxy listens")
    node = site.node(site.a_host, site.backbone.url, "-tap-ip", A_OVERLAY, label="third")
    node.process.wait_log("does not connect us to it: it has to allow CONNECT to that host and port \\(HTTP status 403\\)")


def test_proxy_between_a_node_and_a_reverse_proxy_with_tls_and_http2(lab):
    """Whose name only the HTTP proxy knows; its own name the node looks up."""
    site = Site(lab, squid, True, allowed=443)
    site.at = "proxy.example"
    (site.host.dir / "hosts-of-nodes").write_text(f"{site.host.address} {site.at}\n")
    site.mounts = [(certify(site.server, NAME), TRUSTED), (site.host.dir / "hosts-of-nodes", "/etc/hosts")]
    (site.server.dir / "nginx.conf").write_text(NGINX.format(dir=site.server.dir))
    site.server.start("nginx", "-c", site.server.dir / "nginx.conf")
    a = site.node(site.a_host, f"https://{NAME}", "-tap-ip", A_OVERLAY, "-public", words=WORDS)
    b = site.node_by_environment(site.b_host, f"https://{NAME}", "-tap-ip", B_OVERLAY, "-connect", a.id, words=WORDS)
    site.b_host.wait_ping(A_OVERLAY, 10)
    site.b_host.ping(A_OVERLAY)
    assert {node.status()["backbone"]["uplink"]["state"] for node in (a, b)} == {"up"}


def test_certificate_of_a_proxy_that_nobody_trusts_is_told(lab):
    site = Site(lab, tls_squid, False)
    site.mounts = []
    node = site.node(site.a_host, site.backbone.url, "-tap-ip", A_OVERLAY)
    node.process.wait_log(f"cannot be reached \\(the proxy {site.url()}: .*certificate")
