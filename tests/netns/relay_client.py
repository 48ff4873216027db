# SPDX-License-Identifier: Apache-2.0
"""An end of a relay's channel as docs/PROTOCOL.md §17 has it, made of other parts than ours. It can be honest, and it can lie."""

import hashlib
import hmac
import select
import socket
import struct

DATAGRAM, MESSAGE = 0, 1
BIND, COOKIE, BOUND = 1, 2, 3
UDP_SEGMENT = 103


def envelope(kind, channel):
    return struct.pack("!BBHI", 0x23, kind, 0, channel)


def message(kind, channel, token, number, cookie=bytes(16)):
    head = envelope(MESSAGE, channel) + struct.pack("!B3xQ", kind, number) + cookie
    return head + hmac.new(token, head, hashlib.sha384).digest()[:16]


class End:
    """Of the channel between two uplinks, that the backbone gave out; at an address, or on a socket that is bound. known: another
    end, whose channel it has."""

    def __init__(self, uplink, other, address, own=None, known=None):
        self.uplink, self.other = uplink, other
        self.number, self.said = 0, []
        if known:
            self.port, self.channel, self.token, self.number = known.port, known.channel, known.token, known.number
        else:
            self.grant()
        self.socket = own or socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if not own:
            self.socket.bind((address, 0))
        self.socket.connect(("127.0.0.1", self.port))

    def grant(self):
        self.port, self.channel, self.token = self.uplink.relayed(self.other.id)
        self.number = 0

    def say(self, cookie=bytes(16)):
        self.number += 1
        self.said.append(message(BIND, self.channel, self.token, self.number, cookie))
        self.socket.send(self.said[-1])
        answer = self.socket.recv(2048)
        kind, number = struct.unpack("!B3xQ", answer[8:20])
        assert answer == message(kind, self.channel, self.token, number, answer[20:36]) and number == self.number
        return kind, answer[20:36]

    def bind(self):
        self.said = []
        kind, cookie = self.say()
        assert kind == COOKIE
        assert self.say(cookie) == (BOUND, bytes(16))

    def send(self, datagram):
        self.socket.send(envelope(DATAGRAM, self.channel) + datagram)

    def send_train(self, datagrams):
        self.send_raw_train([envelope(DATAGRAM, self.channel) + datagram for datagram in datagrams])

    def send_raw_train(self, parts):
        self.socket.sendmsg([b"".join(parts)], [(socket.SOL_UDP if hasattr(socket, "SOL_UDP") else 17, UDP_SEGMENT,
                                                 struct.pack("=H", len(parts[0])))])

    def receive(self, seconds=5):
        """The next datagram, out of its envelope; None when none comes."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return None
        data = self.socket.recv(65536)
        assert data[:8] == envelope(DATAGRAM, self.channel)
        return data[8:]

    def hears_nothing(self, seconds=0.2):
        return self.receive(seconds) is None

    def drain(self):
        while select.select([self.socket], [], [], 0)[0]:
            self.socket.recv(65536)
