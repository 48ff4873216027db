# SPDX-License-Identifier: Apache-2.0
"""Each fault of tests/sim/faults.toml can still be planted (tools/faults.py): its text stands once in its file."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import faults  # noqa: E402


@pytest.mark.parametrize("fault", faults.load(), ids=lambda fault: fault["name"])
def test_fault_can_be_planted(fault):
    text = (ROOT / fault["file"]).read_text()
    assert faults.plant(fault, text) != text
    assert all((ROOT / "tests" / test.split("/")[0] / f"test_{test.split('/')[1]}.c").exists()
               for test in faults.tests_of(fault))


def test_there_are_twenty_faults_and_each_has_its_name():
    names = [fault["name"] for fault in faults.load()]
    assert len(set(names)) == len(names) >= 20


def test_a_fault_whose_text_is_gone_is_told():
    with pytest.raises(faults.FaultError, match="stands 0 times"):
        faults.plant({"name": "of yesterday", "file": "a.c", "old": "b", "new": "c"}, "a")
