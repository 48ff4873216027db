# SPDX-License-Identifier: Apache-2.0
"""A node's uplink as docs/PROTOCOL.md §15 has it, made of other parts than ours: a WebSocket by hand, keys and signatures by
libcrypto. It can be honest, and it can lie."""

import base64
import ctypes
import os
import re
import select
import socket
import ssl
import struct
import subprocess
import time
from hashlib import sha1, sha384

import lab as labs

CHALLENGE, PROVE, WELCOME, OPEN, DATA, CREDIT, CLOSE, PAIR, PAIRED, DATAGRAMS, RESTARTING, LIMITED, RELAY, RELAYED = range(1, 15)
BINARY, TEXT, CLOSE_FRAME, PING, PONG, CONTINUATION = 2, 1, 8, 9, 10, 0
WINDOW = 16384
CONTEXT = b"shadowmesh link v1"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class _Param(ctypes.Structure):
    _fields_ = [("key", ctypes.c_char_p), ("type", ctypes.c_uint), ("data", ctypes.c_void_p), ("size", ctypes.c_size_t),
                ("returned", ctypes.c_size_t)]


def _libcrypto():
    prefix = subprocess.run([labs.ROOT / "tools" / "openssl.sh"], capture_output=True, text=True, check=True).stdout.strip()
    library = ctypes.CDLL("libcrypto.so.3" if prefix == "system" else f"{prefix}/lib/libcrypto.so.3")
    for name in ("EVP_PKEY_Q_keygen", "EVP_MD_CTX_new"):
        getattr(library, name).restype = ctypes.c_void_p
    return library


_loaded = []


def crypto():
    if not _loaded:
        _loaded.append(_libcrypto())
    return _loaded[0]


class Key:
    """An ML-DSA-87 key: thousands of them take seconds."""

    def __init__(self):
        self.pkey = ctypes.c_void_p(crypto().EVP_PKEY_Q_keygen(None, None, b"ML-DSA-87"))
        out = ctypes.c_void_p()
        length = crypto().i2d_PUBKEY(self.pkey, ctypes.byref(out))
        self.spki = ctypes.string_at(out, length)
        self.id = sha384(self.spki).digest()[:20]

    def sign(self, message, context=CONTEXT):
        text = ctypes.create_string_buffer(context, len(context))
        params = (_Param * 2)(_Param(b"context-string", 5, ctypes.cast(text, ctypes.c_void_p), len(context), ctypes.c_size_t(-1).value))
        md = ctypes.c_void_p(crypto().EVP_MD_CTX_new())
        assert crypto().EVP_DigestSignInit_ex(md, None, None, None, None, self.pkey, params) == 1
        signature, length = ctypes.create_string_buffer(4627), ctypes.c_size_t(4627)
        assert crypto().EVP_DigestSign(md, signature, ctypes.byref(length), message, ctypes.c_size_t(len(message))) == 1
        crypto().EVP_MD_CTX_free(md)
        return signature.raw[:length.value]


def frame(payload, opcode=BINARY, fin=True, masked=True, rsv=0):
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    mask_bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([mask_bit | len(payload)])
    elif len(payload) < 65536:
        head += struct.pack("!BH", mask_bit | 126, len(payload))
    else:
        head += struct.pack("!BQ", mask_bit | 127, len(payload))
    if not masked:
        return head + payload
    mask = os.urandom(4)
    key = int.from_bytes((mask * (len(payload) // 4 + 1))[:len(payload)], "big")
    return head + mask + (int.from_bytes(payload, "big") ^ key).to_bytes(len(payload), "big")


class Ended(Exception):
    """The other side closed: code and reason of its close frame, or None."""

    def __init__(self, code, reason=""):
        super().__init__(f"{code} {reason}")
        self.code, self.reason = code, reason


class WebSocket:
    def __init__(self, port, source="127.0.0.1", path="/v1/link", host="127.0.0.1", headers=(), tls=None, address="127.0.0.1", timeout=10):
        self.socket = socket.create_connection((address, port), timeout=timeout, source_address=(source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host.split(":")[0])
        self.buffer = b""
        key = base64.b64encode(os.urandom(16)).decode()
        fields = {"Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key,
                  "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "shadowmesh.link.v1", **dict(headers)}
        lines = [f"GET {path} HTTP/1.1"] + [f"{name}: {value}" for name, value in fields.items() if value is not None]
        self.socket.sendall("\r\n".join(lines + ["", ""]).encode())
        while b"\r\n\r\n" not in self.buffer:
            got = self.socket.recv(4096)
            if not got:
                raise Ended(None, "before the upgrade")
            self.buffer += got
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        self.head = head.decode()
        self.status = int(self.head.split()[1])
        if self.status == 101:
            accept = base64.b64encode(sha1(key.encode() + GUID).digest()).decode()
            assert f"sec-websocket-accept: {accept}".lower() in self.head.lower()

    def send(self, payload, opcode=BINARY, **kinds):
        self.socket.sendall(frame(payload, opcode, **kinds))

    def _fill(self, count):
        while len(self.buffer) < count:
            got = self.socket.recv(65536)
            if not got:
                raise Ended(None, "end of stream")
            self.buffer += got

    def receive(self):
        """(opcode, payload) of one frame; raises Ended at a close frame."""
        self._fill(2)
        length, at = self.buffer[1] & 0x7f, 2
        assert not self.buffer[1] & 0x80, "a server masks nothing"
        if length == 126:
            self._fill(4)
            length, at = struct.unpack("!H", self.buffer[2:4])[0], 4
        elif length == 127:
            self._fill(10)
            length, at = struct.unpack("!Q", self.buffer[2:10])[0], 10
        self._fill(at + length)
        opcode, payload = self.buffer[0] & 0xf, self.buffer[at:at + length]
        self.buffer = self.buffer[at + length:]
        if opcode == CLOSE_FRAME:
            raise Ended(struct.unpack("!H", payload[:2])[0], payload[2:].decode())
        return opcode, payload

    def waits(self, seconds=0.0):
        """Whether something can be received."""
        if self.buffer or (isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()):
            return True
        return bool(select.select([self.socket], [], [], seconds)[0])

    def close(self):
        self.socket.close()


class Uplink(WebSocket):
    """One that has proven key's id, unless it is told not to."""

    def _come(self, port, how):
        """Again, while too many requests come from its source."""
        super().__init__(port, **how)
        for _ in range(20):
            if self.status != 429:
                return
            self.socket.close()
            time.sleep(float(re.search(r"Retry-After: (\d+)", self.head)[1]))
            super().__init__(port, **how)

    def __init__(self, port, key=None, proven=True, name="127.0.0.1", **how):
        self._come(port, how)
        assert self.status == 101, self.head
        self.key = key or Key()
        self.next_stream = 1
        self.kept = []
        challenge = self.message()
        assert challenge[0] == CHALLENGE and len(challenge) == 33
        self.challenge = challenge[1:]
        if proven:
            self.send(self.proof(name))
            self.welcome = self.expect(WELCOME)

    @property
    def id(self):
        return self.key.id

    def proof(self, name="127.0.0.1", challenge=None, spki=None):
        host = name.encode()
        signature = self.key.sign((challenge or self.challenge) + host)
        return bytes([PROVE, len(host)]) + host + (spki or self.key.spki) + signature

    def message(self):
        """The next message, past pongs."""
        while True:
            opcode, payload = self.receive()
            if opcode == BINARY:
                return payload

    def expect(self, kind, match=lambda body: True):
        """The body of the next message of a kind; others are kept for later."""
        for index, payload in enumerate(self.kept):
            if payload[0] == kind and match(payload[1:]):
                return self.kept.pop(index)[1:]
        while True:
            payload = self.message()
            if payload[0] == kind and match(payload[1:]):
                return payload[1:]
            self.kept.append(payload)

    def ended(self):
        """(code, reason) of the end that comes."""
        try:
            while True:
                self.receive()
        except Ended as end:
            return end.code, end.reason
        except ConnectionError as error:
            return None, str(error)

    def ping(self, payload=b"?"):
        self.send(payload, PING)
        while True:
            opcode, answer = self.receive()
            if opcode == PONG:
                assert answer == payload
                return
            self.kept.append(answer)

    # streams
    def open(self, target, number=None):
        if number is None:
            number, self.next_stream = self.next_stream, self.next_stream + 2
        self.send(struct.pack("!BI", OPEN, number) + target)
        return number

    def accept(self):
        """(number, opener) of the next OPEN."""
        body = self.expect(OPEN)
        return struct.unpack("!I", body[:4])[0], body[4:]

    def data(self, number, payload):
        self.send(struct.pack("!BI", DATA, number) + payload)

    def credit(self, number, count):
        self.send(struct.pack("!BII", CREDIT, number, count))

    def shut(self, number, code=0):
        self.send(struct.pack("!BIB", CLOSE, number, code))

    def read(self, number, count):
        """So many bytes of a stream, granted again as they come."""
        got = b""
        while len(got) < count:
            part = self.expect(DATA, lambda body: body[:4] == struct.pack("!I", number))[4:]
            self.credit(number, len(part))
            got += part
        return got

    def closed(self, number):
        """The code of the CLOSE that comes for a stream."""
        return self.expect(CLOSE, lambda body: body[:4] == struct.pack("!I", number))[4]

    # datagrams
    def pair(self, target, on=True):
        self.send(bytes([PAIR]) + target + bytes([on]))

    def paired(self, other):
        return self.expect(PAIRED, lambda body: body[:20] == other)[20] == 1

    def ask_relay(self, target):
        self.send(bytes([RELAY]) + target)

    def relayed(self, other):
        """(port, channel, token) of the channel that comes, to another node."""
        body = self.expect(RELAYED, lambda body: body[:20] == other)
        return *struct.unpack("!HI", body[20:26]), body[26:]

    def datagrams(self, target, payloads, ecn=0):
        segment = len(payloads[0])
        self.send(bytes([DATAGRAMS]) + target + struct.pack("!BH", ecn, segment) + b"".join(payloads))

    def arrived(self):
        """(from, ecn, datagrams) of the next batch."""
        body = self.expect(DATAGRAMS)
        ecn, segment = struct.unpack("!BH", body[20:23])
        content = body[23:]
        return body[:20], ecn, [content[at:at + segment] for at in range(0, len(content), segment)]


def couple(a, b):
    """Makes them a pair."""
    a.pair(b.id)
    b.pair(a.id)
    assert a.paired(b.id) and b.paired(a.id)

