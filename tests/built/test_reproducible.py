# SPDX-License-Identifier: Apache-2.0
"""Another build of the same source, in another place and a folder of another name, installs the same bytes as the one under
test."""

import json
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = os.environ["SHADOWMESH_BUILD"]
PROGRAMS = ["shadowmesh", "shadowmesh-l2", "shadowmesh-backbone"]
SOURCES = ["LICENSE", "meson.build", "meson_options.txt", "src", "tools", "docs", "systemd", "apparmor"]
ENVIRONMENT = {**os.environ, "CCACHE_DISABLE": "1"}  # a cache would compare an object with itself
MADE_OF = ["pkg_config_path", "openssl_prefix", "ipsec_mb_prefix", "buildtype", "optimization", "debug", "c_args", "c_link_args", "prefix"]


def run(folder, *command):
    result = subprocess.run(command, cwd=folder, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=600)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]


def options():
    """{name: value} of those of the build under test, of which the programs are made; nothing is searched or fetched."""
    listing = subprocess.run(["meson", "introspect", BUILD, "--buildoptions"], check=True, capture_output=True, text=True)
    values = {option["name"]: option["value"] for option in json.loads(listing.stdout)}
    text = {name: ",".join(values[name]) if isinstance(values[name], list) else str(values[name]).lower() if isinstance(values[name], bool)
            else values[name] for name in MADE_OF}
    return text


def installed(source, build, prefix, image):
    """{program: its bytes} of the build in this folder of this source."""
    run(source, "tools/install.sh", build, prefix, str(image))
    return {name: (Path(f"{image}{prefix}") / "bin" / name).read_bytes() for name in PROGRAMS}


def test_build_in_another_folder_installs_the_same_programs(tmp_path):
    other = tmp_path / "another-place" / "further-down"
    other.mkdir(parents=True)
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, other / name)
    made_of = options()
    run(other, "meson", "setup", "build-other", "-Dtests=false", *(f"-D{name}={value}" for name, value in made_of.items()))
    run(other, "ninja", "-C", "build-other")
    one = installed(ROOT, BUILD, made_of["prefix"], tmp_path / "image-one")
    two = installed(other, "build-other", made_of["prefix"], tmp_path / "image-two")
    assert [name for name in PROGRAMS if one[name] != two[name]] == []
