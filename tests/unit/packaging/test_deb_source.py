"""What the packages are made of does not depend on who builds them, where and when."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from deb_build import fetching, source, suites
from deb_build.failure import BuildFailed

REPOSITORY = Path(__file__).resolve().parents[3]


def tree(folder: Path, umask: int) -> Path:
    """Write the outline of a source tree as somebody with a umask has it."""
    before = os.umask(umask)
    try:
        (folder / "appliance" / "__pycache__").mkdir(parents=True)
        (folder / "appliance" / "__init__.py").write_text('"""It."""\n\n__version__ = "1.2.3"\n')
        (folder / "appliance" / "__pycache__" / "old.pyc").write_bytes(b"stale")
        (folder / "packaging" / "debian").mkdir(parents=True)
        (folder / "packaging" / "debian" / "rules").write_text("#!/usr/bin/make -f\n")
        (folder / "packaging" / "debian" / "rules").chmod(0o777 & ~umask)
        (folder / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n## 1.2.3 - 2026-03-01\n")
    finally:
        os.umask(before)
    return folder


def test_two_builders_get_the_same_source_whatever_their_umask(tmp_path: Path) -> None:
    prints = []
    for name, umask in (("one", 0o022), ("another with a longer name", 0o077)):
        target = tmp_path / f"{name}-copy"
        source.copy(tree(tmp_path / name, umask), target, revision="1", moment=1_700_000_000)
        prints.append(source.fingerprint(target))
        assert (target / "debian" / "rules").stat().st_mode & 0o777 == 0o755
        assert (target / "CHANGELOG.md").stat().st_mtime == 1_700_000_000
        assert not list(target.rglob("*.pyc"))
    assert prints[0] == prints[1]


def test_a_changed_byte_changes_the_fingerprint(tmp_path: Path) -> None:
    before = source.fingerprint(tree(tmp_path / "t", 0o022))
    (tmp_path / "t" / "CHANGELOG.md").write_text("# changelog\n")
    assert source.fingerprint(tmp_path / "t") != before


def test_the_changelog_follows_the_version_and_the_time_zone_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        text = source.changelog(source.version(tree(tmp_path / "t", 0o022)), "2", 1_700_000_000)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert text.startswith("dicom-edge-appliance (1.2.3-2) ")
    assert text.endswith("  Tue, 14 Nov 2023 22:13:20 +0000\n")


def test_without_a_commit_the_time_is_that_of_the_last_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert source.epoch(tree(tmp_path / "t", 0o022)) == 1_772_323_200
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "42")
    assert source.epoch(tmp_path / "t") == 42


def test_without_a_commit_or_a_release_the_builder_is_asked_for_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    (tree(tmp_path / "t", 0o022) / "CHANGELOG.md").write_text("## Unreleased\n")
    with pytest.raises(BuildFailed, match="SOURCE_DATE_EPOCH"):
        source.epoch(tmp_path / "t")


def test_a_file_too_few_or_too_many_among_the_fetched_is_named(tmp_path: Path) -> None:
    lock = ["numpy==2.4.6 \\\n    --hash=sha256:00\nsdnotify==0.3.2 \\\n    --hash=sha256:00\n"]
    (tmp_path / "numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    with pytest.raises(BuildFailed, match=r"sdnotify 0\.3\.2"):
        fetching.complete(tmp_path, lock)
    (tmp_path / "sdnotify-0.3.2.tar.gz").touch()
    fetching.complete(tmp_path, lock)


def test_the_locks_name_everything_that_is_made_from_source() -> None:
    text = (REPOSITORY / "requirements" / "runtime.txt").read_text()
    names = {name for name, _ in fetching.REQUIREMENT.findall(text)}
    assert set(fetching.SOURCE_ONLY) <= names


def test_a_release_takes_wheels_for_its_own_python_and_c_library_or_older() -> None:
    tags = suites.suite("bookworm").tags("x86_64")
    assert ("--abi", "cp311") in tags
    platforms = [value for option, value in tags if option == "--platform"]
    assert platforms[0] == "manylinux_2_36_x86_64" and "manylinux_2_37_x86_64" not in platforms


def test_an_unknown_release_is_refused_by_name() -> None:
    with pytest.raises(BuildFailed, match="buster"):
        suites.suite("buster")
