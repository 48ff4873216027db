# SPDX-License-Identifier: Apache-2.0
"""Nobody is taken for somebody else: not by a backbone that lies, not at a wrong address, not as a stranger.

    site-a (the id that is dialled)    site-b (dials)    mallory (another node, public)
         └────────────────────────────── inet ──────────────────────────────┘
                                           │
                          server: the true backbone on 8080, a liar before it on 8081
"""

import base64
import http.client
import http.server
import json
import re
import shutil
import threading

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY

MALLORY_OVERLAY = "10.10.10.66"


class Liar:
    """A backbone that passes everything on to the true one, but answers look-ups through lie(id, true answers), where
    true answers is a function id -> JSON object."""

    def __init__(self, host, lie, port=8081):
        self.host = host
        with host.inside():
            liar = self

            class Handler(http.server.BaseHTTPRequestHandler):
                def log_message(self, *_):
                    pass

                def do_GET(self):
                    match = re.fullmatch(r"/v1/nodes/([0-9a-f]{40})", self.path)
                    if match:
                        answer = lie(match[1], lambda node: json.loads(liar.true("GET", f"/v1/nodes/{node}")[1]))
                        liar.asked += 1
                        self.reply(200, json.dumps(answer).encode())
                    else:
                        self.reply(*liar.true("GET", self.path))

                def do_POST(self):
                    body = self.rfile.read(int(self.headers["Content-Length"]))
                    self.reply(*liar.true("POST", self.path, body))

                def reply(self, status, body):
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
            self.server = http.server.ThreadingHTTPServer(("0.0.0.0", port), Handler)
        self.asked = 0
        self.url = f"http://{host.address}:{port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        host.lab.closers.append(self.close)

    def true(self, method, path, body=None):
        with self.host.inside():
            connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=5)
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            return response.status, response.read()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def alter(field, at):
    """The true record with one byte of a field changed."""
    def lie(node, true):
        answer = true(node)
        data = bytearray(base64.b64decode(answer[field]))
        data[at] ^= 1
        return answer | {field: base64.b64encode(bytes(data)).decode()}
    return lie


def three_sites(lab):
    a_host, b_host, m_host, server, _ = lab.internet(sites=("site-a", "site-b", "mallory"))
    return a_host, b_host, m_host, server.backbone(), server


def reaches_nothing(b_host, *addresses):
    for address in addresses:
        ping = b_host.ping(address, count=3, interval=0.1, wait=0.5, check=False)
        assert ping.received == 0


@pytest.mark.parametrize("lie", ["another node's record", "an altered record", "an altered signature", "a record cut short"])
def test_backbone_that_lies_about_a_key_is_seen_through(lab, lie):
    a_host, b_host, m_host, backbone, server = three_sites(lab)
    a = labs.receiver(a_host, backbone)
    mallory = labs.receiver(m_host, backbone, address=MALLORY_OVERLAY)
    labs.wait_for(lambda: backbone.knows(a) and backbone.knows(mallory), 5, "both are registered")
    answers = {
        "another node's record": lambda node, true: true(mallory.id) if node == a.id else true(node),
        "an altered record": alter("record", 200),
        "an altered signature": alter("signature", 100),
        "a record cut short": lambda node, true: true(node) | {"record": true(node)["record"][:400]},
    }
    liar = Liar(server, answers[lie])
    b = labs.sender(b_host, labs.Backbone(server, port=8081), a)
    labs.wait_for(lambda: liar.asked > 0, 10, "B asks for A")
    b.process.wait_log(rf"(?i)record of {a.id}.*(ignored|refused)", 10)
    reaches_nothing(b_host, A_OVERLAY, MALLORY_OVERLAY)
    assert not mallory.status()["peers"] or not any(p["rx_bytes"] for p in mallory.status()["peers"])
    assert not b.peer(mallory)


def test_backbone_that_sends_us_to_another_nodes_address_is_seen_through(lab):
    """The record is genuine, but A has gone and mallory has its address."""
    a_host, b_host, m_host, backbone, server = three_sites(lab)
    a = labs.receiver(a_host, backbone)
    labs.wait_for(lambda: backbone.knows(a), 5, "A is registered")
    a.stop()
    mallory = labs.receiver(a_host, backbone, address=MALLORY_OVERLAY, label="mallory")
    b = labs.sender(b_host, backbone, a)
    b.process.wait_log(rf"(?i){a.id[:8]}.*(key|wrong|another|other|not)", 10)
    reaches_nothing(b_host, A_OVERLAY, MALLORY_OVERLAY)
    assert not b.peer(mallory)


def test_wrong_key_at_the_dialled_address_is_refused(lab):
    _, b_host, m_host, backbone, _ = three_sites(lab)
    mallory = labs.receiver(m_host, backbone, address=MALLORY_OVERLAY)
    wanted = "00112233445566778899aabbccddeeff00112233"
    b = b_host.node("-tap-ip", B_OVERLAY, "-connect", f"{wanted}@{m_host.address}")
    line = b.process.wait_log(rf"(?i)^.*{wanted[:8]}.*$", 10)
    b.process.wait_log(rf"(?i)^.*{mallory.id[:8]}.*$", 10)
    assert line
    reaches_nothing(b_host, MALLORY_OVERLAY)
    assert b.process.running and mallory.process.running


def test_stranger_is_refused_with_a_clear_line_on_both_sides(lab):
    a_host, b_host, _, backbone, _ = three_sites(lab)
    # Without -public, and without naming B.
    a = a_host.node("-backbone", backbone.url, "-ip", a_host.address, "-tap-ip", A_OVERLAY)
    b = labs.sender(b_host, backbone, a)
    b.process.wait_log(rf"(?i)^.*{a.id[:8]}.*(refus|allow|stranger|accept).*$", 10)
    a.process.wait_log(rf"(?i)^.*{b.id[:8]}.*(refus|allow|stranger|public).*$", 10)
    reaches_nothing(b_host, A_OVERLAY)
    reaches_nothing(a_host, B_OVERLAY)
    log = len(a.log())
    b.process.wait_log("(?i)refus", 10)
    assert len(a.log()) - log < 5000


@pytest.mark.parametrize("how", ["-allow", "-connect"])
def test_node_that_is_named_is_accepted_without_public(lab, how):
    a_host, b_host, _, backbone, _ = three_sites(lab)
    b = b_host.node(start=False)
    a = a_host.node("-backbone", backbone.url, "-ip", a_host.address, "-tap-ip", A_OVERLAY, how, b.id)
    b.flags = ["-backbone", backbone.url, "-tap-ip", B_OVERLAY, "-connect", a.id]
    b.start()
    b_host.wait_ping(A_OVERLAY, 5)
    a_host.ping(B_OVERLAY, count=3)


def test_own_id_is_refused(lab):
    host = lab.host("site-a")
    node = host.node(start=False)
    node.flags = ["-tap-ip", A_OVERLAY, "-connect", f"{node.id}@127.0.0.1"]
    node.start(wait=False)
    node.process.wait_log("(?i)(own|self|itself|this node)", 5)


@pytest.mark.early
def test_one_key_on_two_hosts_is_told_at_all_three_and_they_take_turns_slowly(lab):
    """Without a backbone, which would be all that is known of where the other one is."""
    a_host, b_host, c_host, _, _ = three_sites(lab)
    a = a_host.node("-tap-ip", A_OVERLAY, "-public")
    to_a = ("-connect", f"{a.id}@{a_host.address}")
    b = b_host.node("-tap-ip", B_OVERLAY, *to_a)
    b_host.wait_ping(A_OVERLAY, 5)
    shutil.copytree(b.keydir, c_host.dir / "node-keys")
    c = c_host.node("-tap-ip", MALLORY_OVERLAY, *to_a)

    def told(node, other):
        return re.search(rf"error another host uses our key: .*{a.id[:10]}.*{other.host.address}.*-keydir", node.log())
    labs.wait_for(lambda: told(b, c) or told(c, b), 10, "one of the two is told")
    first, last = (b, c) if told(b, c) else (c, b)
    assert any("another host uses our key" in text for text in first.status()["warnings"])
    assert first.peer(a)["state"] == "backoff" and last.host.address in first.peer(a)["error"]
    labs.wait_for(lambda: told(last, first), 60, "the other one is told")
    a.process.wait_log(rf"warn  peer .*{b.id[:10]}.*two hosts use its key.*-keydir", 5)
    warning = a.status()["warnings"][0]
    assert b_host.address in warning and c_host.address in warning
    assert "at once" not in a.log() + b.log() + c.log() and a.peer(b)["handshakes"] <= 4


def test_both_dial_at_once_and_one_session_remains(lab):
    a_host, b_host, _, backbone, _ = three_sites(lab)
    b = b_host.node(start=False)
    a = a_host.node("-tap-ip", A_OVERLAY, "-connect", f"{b.id}@{b_host.address}", start=False)
    b.flags = ["-tap-ip", B_OVERLAY, "-connect", f"{a.id}@{a_host.address}"]
    a.start(wait=False)
    b.start(wait=False)
    b.wait_ready()
    a.wait_ready()
    b_host.wait_ping(A_OVERLAY, 5)
    stream = b_host.ping_stream(A_OVERLAY)
    stream.wait_replies(300, 10)
    stream.stop()
    assert stream.lost() == []
    assert len(a.status()["peers"]) == len(b.status()["peers"]) == 1
