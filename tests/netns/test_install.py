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


def install(root):
    subprocess.run([labs.ROOT / "tools" / "install.sh", labs.BUILD, "/usr/local", root], check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    install(root)
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


def files(root):
    return {path.relative_to(root) for path in root.rglob("*") if not path.is_dir()}


def test_uninstalling_leaves_what_is_of_others(tmp_path):
    install(tmp_path)
    assert files(tmp_path)
    strange = [Path("usr/local/bin/shadowmesh-of-mine"), Path("usr/local/lib/shadowmesh/notes")]
    for path in strange:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("mine")
    for _ in range(2):  # there is nothing the second time
        subprocess.run([labs.ROOT / "tools" / "uninstall.sh", labs.BUILD, "/usr/local", tmp_path], check=True)
        assert files(tmp_path) == set(strange)


def test_uninstalling_removes_the_folder_of_libraries(tmp_path):
    install(tmp_path)
    subprocess.run([labs.ROOT / "tools" / "uninstall.sh", labs.BUILD, "/usr/local", tmp_path], check=True)
    assert not (tmp_path / "usr/local/lib/shadowmesh").exists()
