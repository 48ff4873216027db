# SPDX-License-Identifier: Apache-2.0
"""What a person gets wrong costs one line that says what and how to mend it, and an exit code that is not 0.

    site-a: one host alone
"""

import os
import re
import subprocess

import lab as labs
import pytest
from lab import A_OVERLAY

ID = "00112233445566778899aabbccddeeff00112233"


@pytest.fixture
def host(lab):
    return lab.host("site-a")


def complaint(result):
    """The one line that a failed program wrote to stderr."""
    assert result.returncode != 0 and result.returncode > 0, (result.returncode, result.stderr)
    lines = [line for line in result.stderr.splitlines() if line.strip() and not re.search(r"^Peer ID: |^\S+Z info ", line)]
    assert len(lines) == 1, result.stderr
    return lines[0]


def l2(host, *flags, **options):
    return host.run(labs.program("shadowmesh-l2"), "-keydir", host.dir / "keys", "-run", host.dir / "run", *flags, check=False,
                    timeout=10 * labs.PATIENCE, **options)


@pytest.mark.parametrize("backbone", [[], ["-backbone", "http://127.0.0.1:1"]], ids=["alone", "backbone"])
@pytest.mark.parametrize("workers", [1, 4])
def test_too_small_an_address_space_costs_one_line_and_leaves_no_key(host, backbone, workers):
    for megabytes in (45, 60, 75, 100, 125, 150, 200):
        command = ["timeout", "-s", "TERM", "1", "prlimit", f"--as={megabytes << 20}", labs.program("shadowmesh-l2"),
                   "-workers", workers, "-keydir", host.dir / "keys", "-run", host.dir / "run", "-tap-ip", A_OVERLAY, *backbone]
        result = host.run(*command, check=False, timeout=20)
        if result.returncode == 124:
            break  # it runs
        assert result.returncode == 1, (megabytes, result.returncode, result.stderr)
        assert "ulimit -v" in complaint(result) and not (host.dir / "keys").exists()
    assert megabytes >= 75 and result.returncode == 124, result.stderr


def test_a_start_that_fails_for_too_many_peers_leaves_no_key(host):
    flags = [flag for number in range(40) for flag in ("-allow", f"{number:040x}")]
    result = host.run("prlimit", "--nofile=560", labs.program("shadowmesh-l2"), "-keydir", host.dir / "keys", "-run",
                      host.dir / "run", "-tap-ip", A_OVERLAY, *flags, check=False, timeout=20)
    assert result.returncode == 1 and "too many peers" in result.stderr
    assert not (host.dir / "keys").exists()


WRONG_FLAGS = [
    (["-tap-ip", A_OVERLAY, "-frobnicate"], "-frobnicate"),
    (["-tap-ip", A_OVERLAY, "stray"], "stray"),
    (["-tap-ip", A_OVERLAY, "-port"], "-port"),
    (["-tap-ip", A_OVERLAY, "-connect", "abc"], "abc"),
    (["-tap-ip", A_OVERLAY, "-connect", ID[:-1] + "g"], ID[:-1] + "g"),
    (["-tap-ip", A_OVERLAY, "-connect", ID + "0"], ID + "0"),
    (["-tap-ip", A_OVERLAY, "-connect", ID + "@"], "@"),
    (["-tap-ip", A_OVERLAY, "-connect", ID + "@host:99999"], "99999"),
    (["-tap-ip", A_OVERLAY, "-allow", "xyz"], "xyz"),
    (["-tap-ip", "10.10.10.256"], "10.10.10.256"),
    (["-tap-ip", "example.org"], "example.org"),
    (["-tap-ip", A_OVERLAY, "-ip", "not-an-address"], "not-an-address"),
    (["-tap-ip", A_OVERLAY, "-tap-netmask", "33"], "33"),
    (["-tap-ip", A_OVERLAY, "-tap-netmask", "255.0.255.0"], "255.0.255.0"),
    (["-tap-ip", A_OVERLAY, "-tap-netmask", "wide"], "wide"),
    (["-tap-ip", A_OVERLAY, "-port", "0"], "0"),
    (["-tap-ip", A_OVERLAY, "-port", "65536"], "65536"),
    (["-tap-ip", A_OVERLAY, "-control-port", "-1"], "-1"),
    (["-tap-ip", A_OVERLAY, "-backbone", "ftp://server"], "ftp://server"),
    (["-tap-ip", A_OVERLAY, "-backbone", "http://"], "http://"),
    (["-tap-ip", A_OVERLAY, "-tap", "a-name-that-is-too-long"], "a-name-that-is-too-long"),
    (["-tap-ip", A_OVERLAY, "-tap", "a/b"], "a/b"),
    (["-tap-ip", A_OVERLAY, "-tap-mtu", "100"], "100"),
    (["-public"], "-tap"),
    (["-tap", "nosuchtap"], "nosuchtap"),
]


@pytest.mark.parametrize("flags,said", WRONG_FLAGS, ids=[" ".join(flags[-2:]) for flags, _ in WRONG_FLAGS])
def test_wrong_flag_is_named(host, flags, said):
    line = complaint(l2(host, *flags))
    assert said in line


def test_neither_device_flag_tells_of_both(host):
    line = complaint(l2(host, "-public"))
    assert "-tap-ip" in line and re.search(r"-tap\b(?!-)", line)


def test_device_that_is_no_tap_is_refused(lab, host):
    other = lab.host("other")
    lab.link(host, "eth0", other, "eth0")
    assert "eth0" in complaint(l2(host, "-tap", "eth0"))
    assert "eth0" in complaint(l2(host, "-tap", "eth0", "-tap-ip", A_OVERLAY))
    host.ip("tuntap", "add", "dev", "tun7", "mode", "tun")
    assert "tun7" in complaint(l2(host, "-tap", "tun7"))


@pytest.mark.parametrize("content,mode,said", [
    ("no key at all\n", 0o600, "node.key"),
    ("", 0o600, "node.key"),
    (None, 0o644, "(?i)node.key.*(read|chmod|permission)"),
    (None, 0o640, "(?i)node.key.*(read|chmod|permission)"),
], ids=["garbage", "empty", "readable by all", "readable by the group"])
def test_bad_key_file_is_refused(host, content, mode, said):
    keys = host.dir / "keys"
    assert l2(host, "-generate-keys").returncode == 0
    if content is not None:
        (keys / "node.key").write_text(content)
    (keys / "node.key").chmod(mode)
    assert re.search(said, complaint(l2(host, "-tap-ip", A_OVERLAY)))


@pytest.mark.parametrize("flags", [[], ["-tap", "nosuchtap"], ["-tap-ip", A_OVERLAY, "-run", "/proc/none"]],
                         ids=["no device", "no such device", "no run folder"])
def test_start_that_fails_makes_no_key(host, flags):
    complaint(l2(host, *flags))
    assert not (host.dir / "keys").exists()


def test_new_key_is_told_with_its_whole_path(host):
    """A start from another folder has another ./keys, and so another id: that must not pass in silence."""
    result = host.run(labs.program("shadowmesh-l2"), "-generate-keys", cwd=host.dir)
    assert re.search(f"no key was in {host.dir}/keys: made a new one there.*-keydir", result.stderr)
    assert "no key was" not in host.run(labs.program("shadowmesh-l2"), "-generate-keys", cwd=host.dir).stderr


def test_key_of_another_kind_is_refused(host):
    keys = host.dir / "keys"
    keys.mkdir(mode=0o700)
    host.run("openssl", "genpkey", "-algorithm", "ed25519", "-out", keys / "node.key")
    (keys / "node.key").chmod(0o600)
    assert "ML-DSA-87" in complaint(l2(host, "-tap-ip", A_OVERLAY))


@pytest.mark.parametrize("spoil,said", [
    ("chown nobody keys/node.key", "node.key.*chown 0"),
    ("mv keys/node.key real.key; ln -s ../real.key keys/node.key", "node.key.*symbolic link"),
    ("chmod 777 keys", "keys .*mode 0777.*chmod go-w"),
    ("chmod 775 keys; rm keys/node.key", "keys .*mode 0775.*chmod go-w"),
    ("chown nobody keys", "keys .*chown 0"),
], ids=["another user's file", "symbolic link", "folder of all", "folder of the group, no key yet", "another user's folder"])
def test_key_that_others_may_have_chosen_is_refused(host, spoil, said):
    assert l2(host, "-generate-keys").returncode == 0
    host.run("sh", "-c", spoil, cwd=host.dir)
    assert re.search(said, complaint(l2(host, "-tap-ip", A_OVERLAY)))
    assert re.search(said, complaint(l2(host, "-generate-keys")))


def test_unreadable_key_file_is_refused(host):
    """Another user's: root's own rights to read anything are taken away first."""
    assert l2(host, "-generate-keys").returncode == 0
    key = host.dir / "keys" / "node.key"
    key.chmod(0o000)
    result = host.run("setpriv", "--bounding-set=-all", "--inh-caps=-all", labs.program("shadowmesh-l2"), "-keydir", key.parent,
                      "-run", host.dir / "run", "-tap-ip", A_OVERLAY, check=False)
    assert "node.key" in complaint(result)


def test_keydir_that_is_a_file_is_refused(host):
    (host.dir / "keys").write_text("")
    assert "keys" in complaint(l2(host, "-generate-keys"))


@pytest.mark.parametrize("kind,flag", [("udp", "-port"), ("tcp", "-control-port")])
def test_port_in_use_is_named(host, kind, flag):
    port = 9443 if kind == "udp" else 8443
    with host.socket(2, 2 if kind == "udp" else 1) as other:
        other.bind(("0.0.0.0", port))
        if kind == "tcp":
            other.listen()
        line = complaint(l2(host, "-tap-ip", A_OVERLAY))
    assert str(port) in line and flag in line
    assert not host.exists("tap0")


def test_second_node_does_not_share_the_first_ones_port(host):
    """SO_REUSEPORT is for the workers of one node: two nodes on a port would each get some of the other's datagrams."""
    host.node("-tap-ip", A_OVERLAY)
    result = host.run(labs.program("shadowmesh-l2"), "-keydir", host.dir / "keys-2", "-run", host.dir / "run-2", "-tap-ip", "10.20.20.4",
                      "-control-port", 8444, check=False, timeout=10 * labs.PATIENCE)
    assert "9443" in complaint(result)


def test_second_process_with_the_same_id_is_refused_by_name(host):
    node = host.node("-tap-ip", A_OVERLAY)
    result = host.run(*node.command(), "-port", 9444, "-control-port", 8444, check=False)
    line = complaint(result)
    assert node.id[:8] in line or str(node.process.pid) in line
    assert node.process.running and node.status()


def test_no_permission_for_a_device_is_said(host):
    assert l2(host, "-generate-keys").returncode == 0
    result = host.run("setpriv", "--bounding-set=-all", "--inh-caps=-all", labs.program("shadowmesh-l2"), "-keydir", host.dir / "keys",
                      "-run", host.dir / "run", "-tap-ip", A_OVERLAY, check=False)
    assert re.search("(?i)root|sudo|CAP_NET_ADMIN|permission", complaint(result))


def test_device_file_that_may_not_be_opened_is_named(host):
    """With the capability and without rights to /dev/net/tun, in the private mount namespace of this one command."""
    script = ("mount -t tmpfs none /mnt && mknod /mnt/tun c 10 200 && chown nobody /mnt/tun && chmod 600 /mnt/tun && "
              "mount --bind /mnt/tun /dev/net/tun && "
              "exec setpriv --bounding-set=-all,+net_admin --inh-caps=-all,+net_admin "
              f"{labs.program('shadowmesh-l2')} -keydir {host.dir}/keys -run {host.dir}/run -tap-ip {A_OVERLAY}")
    assert re.search("/dev/net/tun may not be opened by user 0", complaint(host.run("sh", "-c", script, check=False)))


def test_missing_libcurl_is_named(host):
    """It is loaded, not linked. Here it is hidden in the private mount namespace of this one command."""
    library = re.search(r"libcurl\.so\.4 .*=> (/\S+)", host.run("/sbin/ldconfig", "-p").stdout)[1]
    script = (f"mount --bind /dev/null {library} && exec {labs.program('shadowmesh-l2')} -keydir {host.dir}/keys "
              f"-run {host.dir}/run -tap-ip {A_OVERLAY} -backbone http://127.0.0.1:9")
    assert re.search(r" error backbone: its process does not start: libcurl cannot be loaded .*: install it$",
                     complaint(host.run("sh", "-c", script, check=False)))
    assert not (host.dir / "keys").exists()


def test_a_start_that_may_make_too_few_processes_or_threads_leaves_no_key(host):
    """The limit of a user who runs nothing else refuses each of them in turn, the last ones in the cage."""
    user, base = 64321, host.dir / "user"
    rights = "-all,+net_admin,+dac_override"
    base.mkdir()
    os.chown(base, user, user)
    said = ""
    for limit in range(1, 20):
        labs.wait_for(lambda: host.run("pgrep", "-u", user, check=False, echo=False).returncode == 1, 10, "all of the last start ended")
        node = host.start("prlimit", f"--nproc={limit}", "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
                          f"--bounding-set={rights}", f"--inh-caps={rights}", f"--ambient-caps={rights}",
                          labs.program("shadowmesh-l2"), "-workers", 2, "-keydir", base / "keys", "-run", base / "run", "-tap-ip", A_OVERLAY,
                          "-backbone", "http://127.0.0.1:9", name=f"node-{limit}")
        labs.wait_for(lambda: not node.running or "Peer ID: " in node.log(), 20, "the end of a start")
        if node.running:
            assert node.stop() == 0
            break
        said += complaint(subprocess.CompletedProcess(node.argv, node.returncode, stderr=node.log())) + "\n"
        assert not (base / "keys").exists(), said
    assert (base / "keys" / "node.key").exists(), said
    for part in ("the helper processes", "name look-ups", "backbone", "the process that keeps the key", "writes the log", "the data workers", "handshakes"):
        assert part in said, (part, said)


def test_https_to_a_port_without_tls_is_said(host):
    backbone = host.backbone()
    node = host.node("-backbone", f"https://127.0.0.1:{backbone.port}", "-tap-ip", A_OVERLAY)
    node.process.wait_log("(does|may) not speak TLS.*http://", 10)  # some refuse a ClientHello with an answer, some reset it


def test_full_disk_for_keys_leaves_no_half_key(host):
    mount = host.dir / "full"
    mount.mkdir()
    # The mount lives in the private mount namespace of this one command.
    script = (f"mount -t tmpfs -o size=16k none {mount} && head -c 100000 /dev/zero >{mount}/filler 2>/dev/null; "
              f"{labs.program('shadowmesh-l2')} -keydir {mount}/keys -generate-keys; code=$?; ls -A {mount}/keys 2>/dev/null; exit $code")
    result = host.run("sh", "-c", script, check=False)
    assert re.search("(?i)no space|full", complaint(result))
    assert "node.key" not in result.stdout and not re.search(r"tmp|\.new", result.stdout)


def test_unreachable_backbone_is_said_and_tried_again(host):
    node = host.node("-backbone", "http://127.0.0.1:9", "-tap-ip", A_OVERLAY, "-public")
    line = node.process.wait_log(r"(?i)^.*backbone.*127\.0\.0\.1:9.*$|^.*127\.0\.0\.1:9.*backbone.*$", 5)[0]
    assert re.search("(?i)again|retry|trying|keep", line), line
    assert node.process.running
    assert node.stop() == 0


@pytest.mark.parametrize("flags,said", [
    (["-frobnicate"], "-frobnicate"),
    (["-listen", "nonsense"], "nonsense"),
    (["-listen", "99999"], "99999"),
    (["-listen"], "-listen"),
    (["stray"], "stray"),
], ids=["unknown flag", "no address", "no port", "no value", "stray word"])
def test_backbone_names_a_wrong_flag(host, flags, said):
    assert said in complaint(host.run(labs.program("shadowmesh-backbone"), *flags, check=False, cwd=host.dir))


def test_backbone_names_a_port_in_use_and_a_bad_data_folder(host):
    with host.socket(2, 1) as other:
        other.bind(("0.0.0.0", 8080))
        other.listen()
        result = host.run(labs.program("shadowmesh-backbone"), "-data", host.dir / "data", check=False)
        assert "8080" in complaint(result)
    (host.dir / "file").write_text("")
    result = host.run(labs.program("shadowmesh-backbone"), "-data", host.dir / "file", check=False)
    assert str(host.dir / "file") in complaint(result)


@pytest.mark.parametrize("argv,code", [(["frobnicate"], 1), (["status", "--frobnicate"], 1), (["ping"], 1)], ids=["verb", "flag", "argument"])
def test_command_names_what_it_does_not_know(host, argv, code):
    result = host.run(labs.program("shadowmesh"), *argv, check=False)
    assert result.returncode >= code and result.stderr.strip()


def test_command_says_when_no_node_runs(host):
    empty = host.dir / "empty"
    os.makedirs(empty)
    result = host.run(labs.program("shadowmesh"), "status", "-run", empty, check=False)
    assert result.returncode != 0 and str(empty) in result.stderr + result.stdout
