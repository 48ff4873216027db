# SPDX-License-Identifier: Apache-2.0
"""A node as the backbone sees it, made of other parts than ours: keys and signatures by the openssl command, records by
cbor2, HTTP by Python, STUN by hand. What both sides agree on is then what the documents say."""

import base64
import http.client
import json
import os
import socket
import struct
import subprocess
import time
import zlib
from hashlib import sha384

import cbor2

import lab as labs

RECORD_CONTEXT = "shadowmesh record v1"
STUN_MAGIC = 0x2112A442


def openssl(*argv, stdin=None):
    prefix = subprocess.run([labs.ROOT / "tools" / "openssl.sh"], capture_output=True, text=True, check=True).stdout.strip()
    binary = "openssl" if prefix == "system" else f"{prefix}/bin/openssl"
    environment = {**os.environ, "OPENSSL_CONF": "/dev/null"}
    return subprocess.run([binary, *map(str, argv)], input=stdin, capture_output=True, check=True, env=environment).stdout


class Identity:
    def __init__(self, folder):
        self.key = folder / f"key-{time.monotonic_ns()}.pem"
        openssl("genpkey", "-algorithm", "ML-DSA-87", "-out", self.key)
        self.spki = openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")
        self.id = sha384(self.spki).digest()[:20]

    @property
    def hex(self):
        return self.id.hex()

    def sign(self, message, context=RECORD_CONTEXT):
        path = self.key.with_suffix(".message")
        path.write_bytes(message)
        return openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.key, "-in", path, "-pkeyopt", f"context-string:{context}")


def encode_record(me, seq, expiry_s, challenge, name="node", network="", public=False, candidates=(), node_id=None):
    """docs/PROTOCOL.md, section 8. Whatever is empty is left out."""
    optional = {5: name, 6: network, 7: public, 9: list(candidates)}
    record = {0: 1, 1: node_id or me.id, 2: me.spki, 3: seq, 4: expiry_s, 8: challenge,
              **{key: value for key, value in optional.items() if value}}
    return cbor2.dumps(record, canonical=True)


class Client:
    """Asks a backbone from a loopback address of choice: every 127.x.y.z is a source of its own."""

    def __init__(self, port, source="127.0.0.1"):
        self.port = port
        self.source = source

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10, source_address=(self.source, 0))

    def ask(self, method, path, body=None, headers=None):
        """(status, JSON or text, headers)"""
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            text = answer.read()
            if answer.headers.get("Content-Type") == "application/json":
                return answer.status, json.loads(text) if method != "HEAD" else None, answer.headers
            return answer.status, text.decode(), answer.headers
        finally:
            connection.close()

    def get(self, path):
        return self.ask("GET", path)

    def challenge(self):
        status, answer, _ = self.get("/v1/challenge")
        assert status == 200 and answer["expires_s"] == 60
        return bytes.fromhex(answer["challenge"])

    def post(self, record, signature):
        body = json.dumps({"record": base64.b64encode(record).decode(), "signature": base64.b64encode(signature).decode()})
        return self.ask("POST", "/v1/nodes", body, {"Content-Type": "application/json"})

    def register(self, me, seq, expires_in=600, **fields):
        record = encode_record(me, seq, int(time.time()) + expires_in, self.challenge(), **fields)
        return self.post(record, me.sign(record))


def stun_request(transaction, fingerprint=True, extra=b""):
    message = struct.pack("!HHI", 0x0001, len(extra) + (8 if fingerprint else 0), STUN_MAGIC) + transaction + extra
    if fingerprint:
        message += struct.pack("!HHI", 0x8028, 4, zlib.crc32(message) ^ 0x5354554E)
    return message


def stun_mapped_address(message, transaction):
    """(host, port) of a Binding success response, whose every length and checksum must be right."""
    kind, length, magic = struct.unpack("!HHI", message[:8])
    assert (kind, magic) == (0x0101, STUN_MAGIC) and message[8:20] == transaction and len(message) == 20 + length
    found, at = None, 20
    while at < len(message):
        attribute, size = struct.unpack("!HH", message[at:at + 4])
        value = message[at + 4:at + 4 + size]
        if attribute == 0x0020:
            port = struct.unpack("!H", value[2:4])[0] ^ (STUN_MAGIC >> 16)
            key = struct.pack("!I", STUN_MAGIC) + transaction
            host = bytes(a ^ b for a, b in zip(value[4:], key))
            found = socket.inet_ntop(socket.AF_INET if value[1] == 1 else socket.AF_INET6, host), port
        if attribute == 0x8028:
            assert struct.unpack("!I", value)[0] == zlib.crc32(message[:at]) ^ 0x5354554E
            assert at + 8 == len(message)
        at += 4 + (size + 3) // 4 * 4
    assert found
    return found
