#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes what the built programs are linked with, as SPDX 2.3 in JSON: make -s sbom > sbom.json

Libraries are those that the loader finds for the programs here, also the libraries' own. A package of Debian's is named with
its version and supplier; a private OpenSSL or ipsec-mb by the folder that tools/setup.sh gave. The date is SOURCE_DATE_EPOCH,
or the commit's: the same build gives the same bytes.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ["shadowmesh", "shadowmesh-backbone", "shadowmesh-l2"]


def output(*command):
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return result.stdout.strip() if result.returncode == 0 else ""


def opened(program):
    """What it opens by itself: sonames in its notes of dlopen metadata."""
    return re.findall(r'"soname":\["([^"]+)"\]', output("readelf", "-p", ".note.dlopen", str(program)))


def path_of(soname):
    listed = re.search(rf"^\s*{re.escape(soname)} \(libc6,(?:x86-64|AArch64)[^)]*\) => (/\S+)", output("/sbin/ldconfig", "-p"),
                       flags=re.MULTILINE)
    if not listed:
        raise SystemExit(f"sbom.py: {soname} is not installed")
    return listed[1]


def libraries(program):
    """{soname: path} of all that the loader maps for a program."""
    mapped = output("ldd", str(program))
    found = dict(re.findall(r"^\s*(\S+) => (/\S+)", mapped, flags=re.MULTILINE))
    for soname in opened(program):
        found = {soname: path_of(soname), **dict(re.findall(r"^\s*(\S+) => (/\S+)", output("ldd", path_of(soname)),
                                                            flags=re.MULTILINE)), **found}
    loader = re.search(r"^\s*(/\S+) \(0x", mapped, flags=re.MULTILINE)  # a program whose variables are per thread needs it
    if loader:
        found[Path(loader[1]).name] = loader[1]
    if "libc.so.6" not in found:
        raise SystemExit(f"sbom.py: ldd cannot tell the libraries of {program}: build it first, with make")
    return {soname: Path(path) for soname, path in found.items()}


def needed(program):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-dW", str(program)))


def debian(paths):
    """{path: (package, version)} of those that packages own: one search through all lists of files."""
    names = {path: [str(path), str(path.resolve()), "/usr" + str(path)] for path in paths}
    found = subprocess.run(["dpkg-query", "-S", *sorted({name for some in names.values() for name in some})], capture_output=True,
                           text=True).stdout
    owners = {line.split(": ")[1]: line.split(": ")[0].split(", ")[0] for line in found.splitlines() if not line.startswith("diversion ")}
    owned = {path: next(owners[name] for name in some if name in owners) for path, some in names.items() if owners.keys() & some}
    listed = output("dpkg-query", "-W", "-f", "${Package} ${Version}\n", *sorted(set(owned.values()))) if owned else ""
    versions = dict(line.split(" ") for line in listed.splitlines())
    return {path: (owner.split(":")[0], versions[owner.split(":")[0]]) for path, owner in owned.items()}


def licence(package):
    """Of a package with one licence for all its files, as its copyright file has it; else not asserted."""
    text = Path(f"/usr/share/doc/{package}/copyright")
    names = set(re.findall(r"^License: (\S+)$", text.read_text(errors="replace"), flags=re.MULTILINE)) if text.exists() else set()
    known = {"Apache-2.0": "Apache-2.0", "Expat": "MIT", "MIT": "MIT", "Zlib": "Zlib", "curl": "curl", "BSD-3-clause": "BSD-3-Clause"}
    return known.get(names.pop(), "NOASSERTION") if len(names) == 1 else "NOASSERTION"


def private_version(path):
    """Of a library from a private prefix: its .pc file's, else what its own file name says."""
    for pc in sorted(path.parent.glob("pkgconfig/libcrypto.pc")):
        return re.search(r"^Version: (\S+)", pc.read_text(), flags=re.MULTILINE)[1]
    return path.resolve().name.split(".so.")[-1]


def package(name, version, supplier, declared, path):
    return {"SPDXID": "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", name), "name": name, "versionInfo": version,
            "supplier": supplier, "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
            "licenseDeclared": declared, "copyrightText": "NOASSERTION",
            "checksums": [{"algorithm": "SHA256", "checksumValue": hashlib.sha256(path.read_bytes()).hexdigest()}]}


def library(soname, path, owner):
    if not owner:
        entry = package(soname, private_version(path), "NOASSERTION", "NOASSERTION", path)
        entry["comment"] = "from a private prefix, built or unpacked from Debian's stable release"
        return entry
    entry = package(soname, owner[1], "Organization: Debian", licence(owner[0]), path)
    entry["comment"] = f"Debian package {owner[0]}"
    return entry


def moment():
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or output("git", "log", "-1", "--format=%ct")
    if not epoch.isdigit():
        raise SystemExit("sbom.py: no date: set SOURCE_DATE_EPOCH, or run it in a clone of the repository")
    return datetime.fromtimestamp(int(epoch), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def document(build):
    version = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text())[1]
    programs = {name: package(name, version, "NOASSERTION", "Apache-2.0", build / name) for name in PROGRAMS}
    found, relations = {}, []
    for name, entry in programs.items():
        mapped, direct = libraries(build / name), set(needed(build / name))
        found.update(mapped)
        relations.append(("SPDXRef-DOCUMENT", "DESCRIBES", entry["SPDXID"]))
        relations += [(entry["SPDXID"], "DYNAMIC_LINK" if soname in direct else "DEPENDS_ON", soname) for soname in mapped]
    owners = debian(found.values())
    entries = {soname: library(soname, path, owners.get(path)) for soname, path in sorted(found.items())}
    content = [*programs.values(), *entries.values()]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
            "name": f"shadowmesh-{version}", "documentNamespace": f"urn:sha256:{digest}",
            "creationInfo": {"created": moment(), "creators": ["Tool: shadowmesh-sbom"]}, "packages": content,
            "relationships": [{"spdxElementId": a, "relationshipType": kind,
                               "relatedSpdxElement": entries[b]["SPDXID"] if b in entries else b}
                              for a, kind, b in sorted(relations)]}


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        raise SystemExit("usage: sbom.py BUILD")
    print(json.dumps(document(Path(sys.argv[1]).resolve()), indent=2))
