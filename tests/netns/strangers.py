# SPDX-License-Identifier: Apache-2.0
"""A crowd of strangers: TCP connections from many IPv6 addresses of one host, so many a second, each kept until the other end
is done with it or it is the oldest of too many.

    strangers.py HOST PORT RATE SECONDS KEEP FILE SOURCE

SOURCE is an IPv6 address with %x where the number of one of 256 parts goes, and another behind it for the connection. Each says what
is in FILE ('-': nothing). Ends with a line of JSON: how many connections were begun, and how many were made."""

import collections
import errno
import json
import os
import resource
import selectors
import socket
import sys
import time

PARTS = 256


class Crowd:
    def __init__(self, to, keep, words):
        self.to, self.keep, self.words = to, keep, words
        self.open = collections.OrderedDict()
        self.ready = selectors.DefaultSelector()
        self.begun = self.made = 0

    def begin(self, source):
        s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        s.setblocking(False)
        s.bind((source, 0))
        if s.connect_ex(self.to) not in (0, errno.EINPROGRESS):
            s.close()
            return
        self.begun += 1
        self.open[s] = False
        self.ready.register(s, selectors.EVENT_WRITE)
        if len(self.open) > self.keep:
            self.end(next(iter(self.open)))

    def end(self, s):
        del self.open[s]
        self.ready.unregister(s)
        s.close()

    def look(self):
        for key, _ in self.ready.select(0):
            s = key.fileobj
            try:
                if not self.open[s]:
                    s.send(self.words or b"")
                    self.open[s] = True
                    self.made += 1
                    self.ready.modify(s, selectors.EVENT_READ)
                elif not s.recv(65536):
                    self.end(s)
            except OSError:
                self.end(s)


def main():
    host, port, rate, seconds, keep, words, source = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    data = b"" if words == "-" else open(words, "rb").read()
    crowd = Crowd((host, int(port)), int(keep), data)
    print("coming", flush=True)
    begin = time.monotonic()
    count = 0
    while (now := time.monotonic() - begin) < float(seconds):
        while count < now * float(rate):
            crowd.begin(source % (count % PARTS, count // PARTS % 65535 + 1))
            count += 1
        crowd.look()
        time.sleep(0.001)
    print(json.dumps({"begun": crowd.begun, "made": crowd.made}), flush=True)


if __name__ == "__main__":
    main()
    os._exit(0)
