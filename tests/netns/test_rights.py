# SPDX-License-Identifier: Apache-2.0
"""What the programs let others see of themselves, and that they still find out what they tell people about each other."""

import re

import lab as labs
import pytest
from lab import A_OVERLAY


@pytest.fixture
def site(lab):
    return lab.internet(("site-a",))


def core_limits(process):
    text = labs.Path(f"/proc/{process.pid}/limits").read_text()
    return re.search(r"^Max core file size\s+(\S+)\s+(\S+)", text, flags=re.MULTILINE).groups()


def test_no_program_that_holds_keys_dumps_core(site):
    host, server, _ = site
    backbone = server.backbone()
    node = labs.receiver(host, backbone)
    assert core_limits(node.process) == core_limits(backbone.process) == ("0", "0")


def test_who_holds_a_device_or_an_id_is_still_named(site):
    """Both come from the kernel and from /proc, where a hardened process shows less."""
    host, _, _ = site
    host.add_tap("tap7", f"{A_OVERLAY}/24")
    node = host.node("-tap", "tap7", "-public")
    other = [labs.program("shadowmesh-l2"), "-run", host.dir / "run", "-public", "-port", 9543, "-control-port", 8543]
    busy = host.run(*other, "-keydir", host.dir / "other", "-tap", "tap7", check=False)
    assert f"tap7 is held by process {node.process.pid} (shadowmesh-l2)" in busy.stderr
    twice = host.run(*other, "-keydir", node.keydir, "-tap-ip", "10.9.9.1", check=False)
    assert f"runs already, as process {node.process.pid}" in twice.stderr
    assert busy.returncode and twice.returncode
