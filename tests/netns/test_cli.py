# SPDX-License-Identifier: Apache-2.0
"""The command shadowmesh against sockets that speak the node's API (docs/PROTOCOL.md, section 11), and the three programs'
man pages against their --help. Needs no namespace."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import termios
import threading

import pytest

import lab as labs

ID_A = "a1b2c3d4e5f60718293a4b5c6d7e8f9001020304"
ID_B = "b" * 40
ID_C = "c0ffee" + "0" * 34


def peer(**changes):
    return {
        "id": ID_B, "name": "site-b", "addresses": ["10.10.10.4/24"], "state": "connected",
        "path": {"kind": "direct", "remote": "203.0.113.7:9443", "mtu": 1452}, "rtt_us": 412, "loss": 0.0,
        "rx_bytes": 1_234_567_890, "tx_bytes": 340_000_000, "handshake_age_s": 3725, "ratchet_age_s": 12,
        "suite": "AES-256-GCM", "paths": [
            {"kind": "direct", "remote": "203.0.113.7:9443", "state": "proven", "rtt_us": 412, "mtu": 1452},
            {"kind": "direct", "remote": "192.0.2.9:9443", "state": "probing", "rtt_us": None, "mtu": None}],
    } | changes


def node(**changes):
    return {
        "id": ID_A, "name": "site-a", "device": "tap0", "mtu": 1500, "addresses": ["10.10.10.3/24"], "workers": 2,
        "offloads": ["csum", "tso"], "aead": "AES-256-GCM", "aead_reason": "-aead aes", "version": "0.2.0", "uptime_s": 7505,
        "backbone": {"url": "http://192.0.2.1:8080", "reachable": True}, "reflexive": "198.51.100.9:9443",
        "port": 9443, "control_port": 8443, "public": False, "peers": [peer()],
        "drops": {"replay": 3, "auth": 0, "no_peer": 17},
        "frames": {"from_device": 12345, "to_device": 11020, "bytes_from_device": 1_200_000,
                   "bytes_to_device": 340_000_000},
    } | changes


class Api:
    """A socket that answers as a node would."""

    def __init__(self, run, identity, answers):
        self.path = run / f"{identity}.sock"
        self.answers = answers
        self.requests = []
        self.listener = socket.socket(socket.AF_UNIX)
        cwd = os.open(".", os.O_PATH)
        os.chdir(run)
        self.listener.bind(self.path.name)  # the whole path may be too long for a socket
        os.fchdir(cwd)
        os.close(cwd)
        self.listener.listen()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream:
                for line in stream:
                    request = json.loads(line)
                    self.requests.append(request)
                    answer = self.answers.get(request["cmd"])
                    if callable(answer):
                        answer = answer(request)
                    if isinstance(answer, bytes):
                        stream.write(answer)
                    elif isinstance(answer, str):
                        stream.write(json.dumps({"ok": False, "error": answer}).encode() + b"\n")
                    else:
                        stream.write(json.dumps({"ok": True, "result": answer}).encode() + b"\n")
                    stream.flush()

    def close(self):
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def api(tmp_path):
    made = []

    def make(identity=ID_A, **answers):
        made.append(Api(tmp_path, identity, {"status": node(id=identity)} | answers))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def cli(tmp_path):
    def run(*argv, code=0):
        done = subprocess.run([labs.program("shadowmesh"), *argv, "-run", tmp_path], capture_output=True, text=True,
                              timeout=20)
        assert done.returncode == code, done
        run.err = done.stderr
        return done.stdout
    return run


def one_line(text):
    return text.startswith("shadowmesh: ") and text.count("\n") == 1


def test_status_shows_node_and_peer_in_aligned_lines(api, cli):
    api(status=node(peers=[peer(), peer(id=ID_C, name="site-with-a-long-name", state="backoff",
                                        error="no answer from 192.0.2.7", path=None)]))
    lines = cli("status").splitlines()
    assert lines[0] == "site-a  a1b2c3d4e5  10.10.10.3/24  up 2 h 05 min"
    assert "  device    tap0, MTU 1500, offloads csum tso, 2 workers, AES-256-GCM (-aead aes)" in lines
    assert "  backbone  http://192.0.2.1:8080, reached, sees us as 198.51.100.9:9443" in lines
    assert "  frames    12 345 sent (1.2 MB), 11 020 received (340 MB)" in lines
    assert "  drops     replay 3, no_peer 17" in lines
    assert lines[-3] == ("  site-b                 bbbbbbbbbb  10.10.10.4/24  direct 203.0.113.7:9443  "
                         "0.4 ms  0.0 %  rx 1.2 GB  tx 340 MB")
    assert lines[-2:] == ["  site-with-a-long-name  c0ffee0000  10.10.10.4/24  backoff", "      no answer from 192.0.2.7"]


def test_peer_without_a_path_is_shown_with_its_state_since_when_and_why(api, cli):
    suspect = {"kind": "direct", "remote": "192.0.2.9:9443", "state": "suspect", "mtu": 1200}
    api(status=node(peers=[peer(state="no path", state_age_s=134, error="nothing comes back", path=suspect)]))
    for verb in ("status", "peers"):
        assert "no path for 2 min 14 s  " in cli(verb)
        assert "direct 192.0.2.9:9443" not in cli(verb)


def test_status_shows_what_is_wrong_as_long_as_it_is(api, cli):
    api(status=node(warnings=["another host uses our key", "and \x1b[31mmore"]))
    lines = cli("status").splitlines()
    assert "  warning   another host uses our key" in lines
    assert sum(line.startswith("  warning ") for line in lines) == 2 and "\x1b" not in "".join(lines)


def test_status_json_is_an_array_of_what_the_nodes_say(api, cli):
    api(ID_A)
    api(ID_C, status=node(id=ID_C, name="site-c", peers=[]))
    nodes = json.loads(cli("status", "--json"))
    assert [n["name"] for n in nodes] == ["site-a", "site-c"]
    assert nodes[0] == node()


def on_a_terminal(columns, environment, *argv):
    """What the command prints on a terminal of so many columns, without colours."""
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", 0) as screen:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        done = subprocess.Popen([labs.program("shadowmesh"), *map(str, argv)], stdout=theirs,
                                env={**os.environ, "TERM": "dumb", **environment})
        os.close(theirs)
        text = b""
        with contextlib.suppress(OSError):  # the terminal's other end is closed
            while more := screen.read(4096):
                text += more
        assert done.wait(20) == 0
    return text.decode().splitlines()


@pytest.mark.parametrize("columns,environment,width", [(80, {}, 80), (120, {}, 120), (0, {}, 80), (200, {"COLUMNS": "60"}, 60)])
@pytest.mark.parametrize("verb", [["status"], ["peers"], ["peers", "-l"], ["fdb"]])
def test_no_line_is_wider_than_the_terminal(api, tmp_path, columns, environment, width, verb):
    long = "192.0.2.7:8443: " + "no route to this host and " * 8 + "nothing else"
    entries = [{"mac": "02:00:00:00:00:01", "vlan": 7, "port": "peer", "peer_id": ID_B, "peer_name": "x" * 30, "age_s": 12}]
    api(status=node(peers=[peer(), peer(id=ID_C, name="site-c", state="backoff", error=long, path=None)],
                    drops={f"reason_{n}": n for n in range(1, 30)}), fdb={"entries": entries})
    lines = on_a_terminal(columns, {"COLUMNS": ""} | environment, *verb, "-run", tmp_path)
    assert lines and all(len(line) <= width for line in lines), "\n".join(lines)
    text = " ".join(" ".join(lines).split())
    assert verb == ["fdb"] or long in text


def test_what_is_piped_is_not_wrapped(api, cli):
    error = "no route to this host and " * 20 + "nothing else"
    api(status=node(peers=[peer(), peer(id=ID_C, name="site-c", state="backoff", error=error, path=None)]))
    for verb in ("status", "peers"):
        lines = cli(verb).splitlines()
        assert lines[-1].strip() == error and " backoff " in lines[-2] + " "
        assert max(map(len, lines[:-1])) < 140


def test_json_is_ascii_whatever_peers_are_called(api, cli):
    name = "Köl\u009b31m\u202e"
    api(status=node(peers=[peer(name=name)]))
    text = cli("status", "--json")
    assert text.isascii() and json.loads(text)[0]["peers"][0]["name"] == name


def test_n_picks_by_name_or_id_prefix(api, cli):
    api(ID_A)
    api(ID_C, status=node(id=ID_C, name="site-c"))
    for text in ("site-c", "c0ff", "C0FFEE00"):
        assert [n["id"] for n in json.loads(cli("status", "-json", "-n", text))] == [ID_C]
    cli("status", "-n", "elsewhere", code=3)
    assert one_line(cli.err) and "elsewhere" in cli.err
    cli("status", "-n", "c0", code=3)


def test_two_nodes_of_one_name_are_not_guessed_between(api, cli):
    api(ID_A)
    api(ID_C, status=node(id=ID_C))
    cli("status", "-n", "site-a", code=1)
    assert one_line(cli.err) and "2 nodes fit" in cli.err


def test_no_node_is_exit_3_with_a_hint(cli, tmp_path):
    assert cli("status", code=3) == ""
    assert one_line(cli.err) and "shadowmesh-l2" in cli.err
    assert json.loads(cli("status", "--json", code=3)) == []
    done = subprocess.run([labs.program("shadowmesh"), "peers", "-run", tmp_path / "missing"], capture_output=True)
    assert done.returncode == 3


def test_socket_of_a_dead_process_is_passed_over(api, cli, tmp_path):
    dead = api(ID_C)
    dead.close()
    assert dead.path.exists()
    cli("status", code=3)
    api(ID_A)
    assert len(json.loads(cli("status", "--json"))) == 1
    assert cli.err == ""


def test_long_run_folder_works(tmp_path):
    run = tmp_path / ("x" * 120)
    run.mkdir()
    server = Api(run, ID_A, {"status": node()})
    done = subprocess.run([labs.program("shadowmesh"), "id", "-run", run], capture_output=True, text=True)
    server.close()
    assert (done.returncode, done.stdout) == (0, ID_A + "\n")


def test_answers_that_are_none_are_told(api, cli):
    api(status=b"nonsense\n")
    cli("status", code=1)
    assert one_line(cli.err)


@pytest.mark.parametrize("status", [{}, {"peers": 3, "name": 7, "drops": []}, {"peers": [None, 1, {"path": 3}]}])
def test_unexpected_shapes_do_no_harm(api, cli, status):
    api(status=status, fdb=status, ping=status)
    for verb in ("status", "peers", "fdb", "id"):
        cli(verb)


def test_names_cannot_reach_the_terminal(api, cli):
    evil = "a\x1b]0;owned\x07\u202eb\u009bc"
    api(status=node(name=evil, peers=[peer(name=evil, addresses=[evil], state=evil, path=None, error=evil)]),
        fdb={"entries": [{"mac": evil, "vlan": 0, "port": "peer", "peer_id": evil, "peer_name": evil, "age_s": 1}]})
    for verb in ("status", "peers", "fdb"):
        out = cli(verb)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out)
        assert "a?]0;owned??b?c" in out


def test_output_to_a_pipe_has_no_colour(api, cli):
    api(fdb={"entries": []})
    assert "\x1b" not in cli("status") + cli("peers") + cli("fdb")


def test_peers_tells_ages_suite_and_with_l_every_path(api, cli):
    api()
    heading, row = cli("peers").splitlines()
    assert heading.split() == ["PEER", "ID", "ADDRESSES", "PATH", "MTU", "RTT", "LOSS", "RX", "TX", "HANDSHAKE",
                               "RATCHET"]
    assert re.split("  +", row) == ["site-b", "bbbbbbbbbb", "10.10.10.4/24", "direct 203.0.113.7:9443", "1452", "0.4 ms",
                                    "0.0 %", "1.2 GB", "340 MB", "1 h 02 min", "12 s"]
    whole = cli("peers", "-l")
    assert "SUITE" in whole and "AES-256-GCM" in whole
    assert ID_B in whole and "direct 192.0.2.9:9443, probing" in whole
    (entry,) = json.loads(cli("peers", "--json"))
    assert entry["node"] == ID_A and entry["id"] == ID_B


def test_fdb_shows_what_is_behind_whom(api, cli):
    entries = [{"mac": "02:00:00:00:00:01", "vlan": 0, "port": "device", "peer_id": None, "peer_name": None, "age_s": 0},
               {"mac": "02:00:00:00:00:02", "vlan": 7, "port": "peer", "peer_id": ID_B, "peer_name": "site-b",
                "age_s": 61}]
    api(fdb={"entries": entries})
    lines = cli("fdb").splitlines()
    assert lines[1].split("  ")[0] == "02:00:00:00:00:01" and "this device" in lines[1]
    assert re.split("  +", lines[2]) == ["02:00:00:00:00:02", "7", "site-b", "bbbbbbbbbb", "1 min 01 s"]
    assert [e["node"] for e in json.loads(cli("fdb", "--json"))] == [ID_A, ID_A]


def test_fdb_of_the_nodes_that_answer_is_shown_with_an_error_for_the_other(api, cli):
    entry = {"mac": "02:00:00:00:00:01", "vlan": 0, "port": "device", "peer_id": None, "peer_name": None, "age_s": 0}
    api(ID_A, fdb="not now")
    api(ID_C, status=node(id=ID_C, name="site-c"), fdb={"entries": [entry]})
    lines = cli("fdb", code=1).splitlines()
    assert lines[0] == "site-c" and "02:00:00:00:00:01" in lines[2] and len(lines) == 3
    assert one_line(cli.err) and ID_A in cli.err and "not now" in cli.err
    assert [e["node"] for e in json.loads(cli("fdb", "--json", code=1))] == [ID_C]


def pong(request):
    return {"peer_id": ID_B, "name": "site-b", "rtt_us": 420, "path": peer()["path"]}


def test_ping_probes_and_sums_up(api, cli):
    server = api(ping=pong)
    lines = cli("ping", "site-b", "-c", "3", "-i", "0.01").splitlines()
    assert lines[:3] == ["site-b  bbbbbbbbbb  direct 203.0.113.7:9443  0.42 ms"] * 3
    assert lines[3] == "3 sent, 3 answered, 0.0 % lost, rtt min/avg/max 0.42/0.42/0.42 ms"
    assert [r for r in server.requests if r["cmd"] == "ping"] == [{"cmd": "ping", "peer": ID_B}] * 3


@pytest.mark.parametrize("name", ["10.10.10.4", "bbb", "BBBB"])
def test_ping_takes_an_overlay_address_or_a_short_id_and_a_count_at_once(api, cli, name):
    api(ping=pong)
    assert "1 sent, 1 answered" in cli("ping", name, "-c1", "-i0.01")
    cli("ping", "10.10.10.40", "-c1", code=1)
    assert one_line(cli.err) and "10.10.10.40" in cli.err


def test_peers_are_sorted_by_name(api, cli):
    named = [peer(name=name, id=digit * 40) for name, digit in (("c", "1"), ("a", "3"), ("b", "2"), ("a", "0"))]
    api(status=node(peers=named))
    assert [p["id"][0] for p in json.loads(cli("peers", "-json"))] == ["0", "3", "2", "1"]
    assert [line.split()[1][0] for line in cli("peers").splitlines()[1:]] == ["0", "3", "2", "1"]


@pytest.mark.parametrize("argv", [["ping", "--help"], ["help", "ping"], ["-json", "ping", "-h"], ["ping", "x", "-help=true"]])
def test_a_verb_has_help_of_its_own(argv):
    done = subprocess.run([labs.program("shadowmesh"), *argv], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: shadowmesh ping PEER ") and "-c COUNT" in done.stdout and "fdb" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_ping_finds_the_only_node_that_knows_the_peer(api, cli):
    api(ID_A, ping=pong)
    api(ID_C, status=node(id=ID_C, name="site-c", peers=[]), ping="not here")
    result = json.loads(cli("ping", "bbbb", "-c", "2", "-i", "0.01", "--json"))
    assert (result["sent"], result["received"], result["loss"], result["rtt_avg_us"]) == (2, 2, 0, 420)


def test_ping_of_a_silent_peer_is_exit_1(api, cli):
    api(ping="no answer within 2 s")
    assert "1 sent, 0 answered, 100.0 % lost" in cli("ping", "site-b", "-c", "1", code=1)
    assert cli.err == "shadowmesh: site-b: no answer within 2 s\n"


def test_ping_of_an_unknown_or_doubtful_peer_asks_nobody(api, cli):
    servers = [api(ID_A, ping=pong), api(ID_C, status=node(id=ID_C, name="site-c"), ping=pong)]
    cli("ping", "nobody", code=1)
    assert one_line(cli.err) and "nobody" in cli.err
    cli("ping", "site-b", code=1)
    assert one_line(cli.err) and "-n" in cli.err
    assert all(r["cmd"] == "status" for s in servers for r in s.requests)
    cli("ping", "site-b", "-n", "site-c", "-c", "1")


@pytest.mark.parametrize("argv", [
    ["stat"], ["status", "extra"], ["status", "--bogus"], ["status", "-c", "3"], ["version", "-l"], ["ping"],
    ["ping", "x", "-c", "-1"], ["ping", "x", "-c", "many"], ["ping", "x", "-i", "0"], ["ping", "x", "-i", "nan"],
    ["status", "-n", ""], ["status", "--json=yes"], ["--help=yes"], ["ping", "x", "-cx"], ["status", "-run", ""], [],
])
def test_wrong_usage_is_one_line_and_exit_2(cli, argv):
    assert cli(*argv, code=2) == ""
    assert one_line(cli.err)


def test_version_needs_no_node(cli):
    done = subprocess.run([labs.program("shadowmesh"), "version", "--json"], capture_output=True, text=True)
    version = json.loads(done.stdout)["version"]
    for flag in ("version", "-version", "--version"):
        done = subprocess.run([labs.program("shadowmesh"), flag], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, f"shadowmesh {version}\n")


def test_set_writes_what_a_node_would_start_with(tmp_path):
    conf = tmp_path / "node.conf"
    conf.write_text("tap-ip = 10.10.10.3\ntap-mtu = 1400   # the line's\n")

    def change(*words):
        return subprocess.run([labs.program("shadowmesh"), "set", conf, *words], capture_output=True, text=True)
    assert change("tap-mtu=1300", f"allow+={'0' * 40}").returncode == 0
    assert conf.read_text() == f"tap-ip = 10.10.10.3\ntap-mtu = 1300   # the line's\nallow = {'0' * 40}\n"
    refused = change("tap-mut=1200")
    assert refused.returncode == 2 and "node.conf.new: line 4: unknown flag tap-mut: did you mean tap-mtu?" in refused.stderr
    assert "1300" in conf.read_text() and list(tmp_path.iterdir()) == [conf]


MAN = {"shadowmesh": "shadowmesh.1", "shadowmesh-l2": "shadowmesh-l2.8", "shadowmesh-backbone": "shadowmesh-backbone.8"}


@pytest.mark.parametrize("name", MAN)
def test_man_page_and_help_name_the_same_flags(name):
    done = subprocess.run([labs.program(name), "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    columns = re.findall(r"^  (-.*?)(?:  |$)", done.stdout, re.M)
    helped = {flag for column in columns for flag in re.findall(r"(?:^|, )-([a-z0-9-]+)", column)}
    page = (labs.ROOT / "docs" / "man" / MAN[name]).read_text()
    described = set(re.findall(r"^\.(?:B|BI|BR) \\-([a-z0-9\\-]+)", page, re.M))
    assert helped and helped == {flag.replace("\\-", "-") for flag in described}


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
@pytest.mark.parametrize("name", MAN)
def test_man_page_renders_without_warnings(name):
    page = labs.ROOT / "docs" / "man" / MAN[name]
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", page], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
