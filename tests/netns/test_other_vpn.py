# SPDX-License-Identifier: Apache-2.0
"""The reference scenario over another VPN: a layer-3 tunnel of 1,280 bytes with addresses of RFC 6598 and its routes.

    site-a  vpn0 100.90.48.10 ════ the other VPN's program ════ vpn0 100.115.193.115  site-b
            tap0 10.10.10.4/24     (a TUN at each end)          tap0 10.10.10.3/24
            and the backbone
"""

import re

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY

A_VPN, B_VPN = "100.90.48.10", "100.115.193.115"
MTU = 1280
VIDEO_SECONDS = 60

# Opens a TUN in each of two namespaces and hands packets over until it is ended.
TUNNEL = """
import ctypes, fcntl, os, select, struct, sys
libc, tuns = ctypes.CDLL(None, use_errno=True), []
for name in sys.argv[1:]:
    space = os.open('/run/netns/' + name, os.O_RDONLY)
    assert libc.setns(space, 0x40000000) == 0
    tuns.append(os.open('/dev/net/tun', os.O_RDWR))
    fcntl.ioctl(tuns[-1], 0x400454ca, struct.pack('16sH14x', b'vpn0', 0x1001))
print('ready', flush=True)
while True:
    for tun in select.select(tuns, [], [])[0]:
        packet = os.read(tun, 65536)
        try:
            os.write(tuns[tun == tuns[0]], packet)
        except OSError:
            pass  # the other end is down
"""


def over_another_vpn(lab):
    """The reference scenario's nodes: (A, B), connected."""
    a_host, b_host = lab.host("site-a"), lab.host("site-b")
    tunnel = a_host.start("/usr/bin/python3", "-c", TUNNEL, a_host.namespace, b_host.namespace, name="other-vpn")
    tunnel.wait_log("ready")
    for host, address in ((a_host, A_VPN), (b_host, B_VPN)):
        host.address = address
        host.ip("addr", "add", f"{address}/32", "dev", "vpn0")
        host.ip("link", "set", "vpn0", "mtu", str(MTU), "up")
        # As such VPNs do it: a table of their own, asked before the main one.
        host.ip("route", "add", "100.64.0.0/10", "dev", "vpn0", "table", "52")
        host.ip("rule", "add", "pref", "5270", "lookup", "52")
    backbone = a_host.backbone()
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a)
    b_host.wait_ping(A_OVERLAY, 10)
    return a, b


def test_frames_of_any_size_pass_over_another_vpn(lab, figure):
    a, b = over_another_vpn(lab)
    path = labs.wait_for(lambda: (p := b.peer(a)["path"])["mtu"] > MTU - 60 and p, 10, "the path's size is found")
    assert path["mtu"] == MTU - 28 and path["remote"] == f"{A_VPN}:9443"
    ping = b.host.ping(A_OVERLAY, "-s", 1472, "-M", "do", count=20)
    assert ping.lost == 0
    rates = [b.host.iperf(a.host, A_OVERLAY, reverse=reverse)["end"]["sum_received"]["bits_per_second"]
             for reverse in (False, True)]
    assert min(rates) > 1e6
    figure(f"over a TUN of {MTU}: ping -s 1472 -M do {ping}; TCP {rates[0] / 1e6:.0f} and {rates[1] / 1e6:.0f} Mbit/s")


def errors_of(receiver):
    return re.findall(r".*(?:Continuity check failed|missed \d+ packets|[Pp]acket corrupt|PES packet size mismatch).*", receiver.log())


SOURCE = ("ffmpeg", "-nostdin", "-loglevel", "warning", "-re", "-f", "lavfi", "-i", "testsrc=size=640x360:rate=25", "-t", VIDEO_SECONDS,
          "-c:v", "mpeg2video", "-b:v", "2M")
SINK = ("-c", "copy", "-f", "null", "-")


@pytest.mark.long
@pytest.mark.parametrize("how", ["rtp", "http"])
def test_a_minute_of_video_has_no_continuity_error(lab, figure, how):
    a, b = over_another_vpn(lab)
    view = ("ffmpeg", "-nostdin", "-loglevel", "debug")
    if how == "rtp":
        receiver = a.host.start(*view, "-i", f"rtp://{A_OVERLAY}:5004", "-t", VIDEO_SECONDS - 10, *SINK, name="receiver")
        sender = b.host.start(*SOURCE, "-f", "rtp_mpegts", f"rtp://{A_OVERLAY}:5004", name="video")
    else:
        sender = b.host.start(*SOURCE, "-f", "mpegts", "-listen", "1", f"http://{B_OVERLAY}:8000/", name="video")
        labs.wait_for(lambda: ":8000" in b.host.run("ss", "-Hltn", echo=False).stdout, 10, "the stream is offered")
        receiver = a.host.start(*view, "-i", f"http://{B_OVERLAY}:8000/", *SINK, name="receiver")
    assert receiver.wait(VIDEO_SECONDS + 40) == 0, receiver.log()[-2000:]
    frames = [int(number) for number in re.findall(r"(\d+) packets muxed", receiver.log())]
    figure(f"video over {how}, {VIDEO_SECONDS} s: {max(frames)} frames, {len(errors_of(receiver))} continuity errors")
    assert max(frames) > (VIDEO_SECONDS - 15) * 25
    assert errors_of(receiver) == []
    sender.stop()
