# SPDX-License-Identifier: Apache-2.0
"""A backbone behind a TLS proxy, found by its name: certificates, hosts files and TLS in the cages of the helpers.

    site-a ──── inet ──── server: proxy :443 ──── backbone :8080
"""

import lab as labs
import pytest
from lab import A_OVERLAY

NAME = "backbone.example"

PROXY = """
import http.client, http.server, ssl, sys

class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        backbone = http.client.HTTPConnection("127.0.0.1", 8080)
        backbone.request(self.command, self.path, body or None, {"Content-Type": "application/json"})
        answer = backbone.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = forward

server = http.server.ThreadingHTTPServer(("", 443), Proxy)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print("listening", flush=True)
server.serve_forever()
"""


@pytest.fixture
def secured(lab):
    """A node that would speak with the proxy by its name, and the certificate that it may be told to trust."""
    host, server, _ = lab.internet(("site-a",))
    server.backbone()
    server.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={NAME}", "-addext",
               f"subjectAltName=DNS:{NAME}", "-keyout", server.dir / "key.pem", "-out", server.dir / "cert.pem")
    proxy = server.start("/usr/bin/python3", "-c", PROXY, server.dir / "cert.pem", server.dir / "key.pem", name="proxy")
    proxy.wait_log("listening")
    (host.dir / "hosts").write_text(f"{server.address} {NAME}\n")
    return host.node("-tap-ip", A_OVERLAY, "-backbone", f"https://{NAME}", start=False), server.dir / "cert.pem"


def test_backbone_behind_tls_is_reached_by_its_name(secured):
    node, certificate = secured
    node.start(mounts=[(node.host.dir / "hosts", "/etc/hosts"), (certificate, "/etc/ssl/certs/ca-certificates.crt")])
    node.process.wait_log(f"backbone https://{NAME}: reached, registered")
    assert labs.helpers(node.process)


def test_certificate_that_nobody_trusts_is_refused(secured):
    node, _ = secured
    node.start(mounts=[(node.host.dir / "hosts", "/etc/hosts")])
    node.process.wait_log(f"backbone https://{NAME}: cannot be reached .*certificate")
