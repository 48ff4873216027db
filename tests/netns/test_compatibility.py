# SPDX-License-Identifier: Apache-2.0
"""A node of this build and one of an earlier one, the last that was released among them: they connect, rekey, carry frames.

    site-a ──── inet ──── site-b      the earlier node is built from its commit, once for each BUILD folder

Version 1 of the protocol only grows: what an earlier node does not know it ignores, and this one does without.
"""

import fcntl
import os
import shutil
import subprocess

import lab as labs
import pytest
from lab import A_OVERLAY, B_OVERLAY, BUILD, ROOT

# commit: whether its nodes mix a fresh secret into a session's first root. The newest first; those before it take long.
EARLIER = {
    "c7bb42c2b7335666e51ca6b74a7e6b8e9f4c54e1": True,
    "4deb7f403137171106447bf11c6afdd0ac7a6f06": True,
    "5657187c7ea256bb9c893d8fcdff056a43a06255": True,
    "7dc48edcced1ac95e526b8902632b7cc66f54a20": True,
    "02180cfccc40262ecf7b4ca3f52f7096d8d0d609": True,
    "c30cfd85526f02c5b4dc88e710a6619a6a567b24": True,
    "f40ecac6a9af96b71767e6739f72b245f6cbdfdf": False,
}
BUILD_SECONDS = 900


def have(commit):
    return subprocess.run(["git", "-C", ROOT, "cat-file", "-e", f"{commit}^{{commit}}"], capture_output=True).returncode == 0


def build(commit):
    """The path of that commit's shadowmesh-l2, built without its tests."""
    folder = BUILD / "earlier" / commit
    folder.mkdir(parents=True, exist_ok=True)
    binary = folder / "build" / "shadowmesh-l2"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            shutil.rmtree(folder / "source", ignore_errors=True)
            (folder / "source").mkdir()
            archive = subprocess.run(["git", "-C", ROOT, "archive", commit], check=True, capture_output=True).stdout
            subprocess.run(["tar", "-x", "-C", folder / "source"], input=archive, check=True)
            clean = {key: value for key, value in os.environ.items() if key not in ("CC", "CFLAGS", "LDFLAGS")}
            for step in (["tools/setup.sh", folder / "build", "-Dtests=false"],
                         ["ninja", "-C", folder / "build", "shadowmesh-l2"]):
                subprocess.run(step, cwd=folder / "source", env=clean, check=True, capture_output=True, timeout=BUILD_SECONDS)
    return binary


@pytest.fixture(params=[pytest.param(commit, marks=pytest.mark.long if i else ()) for i, commit in enumerate(EARLIER)],
                ids=lambda commit: commit[:7])
def earlier(request):
    if not have(request.param):
        pytest.skip(f"this source tree has no history: commit {request.param} is not in it")
    return build(request.param), EARLIER[request.param]


@pytest.mark.early
@pytest.mark.parametrize("earlier_opens", [False, True], ids=["earlier accepts", "earlier opens"])
def test_node_of_an_earlier_build_connects_rekeys_and_carries_frames(lab, earlier, earlier_opens):
    binary, fresh_root = earlier
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    often = ("-test-ratchet-seconds", 1, "-test-rehandshake-seconds", 6)
    a = labs.receiver(a_host, backbone, *often, binary=None if earlier_opens else binary)
    b = labs.sender(b_host, backbone, a, *often, binary=binary if earlier_opens else None)
    b_host.wait_ping(A_OVERLAY, 5)
    mine, theirs = (a, b) if earlier_opens else (b, a)
    assert mine.peer(theirs)["fresh_root"] is fresh_root
    before = mine.peer(theirs)
    forth, back = b_host.ping_stream(A_OVERLAY), a_host.ping_stream(B_OVERLAY)

    def rekeyed():
        now = mine.peer(theirs)
        return now["ratchets"] - before["ratchets"] >= 4 and now["handshakes"] > before["handshakes"]
    labs.wait_for(rekeyed, 30, "four ratchet steps and a handshake", every=0.2)
    forth.stop()
    back.stop()
    assert forth.lost() == [] and back.lost() == []
    report = b_host.iperf(a_host, A_OVERLAY, seconds=1)
    assert report["end"]["sum_received"]["bytes"] > 1_000_000


def test_node_of_an_earlier_build_copes_with_being_disallowed(lab, earlier):
    """Older ones know no such goodbye: they take it for any, and are refused when they come again."""
    binary, _ = earlier
    a_host, b_host, server, _ = lab.internet()
    backbone = server.backbone()
    a = labs.receiver(a_host, backbone)
    b = labs.sender(b_host, backbone, a, binary=binary)
    b_host.wait_ping(A_OVERLAY, 5)
    a_host.run(labs.program("shadowmesh"), "disallow", b.id, "-run", a.run_dir)
    b.process.wait_log("disconnected: it (said goodbye|admits us no longer)")
    b.process.wait_log("refused us: your id was taken off my lists")
    labs.wait_for(lambda: b.peer(a)["state"] == "refused", 5, "the earlier node knows that it is refused")
    assert not b_host.answers(A_OVERLAY)
    a_host.run(labs.program("shadowmesh"), "allow", b.id, "-run", a.run_dir)
    b_host.wait_ping(A_OVERLAY, 30)
