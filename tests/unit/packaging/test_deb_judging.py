"""What a package must hold, and must not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from deb_build import contents
from deb_build.failure import BuildFailed
from deb_build.judging import REQUIRED, SCRIPTS, faults
from deb_build.package import Entry, Package


def entry(path: str, mode: int = 0o644, owner: str = "root:root", link: str = "") -> Entry:
    return Entry(path, mode, owner, path.endswith("/"), link)


@pytest.fixture
def good(tmp_path: Path) -> Package:
    """Return a package as it should be."""
    path = tmp_path / "x.deb"
    path.write_bytes(b"")
    entries = [entry(name) for name in REQUIRED[contents.BOX]]
    entries.append(entry("etc/dicom-edge-appliance/credentials/", 0o700))
    fields = {"Package": contents.BOX, "Installed-Size": "1000"}
    return Package(path, fields, tuple(entries), frozenset(SCRIPTS[contents.BOX]))


def test_a_package_as_it_should_be_has_no_fault(good: Package) -> None:
    assert list(faults(good)) == []


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (entry("etc/x", 0o666), "mode 0666"),
        (entry("usr/bin/x", 0o4755), "mode 4755"),
        (entry("etc/dicom-edge-appliance/credentials/", 0o755), "mode 0755"),
        (entry("etc/x", owner="builder:builder"), "belongs to builder"),
        (entry("usr/lib/dicom-edge-appliance/venv/lib/python3.11/site-packages/pip/__init__.py"), "no place"),
        (entry("etc/dicom-edge-appliance/pki/authority.key"), "no place"),
    ],
)
def test_what_must_not_be_in_it_is_named(good: Package, extra: Entry, said: str) -> None:
    assert any(said in fault for fault in faults(replace(good, entries=(*good.entries, extra))))


def test_what_is_missing_is_named(good: Package) -> None:
    found = list(faults(replace(good, entries=good.entries[1:], control=frozenset())))
    assert f"{REQUIRED[contents.BOX][0]} is missing" in found
    assert "the control file postinst is missing" in found


def test_a_package_that_takes_too_much_of_the_disk_is_refused(good: Package) -> None:
    big = replace(good, fields={**good.fields, "Installed-Size": "440000"})
    assert any("450" in fault for fault in faults(big))


def test_all_that_is_missing_in_the_source_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"vendor\.toml.*central\.target"):
        contents.install(tmp_path, tmp_path / "packages")


def test_every_file_of_the_table_is_in_the_source() -> None:
    source = Path(__file__).resolve().parents[3]
    assert [item.pattern for item in contents.ITEMS if not list(source.glob(item.pattern))] == []
