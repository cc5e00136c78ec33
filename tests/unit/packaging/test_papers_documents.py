"""The bill of materials and the copyright file of what is really installed here."""

from __future__ import annotations

import json
import re
import sysconfig
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from papers import copyright, sbom, viewer, wheels
from papers.lock import read
from papers.part import Part
from papers.product import product

from tests.architecture.source import ROOT

BUILT = datetime(2026, 11, 1, tzinfo=UTC)
LOCK = ROOT / "requirements" / "runtime.txt"


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Part, ...]:
    """Of what this Python has installed, that which the appliance runs with."""
    site = tmp_path_factory.mktemp("site-packages")
    pins = read(LOCK)
    here = Path(sysconfig.get_path("platlib"))
    for name, pin in pins.items():
        installed = distribution(name)
        if installed.version == pin.version:
            _link(here, site, sorted({file.parts[0] for file in installed.files or () if ".." not in file.parts}))
    for libraries in here.glob("*.libs"):
        _link(here, site, [libraries.name])
    return wheels.read(site, pins)


def _link(here: Path, site: Path, names: list[str]) -> None:
    for name in names:
        if (here / name).exists() and not (site / name).exists():
            (site / name).symlink_to(here / name)


@pytest.fixture(scope="module")
def ohif(tmp_path_factory: pytest.TempPathFactory) -> Part:
    """A viewer's folder with the licence of the real one."""
    folder = tmp_path_factory.mktemp("ohif")
    (folder / "LICENSE.txt").write_text("MIT License\n\nCopyright (c) 2018 Open Health Imaging Foundation\n")
    return viewer.read(folder, ROOT / "packaging" / "ohif" / "lock.json")


def within(components: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every component, those inside others included."""
    for component in components:
        yield component
        yield from within(component.get("components", []))


def test_the_bill_of_materials_fits_the_schema(parts: tuple[Part, ...], ohif: Part) -> None:
    text = sbom.document(product(), (*parts, ohif), BUILT)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_the_bill_of_materials_has_every_wheel_and_the_viewer(parts: tuple[Part, ...], ohif: Part) -> None:
    content = json.loads(sbom.document(product(), (*parts, ohif), BUILT))
    names = {component["name"] for component in content["components"]}
    assert {"pydicom", "pynetdicom", "numpy", "cryptography", "@ohif/app"} <= names
    assert all(component["licenses"] and component["externalReferences"] for component in content["components"])
    assert content["metadata"]["component"]["name"] == "dicom-edge-appliance"


def test_the_libraries_inside_the_wheels_are_named_with_their_versions(parts: tuple[Part, ...]) -> None:
    import pysqlite3
    from PIL import features

    content = json.loads(sbom.document(product(), parts, BUILT))
    inner = {component["bom-ref"]: component.get("version", "") for component in within(content["components"])}
    sqlite = next(version for ref, version in inner.items() if "generic/sqlite@" in ref)
    webp = next(version for ref, version in inner.items() if "generic/libwebp@" in ref)
    assert sqlite == pysqlite3.sqlite_version
    assert webp == features.version("webp")
    assert len([ref for ref in inner if re.search(r"/openssl(-libs)?@.*$", ref) and "cargo" not in ref]) == 3


def test_no_reference_of_the_bill_of_materials_stands_twice(parts: tuple[Part, ...]) -> None:
    content = json.loads(sbom.document(product(), parts, BUILT))
    refs = [component["bom-ref"] for component in within(content["components"])]
    assert len(refs) == len(set(refs))


def test_the_same_input_gives_the_same_papers_and_another_input_another_serial(parts: tuple[Part, ...]) -> None:
    once, again = (sbom.document(product(), parts, BUILT) for _ in range(2))
    less = sbom.document(product(), parts[1:], BUILT)
    assert once == again
    assert json.loads(once)["serialNumber"] != json.loads(less)["serialNumber"]
    assert json.loads(once)["metadata"]["timestamp"] == "2026-11-01T00:00:00Z"


def test_the_copyright_file_has_a_paragraph_with_holders_and_text_for_each(parts: tuple[Part, ...], ohif: Part) -> None:
    text = copyright.document(product(), parts, ohif)
    head, *paragraphs = text.rstrip("\n").split("\n\n")
    assert head.startswith("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n")
    assert len(paragraphs) == len(parts) + 2
    for paragraph in paragraphs:
        fields = re.findall(r"^([A-Z][a-z]+): (.+)$", paragraph, re.MULTILINE)
        assert [name for name, _ in fields][:3] == ["Files", "Copyright", "License"]
        assert all(line.startswith((" ", "Files", "Copyright", "License", "Comment")) for line in paragraph.split("\n"))
    assert "Open Health Imaging Foundation" in text


def test_texts_that_every_debian_has_are_named_and_not_repeated(parts: tuple[Part, ...], ohif: Part) -> None:
    text = copyright.document(product(), parts, ohif)
    assert "/usr/share/common-licenses/Apache-2.0" in text
    assert "/usr/share/common-licenses/LGPL-3" in text
    assert "TERMS AND CONDITIONS FOR USE, REPRODUCTION" not in text
    assert "GNU LESSER GENERAL PUBLIC LICENSE\n Version 3" not in text


def test_the_copyright_file_names_what_libraries_inside_the_wheels_ask_for(parts: tuple[Part, ...]) -> None:
    text = copyright.document(product(), parts, None)
    for words in (
        "Independent JPEG Group",
        "OpenSSL Toolkit",
        "Carnegie Mellon University",
        "The OpenLDAP Public License",
    ):
        assert words in text
