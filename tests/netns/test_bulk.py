# SPDX-License-Identifier: Apache-2.0
"""Much data in frames of full size. How fast it goes, beside other tunnels, is `make bench`.

    site-a ───────────────── inet ───────────────── site-b
    tap0  10.10.10.4/24                             tap0  10.10.10.3/24
"""

import random
import socket
import threading

import lab as labs
from lab import A_OVERLAY

SIZE = 64 << 20


def test_one_tcp_stream_arrives_whole_over_a_path_of_full_size(lab):
    a, b, _, _ = labs.reference_pair(lab)
    labs.wait_for(lambda: b.peer(a)["path"]["mtu"] > 1440, 10, "the path's size is found")
    data = random.Random(1).randbytes(SIZE)
    listener, sender = a.host.socket(socket.AF_INET), b.host.socket(socket.AF_INET)
    listener.bind((A_OVERLAY, 7000))
    listener.listen()
    sender.settimeout(30)
    sender.connect((A_OVERLAY, 7000))
    stream, _ = listener.accept()
    stream.settimeout(30)
    sending = threading.Thread(target=lambda: (sender.sendall(data), sender.close()), daemon=True)
    sending.start()
    with stream, stream.makefile("rb") as received:
        assert received.read() == data, "what arrives is not what was sent"
    listener.close()
