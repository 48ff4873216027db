# SPDX-License-Identifier: Apache-2.0
"""What the documents name exists: files, functions, flags, drop reasons, limits. Prose is for people to check."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MAN = ROOT / "docs" / "man"
FROM_PYTHON = {"breakpoint"}


def tracked():
    listing = subprocess.run(["git", "-C", str(ROOT), "ls-files"], check=True, capture_output=True, text=True)
    return [ROOT / line for line in listing.stdout.splitlines() if (ROOT / line).is_file()]


FILES = tracked()
CODE = "\n".join(path.read_text(errors="replace") for path in FILES if path.suffix in (".c", ".h", ".py"))


def quoted(document):
    """What stands between backquotes on one line."""
    return re.findall(r"`([^`\n]+)`", document.read_text())


PROSE = ["ARCHITECTURE", "DESIGN-NOTES", "HACKING", "PROTOCOL", "SECURITY"]


@pytest.mark.parametrize("name", PROSE)
def test_sentences_have_at_most_35_words(name):
    text = re.sub(r"```.*?```", "", (ROOT / "docs" / f"{name}.md").read_text(), flags=re.DOTALL)
    pieces = re.split(r"\n\s*\n|\n(?=\s*[-*] |\s*\d+\. )|\|", text)  # paragraphs, items, cells
    sentences = [words.split() for piece in pieces for words in re.split(r"(?<=[.!?])\s+(?=[A-Z`\"*(0-9])", " ".join(piece.split()))]
    assert not [" ".join(words) for words in sentences if len(words) > 35 and "Drops:" not in words]


@pytest.mark.parametrize("name", PROSE)
def test_lines_of_prose_are_short(name):
    long, code = [], False
    for number, line in enumerate((ROOT / "docs" / f"{name}.md").read_text().splitlines(), 1):
        code ^= line.startswith("```")
        if len(line) >= 120 and not code and not line.startswith("|"):
            long.append(f"{name}.md:{number}")
    assert not long


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_are_named_exist(document):
    known = {path.name for path in FILES}
    named = {name for text in quoted(document) if not re.search(r"[<*…]|build", text)
             for name in re.findall(r"[\w-]+\.(?:c|h|py|sh|json)\b", text)}
    assert not named - known


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_functions_that_are_named_exist(document):
    named = {name for text in quoted(document) for name in re.findall(r"\b([a-z][a-z0-9_]+)\(\)", text)}
    assert not {name for name in named - FROM_PYTHON if not re.search(rf"\b{name}\(", CODE)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    links = re.findall(r"\]\(([^)#:]+)\)", document.read_text())
    assert not [link for link in links if not (document.parent / link).exists()]


def test_what_holds_a_promise_exists():
    """SECURITY.md names tests as file::test, or file:: for all of a file, and searches of the model."""
    sources = {path.name: path.read_text(errors="replace") for path in FILES if path.name.startswith("test_")}
    named = [text for text in quoted(ROOT / "docs/SECURITY.md") if "::" in text]
    assert len(named) > 40
    assert not [text for text in named for file, test in [text.split("::")]
                if file not in sources or not re.search(rf"\b{test}\(" if test else "", sources[file])]
    listed = subprocess.run(["docs/model/check.py", "--list"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    searches = [text for text in quoted(ROOT / "docs/SECURITY.md") if text.startswith("sound:") and "…" not in text]
    assert searches and not set(searches) - set(listed.split())


def test_every_manual_page_is_installed():
    installed = re.search(r"^install_man\((.*?)\)", (ROOT / "meson.build").read_text(), flags=re.MULTILINE | re.DOTALL)[1]
    assert sorted(re.findall(r"'docs/man/([^']+)'", installed)) == sorted(path.name for path in MAN.iterdir())


def flags_of_the_node():
    """{name: hidden} from the table that -help is printed from."""
    table = (ROOT / "src/node/config/config.c").read_text().split("static const struct flag flags[]", 1)[1].split("};", 1)[0]
    flags = {}
    for row in re.findall(r'\{"([a-z-]+)",(.*?)\}', table, flags=re.DOTALL):
        flags[row[0]] = re.search(r"NULL, read_", row[1]) is not None and '"' not in row[1].split(",", 1)[1]
    assert flags["tap-ip"] is False and flags["test-ratchet-seconds"] is True
    return flags


def test_the_manual_has_every_flag_and_no_other():
    manual = (MAN / "shadowmesh-l2.8").read_text().replace("\\-", "-")
    described = set(re.findall(r'^\.BI? "?-([a-z-]+)', manual, flags=re.MULTILINE)) - {"help", "version"}
    assert described == {name for name, hidden in flags_of_the_node().items() if not hidden}


@pytest.mark.parametrize("page, source", [("shadowmesh-l2.8", "node/config/config.c"), ("shadowmesh-backbone.8", "backbone/config.c")])
def test_the_manual_names_what_a_running_program_takes_anew(page, source):
    table = (ROOT / "src" / source).read_text().split("static const struct flag flags[]", 1)[1].split("};", 1)[0]
    rows = re.findall(r'\{"([a-z-]+)",[^{}]*?(RELOADS|RESTARTS)', table)
    manual = (MAN / page).read_text().replace("\\-", "-")
    told = re.search(r"otherwise than before it takes(.*?)(?:;|\.RE)", manual, flags=re.DOTALL)[1]
    assert len(rows) > 10
    assert set(re.findall(r"-([a-z-]+)", told)) == {name for name, how in rows if how == "RELOADS"} - {"config"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_use_flags_that_exist(document):
    text = document.read_text().replace("\\\n", " ")
    commands = [line for line in text.splitlines() if re.match(r"(\$ )?\./shadowmesh-l2 ", line)]
    used = {flag for line in commands for flag in re.findall(r" -([a-z][a-z-]*)", line)}
    assert not used - set(flags_of_the_node())
    assert document.name != "README.md" or used


def test_the_protocol_lists_every_drop_reason_in_order():
    protocol = (ROOT / "docs/PROTOCOL.md").read_text()
    listed = re.search(r"^Drops: `([^`]+)`", protocol, flags=re.MULTILINE)[1].split()
    names = re.findall(r"\[DROP_\w+\] = \"(\w+)\"", (ROOT / "src/proto/wire/drop.c").read_text())
    assert listed == names[1:]  # without "none"


def test_drop_reasons_in_the_readme_exist():
    names = set(re.findall(r'\[DROP_\w+\] = "(\w+)"', (ROOT / "src/proto/wire/drop.c").read_text()))
    rows = re.search(r"\| reason \| meaning \|\n\|---\|---\|\n((?:\|.*\n)+)", (ROOT / "README.md").read_text())[1]
    mentioned = {name for row in rows.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert mentioned and not mentioned - names


@pytest.mark.parametrize("name", ["ROUND_FRAMES", "UDP_BATCH", "SEND_WAIT_MS"])
def test_limits_are_those_of_the_code(name):
    row = re.search(rf"^\| `{name}`[^|]*\| (\d+)", (ROOT / "docs/ARCHITECTURE.md").read_text(), flags=re.MULTILINE)
    assert row[1] == re.search(rf"#define {name}\s+(\d+)", CODE)[1]
