# SPDX-License-Identifier: Apache-2.0
"""Frames on the wires of a lab: reading captures, taking datagrams apart and putting them together, packet sockets, and a
wire on which a test can lose, hold back and alter what passes."""

import collections
import contextlib
import random
import select
import socket
import struct
import threading
import time

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_VNET_HDR = 15
PACKET_IGNORE_OUTGOING = 23
VNET_LEN = 10


def read_pcap(data):
    """The frames of a pcap file."""
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    frames, at = [], 24
    while at + 16 <= len(data):
        length = struct.unpack_from(order + "I", data, at + 8)[0]
        frames.append(data[at + 16:at + 16 + length])
        at += 16 + length
    return frames


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Datagram:
    """A UDP datagram over IPv4 in an Ethernet frame without VLAN tag; None from parse() when the frame is none."""

    def __init__(self, ethernet, ip, ports, payload):
        self.ethernet, self.ip, self.ports, self.payload = ethernet, ip, ports, payload

    @staticmethod
    def parse(frame):
        if len(frame) < 42 or frame[12:14] != b"\x08\x00" or frame[23] != 17:
            return None
        ip_len = (frame[14] & 15) * 4
        at = 14 + ip_len
        length = struct.unpack_from("!H", frame, at + 4)[0]
        return Datagram(frame[:14], frame[14:at], struct.unpack_from("!HH", frame, at), frame[at + 8:at + max(length, 8)])

    @property
    def source(self):
        return socket.inet_ntoa(self.ip[12:16]), self.ports[0]

    def frame(self, payload=None):
        """The frame with another payload: lengths and the IP checksum fit, the UDP checksum is left out (RFC 768)."""
        payload = self.payload if payload is None else payload
        ip = bytearray(self.ip)
        struct.pack_into("!H", ip, 2, len(ip) + 8 + len(payload))
        ip[10:12] = b"\0\0"
        struct.pack_into("!H", ip, 10, checksum(bytes(ip)))
        return self.ethernet + bytes(ip) + struct.pack("!HHHH", *self.ports, 8 + len(payload), 0) + payload


class PacketSocket:
    """Sends and receives whole frames on a device of a host. VLAN tags that the kernel took off are put back."""

    def __init__(self, host, device):
        with host.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            self.socket.bind((device, ETH_P_ALL))
        self.socket.setblocking(False)
        host.lab.closers.append(self.socket.close)

    def send(self, frame):
        self.socket.send(frame)

    def receive(self, seconds):
        """The next frame, or None when none comes in time."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return None
        frame, extra, _, _ = self.socket.recvmsg(65536, 64)
        for level, kind, data in extra:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", data[:20])
                if status & 0x10:  # TP_STATUS_VLAN_VALID
                    frame = frame[:12] + struct.pack("!HH", tpid if status & 0x40 else 0x8100, tci) + frame[12:]
        return frame

    def receive_all(self, wanted, seconds):
        """Frames for which wanted(frame) holds, until none came for this long."""
        frames = []
        while (frame := self.receive(seconds)) is not None:
            if wanted(frame):
                frames.append(frame)
        return frames

    def expect(self, expected, seconds=2):
        """Waits for exactly this frame; returns whether it came."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self.receive(left) == expected:
                return True
        return False


class Wire:
    """A host that is a wire: what comes in at one device leaves at the other, through hook(frame, from_left), which
    returns the frames to pass on in its place. A frame comes with its virtio header (VNET_LEN bytes), so that offloaded
    checksums and super-frames pass as they are."""

    def __init__(self, host, left, right):
        self.hook = lambda frame, from_left: [frame]
        self.sockets = [self._open(host, device) for device in (left, right)]
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        host.lab.closers.append(self.close)

    @staticmethod
    def _open(host, device):
        with host.inside():
            packet = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            packet.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
            packet.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            packet.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
            packet.bind((device, ETH_P_ALL))
        return packet

    def _run(self):
        left, right = self.sockets
        while not self.stopping.is_set():
            for ready in select.select(self.sockets, [], [], 0.1)[0]:
                try:
                    frame = ready.recv(VNET_LEN + 70000)
                except OSError:
                    return
                out = right if ready is left else left
                for passed in self.hook(frame, ready is left):
                    try:
                        out.send(passed)
                    except OSError:
                        pass  # a full queue loses frames, as wires do

    def close(self):
        self.stopping.set()
        self.thread.join(2)
        for packet in self.sockets:
            packet.close()


class SlowWire(Wire):
    """A wire on which each frame takes `delay` seconds and may be lost, with a seeded chance. Frames stay in order."""

    QUEUE_MAX = 4096

    def __init__(self, host, left, right, delay, loss, seed=0):
        self.delay, self.loss, self.random = delay, loss, random.Random(seed)
        self.queue = collections.deque()  # (when it leaves, to which socket, frame)
        super().__init__(host, left, right)

    def _leave(self):
        while self.queue and self.queue[0][0] <= time.monotonic():
            _, out, frame = self.queue.popleft()
            with contextlib.suppress(OSError):
                out.send(frame)

    def _enter(self, ready):
        out = self.sockets[ready is self.sockets[0]]
        for _ in range(64):
            try:
                frame = ready.recv(VNET_LEN + 70000, socket.MSG_DONTWAIT)
            except OSError:
                return
            if len(self.queue) < self.QUEUE_MAX and self.random.random() >= self.loss:
                self.queue.append((time.monotonic() + self.delay, out, frame))

    def _run(self):
        while not self.stopping.is_set():
            wait = max(self.queue[0][0] - time.monotonic(), 0) if self.queue else 0.1
            for ready in select.select(self.sockets, [], [], wait)[0]:
                self._enter(ready)
            self._leave()


def is_data(payload):
    """Whether a UDP payload is a DATA datagram of ours."""
    return len(payload) >= 44 and payload[0] == 0x20
