# SPDX-License-Identifier: Apache-2.0
"""What make install puts somewhere runs there, without the folders that it was built from."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import lab as labs
import pytest

PROGRAMS = ("shadowmesh", "shadowmesh-l2", "shadowmesh-backbone")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "shadowmesh"


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    subprocess.run([labs.ROOT / "tools" / "install.sh", labs.BUILD, "/usr/local", root], check=True, capture_output=True, text=True)
    return root


def alone(staged, command):
    """Runs a command where only what was staged is in /usr/local, and neither the tree nor the cache of libraries exists."""
    hidden = [str(path) for path in (labs.BUILD, CACHE) if path.exists()]
    script = "\n".join([f"mount --bind {shlex.quote(str(staged / 'usr/local'))} /usr/local",
                        *(f"mount -t tmpfs none {shlex.quote(path)}" for path in hidden), command])
    return subprocess.run(["unshare", "--mount", "sh", "-ec", script], capture_output=True, text=True, cwd="/")


def test_the_programs_run_where_they_are_installed(staged):
    for program in PROGRAMS:
        result = alone(staged, f"/usr/local/bin/{program} --version")
        assert result.returncode == 0, result.stderr
        assert re.match(rf"{program} \d", result.stdout)


def test_the_libraries_are_those_of_the_build(staged):
    """Not older ones of the system, which may lack what the build found."""
    for program in PROGRAMS:
        path = labs.program(program)
        loaded = {line.split()[0] for line in alone(staged, f"ldd /usr/local/bin/{program}").stdout.splitlines()
                  if "/usr/local/" in line}
        private = {line.split()[0] for line in subprocess.run(["ldd", path], capture_output=True, text=True).stdout.splitlines()
                   if str(CACHE) in line}
        assert loaded == private


def test_every_program_has_its_manual_page(staged):
    pages = {page.name.partition(".")[0] for page in (staged / "usr/local/share/man").rglob("*.[1-8]*")}
    assert pages >= set(PROGRAMS)
