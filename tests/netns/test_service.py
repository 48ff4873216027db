# SPDX-License-Identifier: Apache-2.0
"""The units that make install places, under a systemd that was booted for it: over this machine's files, in namespaces of its own.

    mount namespace: an overlay of / with what install.sh put in ─── systemd-nspawn ─── lab.target: lab.service runs SCRIPT
"""

import re
import subprocess

import lab as labs
import pytest
from test_install import install

pytestmark = pytest.mark.skipif(labs.SANITIZED != "none", reason="a build with a sanitizer runs without the sandbox")

UNITS = "usr/local/lib/systemd/system"
EXPOSED = 2.5  # of 10, as systemd-analyze counts
BOOT_SECONDS = 60

FILES = {
    "etc/shadowmesh/backbone.conf": "listen = 127.0.0.1:8080\n",
    "etc/shadowmesh/a/node.conf": "backbone = http://127.0.0.1:8080\nname = site-a\ntap-ip = 10.10.10.3/24\npublic = true\n",
    "etc/shadowmesh/b/node.conf": "backbone = http://127.0.0.1:8080\nname = site-b\ntap-ip = 10.10.11.4/24\nport = 9543\n"
                                  "control-port = 8543\n",
    "etc/shadowmesh/bad/node.conf": "name = bad\ntap-pi = 10.10.10.5/24\n",
    "etc/systemd/system/shadowmesh@a.service.d/quick.conf": "[Service]\nRestartSec=0\nWatchdogSec=3\nTimeoutAbortSec=1\n",
    "etc/systemd/system/lab.target": "[Unit]\nRequires=sysinit.target lab.service\nAfter=sysinit.target\nAllowIsolate=yes\n",
    "etc/systemd/system/lab.service": """[Unit]
DefaultDependencies=no
Requires=sysinit.target
After=sysinit.target
[Service]
Type=oneshot
ExecStart=/bin/bash /lab/script
ExecStopPost=/bin/systemctl poweroff --force --force
StandardOutput=append:/lab/said
StandardError=append:/lab/said
""",
}

# What a person does. Loops end by themselves.
SCRIPT = """
chmod 0666 /dev/net/tun   # as udev has it
show() { echo "$1: $(systemctl show $2 -p $3 --value)"; }
until_shown() { for i in $(seq 150); do systemctl show $1 -p $2 --value | grep -q "$3" && return; sleep 0.1; done; }
until_logged() { for i in $(seq 150); do journalctl --no-pager -o cat -u $1 | grep -q "$2" && return; sleep 0.1; done; }

systemctl start shadowmesh-backbone shadowmesh@a && echo "started: yes"
show backbone shadowmesh-backbone ActiveState
show node shadowmesh@a ActiveState
echo "connect = $(shadowmesh id -n site-a)" >>/etc/shadowmesh/b/node.conf
shadowmesh check b
systemctl start shadowmesh@b
until_shown shadowmesh@b StatusText "flow to 1 peer$"
show status shadowmesh@b StatusText
echo "user: $(ps -o user= -p $(systemctl show shadowmesh@b -p MainPID --value))"
shadowmesh status -n site-b | grep sandbox

echo "allow = 0123456789abcdef0123456789abcdef01234567" >>/etc/shadowmesh/a/node.conf
systemctl reload shadowmesh@a && echo "reload: taken"
echo "nonsense = 1" >>/etc/shadowmesh/a/node.conf
systemctl reload shadowmesh@a || echo "bad-reload: refused"
sed -i /nonsense/d /etc/shadowmesh/a/node.conf   # by a rename
systemctl kill --signal HUP --kill-who main shadowmesh@a
until_logged shadowmesh@a "read again: 0 changed"
echo "v = true" >>/etc/shadowmesh/backbone.conf
systemctl reload shadowmesh-backbone
until_logged shadowmesh-backbone "reload: -v added"
until_shown shadowmesh-backbone SubState running
until_shown shadowmesh@a SubState running
show reloaded-backbone shadowmesh-backbone ActiveState
show reloaded-node shadowmesh@a ActiveState
show still shadowmesh@b StatusText
echo "lost: $(journalctl --no-pager -u shadowmesh@b | grep -c disconnected)"
journalctl --no-pager -o cat -u shadowmesh@a | grep reload

systemctl start shadowmesh@bad || echo "bad: refused"
show bad-result shadowmesh@bad Result
show bad-restarts shadowmesh@bad NRestarts
journalctl --no-pager -o cat -u shadowmesh@bad | grep "did you mean"

kill -STOP $(systemctl show shadowmesh@a -p MainPID --value)
until_shown shadowmesh@a NRestarts 1
until_shown shadowmesh@a ActiveState "^active"
show watched shadowmesh@a ActiveState
show restarts shadowmesh@a NRestarts
journalctl --no-pager -u shadowmesh@a | grep -o "Watchdog timeout"

owner() { echo "$1: $(stat -c '%U %a' /var/lib/shadowmesh/home/$2)"; }
shadowmesh up home -name berlin -backbone http://127.0.0.1:8080 >/lab/up || cat /lab/up
show up shadowmesh@home ActiveState
show enabled shadowmesh@home UnitFileState
show timer shadowmesh-renew@home.timer ActiveState
systemctl start shadowmesh-renew@home && show renewal shadowmesh-renew@home Result
show other-timer shadowmesh-renew@a.timer ActiveState
owner key node.key
shadowmesh down home
show down shadowmesh@home ActiveState
show timer-down shadowmesh-renew@home.timer ActiveState
shadowmesh backup home /lab/copy -plain && shadowmesh leave home -yes && shadowmesh restore /lab/copy
shadowmesh up home >/lab/up && shadowmesh invite home -quiet >/lab/token
owner restored node.key
shadowmesh leave home -yes
show left shadowmesh@home UnitFileState
ls -A /etc/shadowmesh /var/lib/shadowmesh | tr '\n' ' '
timeout 5 shadowmesh join </lab/token   # who made the token is gone
show joins shadowmesh@home ActiveState
owner token join.token
shadowmesh leave home -yes

systemctl stop shadowmesh@a shadowmesh@b shadowmesh-backbone
show stopped shadowmesh@b Result
ls /var/lib/shadowmesh/b/node.key
"""


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    root = tmp_path_factory.mktemp("service")
    install(root / "upper")
    return root


def boot(root):
    """Everything that SCRIPT said. The overlay is gone with the mount namespace."""
    for path, text in {**FILES, "lab/script": SCRIPT}.items():
        (root / "upper" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "upper" / path).write_text(text)
    script = f"""
mount -t tmpfs none {root}/mounted
mkdir {root}/mounted/upper {root}/mounted/work {root}/mounted/root
cp -a {root}/upper/. {root}/mounted/upper
mount -t overlay none -o lowerdir=/,upperdir={root}/mounted/upper,workdir={root}/mounted/work {root}/mounted/root
timeout {BOOT_SECONDS * labs.PATIENCE} systemd-nspawn -q -D {root}/mounted/root --boot --register=no --keep-unit --private-network \\
    --machine=shadowmesh-lab --bind=/dev/net/tun --capability=CAP_NET_ADMIN,CAP_NET_BIND_SERVICE,CAP_SYS_NICE systemd.unit=lab.target </dev/null
cat {root}/mounted/upper/lab/said >{root}/said"""
    (root / "mounted").mkdir()
    done = subprocess.run(["unshare", "--mount", "sh", "-ec", script], capture_output=True, text=True)
    assert (root / "said").exists(), done.stdout + done.stderr
    return (root / "said").read_text()


def test_services_run_reload_and_are_watched(staged):
    said = boot(staged)
    told = dict(re.findall(r"^([a-z-]+): (.*)$", said, re.MULTILINE))
    expected = {"started": "yes", "backbone": "active", "node": "active", "status": "site-b on tap1: frames flow to 1 peer",
                "user": "shadowmesh", "bad": "refused", "bad-result": "exit-code", "bad-restarts": "0", "watched": "active",
                "restarts": "1", "stopped": "success", "reload": "taken", "bad-reload": "refused", "reloaded-node": "active",
                "reloaded-backbone": "active", "still": "site-b on tap1: frames flow to 1 peer", "lost": "0", "up": "active", "timer": "active", "renewal": "success", "other-timer": "inactive", "timer-down": "inactive", "restored": "shadowmesh 600", "enabled": "enabled", "key": "shadowmesh 600", "down": "inactive", "left": "disabled",
                "joins": "active", "token": "shadowmesh 600"}
    assert {key: told.get(key) for key in expected} == expected, said
    for words in ("/etc/shadowmesh/b/node.conf: nothing is wrong", "caps net_admin sys_nice, no new privileges, seccomp",
                  "line 2: unknown flag tap-pi: did you mean tap-ip?", "Watchdog timeout", "/var/lib/shadowmesh/b/node.key",
                  "reload: -allow 0123456789abcdef0123456789abcdef01234567 added", "reload: by SIGHUP",
                  "shadowmesh: reload a: nothing has changed: -config /etc/shadowmesh/a/node.conf: line 6: unknown flag nonsense"):
        assert words in said, said


@pytest.mark.parametrize("unit", ["shadowmesh@.service", "shadowmesh-renew@.service", "shadowmesh-backbone.service"])
def test_services_are_hardened(staged, unit, figure):
    path = staged / unit.replace("@", "@name")
    path.write_text((staged / "upper" / UNITS / unit).read_text())
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", path], check=True, capture_output=True, text=True)
    exposed = float(re.search(r"exposure level for .*: ([0-9.]+)", done.stdout)[1])
    figure(f"{unit}: exposure {exposed}")
    assert exposed <= EXPOSED
