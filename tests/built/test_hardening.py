# SPDX-License-Identifier: Apache-2.0
"""What the compiler and linker were asked for, read from the programs that they made."""

import json
import os
import platform
import re
import subprocess
from pathlib import Path

import pytest

BUILD = Path(os.environ["SHADOWMESH_BUILD"])
PROGRAMS = ["shadowmesh", "shadowmesh-l2", "shadowmesh-backbone"]
X86 = platform.machine() == "x86_64"
FLAGS = {"-fstack-protector-strong", "-fstack-clash-protection", "-ftrivial-auto-var-init=zero", "-D_FORTIFY_SOURCE=3",
         "-fcf-protection=full" if X86 else "-mbranch-protection=standard"}
WRITES, RUNS = "W", "E"


def readelf(program, *options):
    # A note that it does not know (.note.dlopen) makes it exit with 1.
    return subprocess.run(["readelf", "-W", *options, str(BUILD / program)], check="-n" not in options, capture_output=True,
                          text=True).stdout


def segments(program):
    """[(type, flags)] of the program headers."""
    rows = re.findall(r"^  ([A-Z_]+) +(?:0x[0-9a-f]+ ){5}([RWE ]{3}) 0x", readelf(program, "-l"), flags=re.MULTILINE)
    assert len([row for row in rows if row[0] == "LOAD"]) >= 3
    return rows


def imported(program):
    return set(re.findall(r" UND ([\w]+)", readelf(program, "--dyn-syms")))


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_is_position_independent(program):
    assert re.search(r"Type: +DYN", readelf(program, "-h"))
    assert re.search(r"\(FLAGS_1\).* PIE", readelf(program, "-d"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_relocations_are_done_at_the_start_and_then_read_only(program):
    assert re.search(r"\(FLAGS_1\).* NOW", readelf(program, "-d"))
    assert "GNU_RELRO" in [kind for kind, _ in segments(program)]


@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_can_be_written_and_run(program):
    rows = segments(program)
    assert not [row for row in rows if WRITES in row[1] and RUNS in row[1]]
    assert [RUNS in flags for kind, flags in rows if kind == "GNU_STACK"] == [False]


@pytest.mark.parametrize("program", PROGRAMS)
def test_stack_is_protected_and_library_calls_are_bounded(program):
    names = imported(program)
    assert "__stack_chk_fail" in names
    assert {name for name in names if name.endswith("_chk")} - {"__stack_chk_fail"}


@pytest.mark.skipif(not X86, reason="shadow stacks and landing pads are x86's")
@pytest.mark.parametrize("program", PROGRAMS)
def test_program_keeps_to_a_shadow_stack_and_has_landing_pads(program):
    assert "SHSTK" in readelf(program, "-n")
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(BUILD / program)], check=True, capture_output=True,
                          text=True).stdout
    assert re.search(r"<main>:\n.*\tendbr64", code)


@pytest.mark.skipif(not X86, reason="shadow stacks and landing pads are x86's")
def test_every_object_of_ours_has_landing_pads():
    """The program's own note cannot tell: the C library's start files have none."""
    objects = sorted((BUILD / "src").rglob("*.c.o"))
    assert len(objects) > 50
    assert not [path.name for path in objects if "IBT, SHSTK" not in readelf(path.relative_to(BUILD), "-n")]


def test_every_file_of_ours_is_compiled_with_the_flags():
    commands = json.loads((BUILD / "compile_commands.json").read_text())
    ours = [entry for entry in commands if re.search(r"(^|/)src/[a-z]+/\w+\.c$", entry["file"])]
    assert len(ours) > 50
    assert not {Path(entry["file"]).name: FLAGS - set(entry["command"].split()) for entry in ours
                if FLAGS - set(entry["command"].split())}


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_path_of_the_source_folder_is_in_the_program(program):
    # Debian's dynamic loader needs RPATHs in the build folder: they lead to libraries, never into the source folder.
    source = Path(__file__).resolve().parents[2]
    folder = json.loads((BUILD / "compile_commands.json").read_text())[0]["directory"]
    data = (BUILD / program).read_bytes()
    assert str(source).encode() not in data and folder.encode() not in data
