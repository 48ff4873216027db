# SPDX-License-Identifier: Apache-2.0
"""The rules that the source tree keeps whatever the code does: layers, system calls, headers of files."""

import functools
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.[ch]"))

# layer: what it may include besides itself (docs/ARCHITECTURE.md)
LAYERS = {
    "base": set(),
    "frame": {"base"},
    "crypto": {"base"},
    "proto": {"base", "frame", "crypto"},
    "net": {"base", "frame"},
    "node": {"base", "frame", "crypto", "proto", "net"},
    "backbone": {"base", "frame", "crypto", "proto", "net"},
    "cli": {"base", "crypto"},
}
# room of a layer: the rooms of the same layer that it may include. The layer's own files may include each room.
ROOMS = {
    "proto": {
        "wire": set(),
        "nat": {"message"},
        "names": set(),
        "doors": set(),
        "session": {"wire"},
        "message": {"wire"},
        "switch": {"wire"},
        "neigh": {"wire"},
        "path": {"wire"},
        "admission": {"wire"},
        "uplink": {"wire"},
        "portmap": set(),
        "lan": set(),
        "relay": {"wire", "admission", "path"},
        "stream": {"wire", "message"},
        "punch": {"wire", "message", "nat"},
        "network": {"wire", "message"},
        "link": {"wire", "session", "message", "network"},
        "peer": {"wire", "nat", "session", "message", "switch", "path", "relay", "stream", "punch", "network",
                 "link"},
        "mesh": {"wire", "nat", "session", "message", "path", "admission", "relay", "stream", "punch", "network",
                 "link", "peer"},
    },
    "node": {
        "config": set(),
        "carrier": {"helper"},
        "data": {"carrier"},
        "cache": set(),
        "device": {"config"},
        "doors": {"config", "helper"},
        "helper": {"config"},
        "rendezvous": {"helper"},
        "uplink": {"carrier", "helper"},
        "backbones": {"cache", "config", "carrier", "helper", "rendezvous", "uplink"},
        "records": {"cache", "helper", "rendezvous"},
        "network": {"config", "helper"},
        "api": set(),
        "underlay": {"config", "carrier", "device", "helper", "rendezvous", "uplink", "backbones", "records"},
        "netcheck": {"config", "helper"},
        "report": {"data", "device"},
        "command": {"config", "data", "device", "doors", "uplink", "backbones", "network", "underlay", "netcheck", "api", "report"},
        "control": {"cache", "config", "carrier", "data", "device", "doors", "helper", "rendezvous", "uplink", "backbones", "records", "network", "underlay",
                    "netcheck", "api", "report", "command"},
    },
}

# proto and crypto take `now` and bytes, and return bytes and actions: that is what lets tests simulate and fuzz them.
SYSTEM_HEADERS = re.compile(
    r"^(sys/(socket|ioctl|epoll|select|stat|mman|un|timerfd|eventfd|random|time)|netinet/.*|arpa/.*|linux/.*|net/.*"
    r"|unistd|fcntl|poll|time|signal|uv|netdb|ifaddrs)\.h$")
SYSTEM_CALLS = re.compile(
    r"(?<![\w.>])(socket|bind|connect|listen|accept4?|send(to|msg|mmsg)?|recv(from|msg|mmsg)?|ioctl|open(at)?|fopen|read|write"
    r"|clock_gettime|gettimeofday|time|nanosleep|sleep|usleep|getrandom|random|rand|fork|system|popen|printf|fprintf)\s*\(")
# Key files are read and written by the layer that knows what is secret in them, and nowhere else in crypto.
FILE_ACCESS = {"src/crypto/keyfile.c"}
# The kernel's name for what a frame on a TAP carries in front of it: a value, no call.
VALUE_HEADERS = {"linux/virtio_net.h"}


def code_of(path):
    """The file without comments and string literals, so that prose about a call is no call."""
    text = re.sub(r"/\*.*?\*/", " ", path.read_text(), flags=re.DOTALL)
    text = re.sub(r"//[^\n]*", " ", text)
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)


def includes_of(path):
    text = re.sub(r"/\*.*?\*/", " ", path.read_text(), flags=re.DOTALL)
    return re.findall(r'^\s*#\s*include\s+(["<])([^">]+)[">]', text, flags=re.MULTILINE)


@pytest.mark.parametrize("layer", LAYERS)
def test_layer_includes_only_lower_layers(layer):
    wrong = []
    for path in sorted((ROOT / "src" / layer).rglob("*.[ch]")):
        for bracket, header in includes_of(path):
            other = header.split("/")[0]
            if bracket == '"' and other not in LAYERS[layer] | {layer}:
                wrong.append(f"{path.relative_to(ROOT)} includes {header}")
    assert not wrong


@pytest.mark.parametrize("layer", ROOMS)
def test_room_includes_only_rooms_below_it(layer):
    rooms = ROOMS[layer]
    assert {path.name for path in (ROOT / "src" / layer).iterdir() if path.is_dir()} == set(rooms)
    wrong = []
    for path in sorted((ROOT / "src" / layer).glob("*/*.[ch]")):
        for bracket, header in includes_of(path):
            if bracket == '"' and header.startswith(layer + "/") and header.count("/") != 2:
                wrong.append(f"{path.relative_to(ROOT)} includes {header}, which is above it")
            elif bracket == '"' and header.startswith(layer + "/"):
                other = header.split("/")[1]
                if other not in rooms[path.parent.name] | {path.parent.name}:
                    wrong.append(f"{path.relative_to(ROOT)} includes {header}")
    assert not wrong


def test_what_a_room_is_made_of_stays_in_the_room():
    wrong = [f"{path.relative_to(ROOT)} includes {header}" for path in SOURCES for _, header in includes_of(path)
             if header.endswith("_impl.h") and ROOT / "src" / Path(header).parent != path.parent]
    assert not wrong


def test_a_whole_node_is_seen_only_by_those_who_tie_it_together():
    """Each part is given what it needs. There is no header of everything."""
    assert {str(path.relative_to(ROOT)) for path in SOURCES for _, header in includes_of(path)
            if Path(header).name == "control_state.h"} <= {str(path.relative_to(ROOT)) for path in SOURCES
                                                            if path.match("src/node/control/control*.c")}
    assert not [path for path in SOURCES if path.name == "node.h"]
    assert not [str(path.relative_to(ROOT)) for path in SOURCES
                if path.parent.name != "control" and re.search(r"\bstruct node\b", code_of(path))]


# Types in front of the name, parameters, and a body or a semicolon, at the start of a line.
FUNCTION = r"^(?!static|typedef|extern|return)[A-Za-z][^;{}()=#]*?\b(\w+)\([^;{}]*\)[^;{}()]*"
DECLARED = re.compile(FUNCTION + r"(?:\([^;{}]*\)[^;{}()]*)?;", flags=re.MULTILINE)
DEFINED = re.compile(FUNCTION + r"\n\{", flags=re.MULTILINE)


@functools.cache
def defined_in(path):
    return set(DEFINED.findall(code_of(path)))


def test_a_header_declares_what_one_file_does():
    """Or, where a noun has several files, what those do that begin with its name."""
    users, wrong, seen = {}, {}, 0
    for path in SOURCES:
        for _, header in includes_of(path) if path.suffix == ".c" else ():
            users.setdefault(header, []).append(path)
    for header in SOURCES:
        if header.suffix != ".h":
            continue
        name = str(header.relative_to(ROOT / "src"))
        declared = set(DECLARED.findall(code_of(header)))
        files = {str(path.relative_to(ROOT)) for path in users.get(name, ()) if declared & defined_in(path)}
        own = re.compile(re.escape(str(header.relative_to(ROOT))[:-2]) + r"(_\w+)?\.c")
        seen += len(files)
        if len(files) > 1 and not all(own.fullmatch(file) for file in files):
            wrong[name] = sorted(files)
    assert seen > 100
    assert not wrong


def test_peers_are_written_by_their_own_room():
    """struct peer is open for reading; a struct link is not open at all."""
    writes = re.compile(r"\b(?:p|l->owner|peers\[\w+\])->[\w.]+(?:\[[^\]]*\])?\s*(?:=(?!=)|[-+|&]=|\+\+|--)"
                        r"|\b(?:snprintf|memcpy|memset)\s*\(\s*&?p->")
    wrong = [f"{path.relative_to(ROOT)}: {match.group()}" for path in sorted((ROOT / "src" / "proto" / "mesh").glob("*.[ch]"))
             for match in writes.finditer(code_of(path))]
    assert not wrong


@pytest.mark.parametrize("layer", ["frame", "crypto", "proto"])
def test_layer_makes_no_system_call(layer):
    wrong = []
    for path in sorted((ROOT / "src" / layer).rglob("*.[ch]")):
        name = str(path.relative_to(ROOT))
        if name in FILE_ACCESS:
            continue
        wrong += [f"{name} includes {header}" for _, header in includes_of(path)
                  if SYSTEM_HEADERS.match(header) and header not in VALUE_HEADERS]
        wrong += [f"{name} calls {match.group(1)}" for match in SYSTEM_CALLS.finditer(code_of(path))]
    assert not wrong


def test_only_helpers_look_names_up_and_speak_http():
    """What reads strangers' bytes with much code of others is kept from the node's own process. The backbone looks one name of
    its operator's up, before it serves anybody."""
    users = {path.relative_to(ROOT) for path in SOURCES for _, header in includes_of(path) if header in ("netdb.h", "curl/curl.h")}
    assert {str(path.parent) for path in users} == {"src/node/helper", "src/backbone"}
    assert {path.name for path in users if path.parent.name == "backbone"} == {"redis_target.c"}


def test_proto_draws_random_bytes_only_from_the_source_that_it_was_given():
    wrong = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "src" / "proto").rglob("*.[ch]"))
             if re.search(r"\b(secret_random|secret_source|RAND_\w+)\b", code_of(path))]
    assert not wrong


@pytest.mark.parametrize("layer", ["base", "frame", "crypto", "proto", "net"])
def test_lower_layers_return_codes_and_do_not_log(layer):
    wrong = []
    for path in sorted((ROOT / "src" / layer).rglob("*.c")):
        if path.name != "log.c" and re.search(r"\blog_(error|warn|info|debug|line)\s*\(", code_of(path)):
            wrong.append(str(path.relative_to(ROOT)))
    assert not wrong


def test_every_source_folder_is_a_layer():
    assert {path.name for path in (ROOT / "src").iterdir() if path.is_dir()} <= set(LAYERS)


def tracked(*patterns):
    listing = subprocess.run(["git", "-C", str(ROOT), "ls-files", "--", *patterns], check=True, capture_output=True, text=True)
    return [ROOT / line for line in listing.stdout.splitlines() if (ROOT / line).exists()]


def test_lines_of_build_files_are_short():
    assert not [f"{path.relative_to(ROOT)}:{number}" for path in tracked("meson.build", "*/meson.build", "Makefile")
                for number, line in enumerate(path.read_text().splitlines(), 1) if len(line) >= 120]


def test_c_files_are_as_clang_format_leaves_them():
    files = tracked("*.c", "*.h")
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *map(str, files)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000]


def test_c_has_one_dialect():
    """An error is err, never rc; sizeof has parentheses; the licence is the first line, in one form."""
    other = []
    for path in tracked("*.c", "*.h"):
        text = path.read_text()
        if not text.startswith("/* SPDX-License-Identifier: Apache-2.0 */\n") or re.search(r"\bsizeof [^(]|\brc\b", code_of(path)):
            other.append(str(path.relative_to(ROOT)))
    assert not other


def test_every_file_names_its_licence():
    files = tracked("*.c", "*.h", "*.py", "*.sh", "meson.build", "Makefile", ".ci/run")
    assert len(files) > 50
    assert not [str(path.relative_to(ROOT)) for path in files if "SPDX-License-Identifier: Apache-2.0" not in path.read_text()[:400]]


def test_no_unfinished_code_is_left():
    marker = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    assert not [f"{path.relative_to(ROOT)}: {line.strip()}" for path in tracked("src/*.c", "src/*.h", "tests/*.c", "tools/*.sh")
                for line in path.read_text().splitlines() if marker.search(line)]


def test_every_fuzz_target_has_a_corpus():
    targets = [path.stem.removeprefix("fuzz_") for path in (ROOT / "tests" / "fuzz").glob("fuzz_*.c")]
    assert targets
    assert not [target for target in targets if not any((ROOT / "tests" / "fuzz" / "corpus" / target).glob("*"))]


def test_every_fuzz_target_and_unit_test_is_built():
    for folder, prefix in (("unit", "test_"), ("fuzz", "fuzz_")):
        meson = (ROOT / "tests" / folder / "meson.build").read_text()
        names = [path.stem.removeprefix(prefix) for path in (ROOT / "tests" / folder).glob(f"{prefix}*.c")]
        assert not [name for name in names if not re.search(rf"'{name}'", meson)], folder
