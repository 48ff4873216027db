# SPDX-License-Identifier: Apache-2.0
"""The list of what the programs are linked with: whole, well-formed, and the same each time."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["SHADOWMESH_BUILD"])
PROGRAMS = ["shadowmesh", "shadowmesh-l2", "shadowmesh-backbone"]


def sbom():
    return subprocess.run([sys.executable, "-B", str(ROOT / "tools/sbom.py"), str(BUILD)], check=True, capture_output=True,
                          text=True, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}).stdout


def test_sbom_has_the_fields_of_spdx_2_3():
    document = json.loads(sbom())
    assert (document["spdxVersion"], document["dataLicense"], document["SPDXID"]) == ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT")
    assert document["name"] and document["documentNamespace"].startswith("urn:")
    assert document["creationInfo"]["created"] == "2023-11-14T22:13:20Z" and document["creationInfo"]["creators"]
    ids = [package["SPDXID"] for package in document["packages"]]
    assert len(set(ids)) == len(ids)
    for package in document["packages"]:
        assert re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", package["SPDXID"])
        assert package["name"] and package["versionInfo"] and package["downloadLocation"]
        assert re.fullmatch(r"[0-9a-f]{64}", package["checksums"][0]["checksumValue"])
    for relation in document["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= {*ids, "SPDXRef-DOCUMENT"}


def test_sbom_names_every_library_that_a_program_needs():
    document = json.loads(sbom())
    names = {package["SPDXID"]: package["name"] for package in document["packages"]}
    for program in PROGRAMS:
        header = subprocess.run(["readelf", "-dW", str(BUILD / program)], check=True, capture_output=True, text=True).stdout
        needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", header))
        linked = {names[relation["relatedSpdxElement"]] for relation in document["relationships"]
                  if relation["relationshipType"] == "DYNAMIC_LINK" and names.get(relation["spdxElementId"]) == program}
        assert needed and linked == needed


def test_sbom_names_what_the_node_loads_by_itself():
    document = json.loads(sbom())
    names = {package["SPDXID"]: package["name"] for package in document["packages"]}
    needed = {names[relation["relatedSpdxElement"]] for relation in document["relationships"]
              if relation["relationshipType"] == "DEPENDS_ON" and names.get(relation["spdxElementId"]) == "shadowmesh-l2"}
    assert {"libcurl.so.4", "libssl.so.3"} & needed == {"libcurl.so.4"}  # the other is linked
    assert len(needed) > 5


def test_sbom_of_one_build_is_the_same_each_time():
    assert sbom() == sbom()
