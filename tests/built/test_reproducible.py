# SPDX-License-Identifier: Apache-2.0
"""Two builds of the same source, in folders of two names, install the same bytes."""

import json
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = os.environ["SHADOWMESH_BUILD"]
PROGRAMS = ["shadowmesh", "shadowmesh-l2", "shadowmesh-backbone"]
SOURCES = ["LICENSE", "meson.build", "meson_options.txt", "src", "tools", "docs"]
ENVIRONMENT = {**os.environ, "CCACHE_DISABLE": "1"}  # a cache would compare an object with itself


def run(folder, *command):
    result = subprocess.run(command, cwd=folder, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=600)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]


def libraries():
    """The options that make a build use the libraries of the one under test; nothing is searched, fetched or built."""
    listing = subprocess.run(["meson", "introspect", BUILD, "--buildoptions"], check=True, capture_output=True, text=True)
    options = {option["name"]: option["value"] for option in json.loads(listing.stdout)}
    paths = ",".join(options["pkg_config_path"])
    return [f"-Dpkg_config_path={paths}", *(f"-D{name}={options[name]}" for name in ("openssl_prefix", "ipsec_mb_prefix"))]


def installed(source, build, image):
    """{program: its bytes} of a copy of the source in this folder, built in this folder below it."""
    source.mkdir(parents=True)
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    run(source, "meson", "setup", build, "-Dtests=false", *libraries())
    run(source, "ninja", "-C", build)
    run(source, "tools/install.sh", build, "/usr/local", str(image))
    return {name: (image / "usr/local/bin" / name).read_bytes() for name in PROGRAMS}


def test_builds_in_two_folders_install_the_same_programs(tmp_path):
    one = installed(tmp_path / "here", "build", tmp_path / "image-one")
    two = installed(tmp_path / "another-place" / "further-down", "build-other", tmp_path / "image-two")
    assert [name for name in PROGRAMS if one[name] != two[name]] == []
