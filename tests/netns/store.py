# SPDX-License-Identifier: Apache-2.0
"""What backbones share: a real redis-server of a lab's own, and a program in its place that says anything."""

import contextlib
import random
import socket
import subprocess
import threading

import lab as labs

SERVER = "redis-server"


def free_port():
    """One of loopback that no connection is given by chance, and that nobody has now."""
    while True:
        port = random.randrange(20000, 30000)
        with contextlib.suppress(OSError), socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            for one in (tcp, udp):
                one.bind(("127.0.0.1", port))
            return port


class Redis:
    """On a unix socket, or with a password on a port of loopback; nothing is written to the disk."""

    def __init__(self, folder, password=None, port=0):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        self.socket = folder / "redis.sock"
        self.password = password
        self.port = port
        self.starts = 0

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}" if self.port else f"unix://{self.socket}"

    def start(self):
        self.starts += 1
        flags = ["--port", str(self.port), "--unixsocket", str(self.socket), "--unixsocketperm", "777", "--save", "", "--dir", str(self.folder)]
        if self.password:
            flags += ["--requirepass", self.password]
        self.process = labs.Process([SERVER, *flags], self.folder / f"redis-{self.starts}.log")
        self.process.wait_log("(?i)ready to accept connections")
        return self

    def say(self, *words):
        """What redis-cli answers."""
        auth = ["-a", self.password, "--no-auth-warning"] if self.password else []
        return subprocess.run(["redis-cli", "-s", str(self.socket), *auth, *words], capture_output=True, text=True, check=True).stdout.strip()

    def send_signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.socket.unlink(missing_ok=True)


class Liar:
    """Says `text` to whatever it is told on a unix socket, for each line."""

    def __init__(self, path, text):
        self.text = text
        self.told = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        path.chmod(0o777)
        self.listener.listen(64)
        self.path = path
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        with contextlib.suppress(OSError), connection:
            while connection.recv(65536):
                self.told += 1
                connection.sendall(self.text)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.path.unlink()
