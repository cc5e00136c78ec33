"""What is bundled is known, locked and licensed, or there are no papers at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from papers import licence, listed, viewer, wheels
from papers.failure import PapersFailed
from papers.lock import Pin, read
from papers.part import Part

DIGEST = "0" * 64
PINS = {"thing": Pin("1.0", (DIGEST,))}


def installed(
    folder: Path, *metadata: str, licence_text: str | None = "Copyright 2020 A. Nother\n\nDo as you like."
) -> Path:
    """Make a site-packages folder with one package."""
    info = folder / "thing-1.0.dist-info"
    info.mkdir(parents=True)
    head = ("Metadata-Version: 2.4", "Name: thing", "Version: 1.0", "Summary: does things", *metadata)
    (info / "METADATA").write_text("\n".join(head) + "\n")
    if licence_text is not None:
        (info / "licenses").mkdir()
        (info / "licenses" / "LICENSE").write_text(licence_text)
    return folder


def only(folder: Path, pins: dict[str, Pin] | None = None) -> Part:
    """The one package of the folder."""
    (part,) = wheels.read(folder, PINS if pins is None else pins)
    return part


def test_a_package_is_told_by_its_metadata_its_texts_and_the_lock(tmp_path: Path) -> None:
    part = only(installed(tmp_path, "License-Expression: MIT"))
    assert (part.name, part.version, part.licence, part.purl) == ("thing", "1.0", "MIT", "pkg:pypi/thing@1.0")
    assert part.holders == ("Copyright 2020 A. Nother",)
    assert part.files == ("thing-1.0.dist-info/*",)
    ((url, (digest,)),) = part.sources
    assert url == "https://pypi.org/project/thing/1.0/"
    assert (digest.algorithm, digest.content) == ("SHA-256", DIGEST)


def test_the_lock_is_read_with_its_digests(tmp_path: Path) -> None:
    lock = tmp_path / "runtime.txt"
    lock.write_text(
        f"Thing.One[more]==1.0 \\\n    --hash=sha256:{DIGEST} \\\n    --hash=sha256:{'1' * 64}\n    # via -r x\n"
    )
    assert read(lock) == {"thing-one": Pin("1.0", (DIGEST, "1" * 64))}


@pytest.mark.parametrize("pins", [{}, {"thing": Pin("1.1", ())}])
def test_what_the_lock_does_not_name_is_refused(tmp_path: Path, pins: dict[str, Pin]) -> None:
    installed(tmp_path, "License-Expression: MIT")
    with pytest.raises(PapersFailed, match=r"thing 1\.0 is installed, the lock says"):
        only(tmp_path, pins)


@pytest.mark.parametrize(
    "metadata",
    [
        ("License-Expression: GPL-3.0-or-later",),
        ("License-Expression: AGPL-3.0-only AND MIT",),
        ("License: MIT", "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)"),
    ],
)
def test_a_package_under_the_gpl_is_refused(tmp_path: Path, metadata: tuple[str, ...]) -> None:
    installed(tmp_path, *metadata)
    with pytest.raises(PapersFailed, match="may not be bundled"):
        only(tmp_path)


def test_a_package_without_a_licence_text_is_refused(tmp_path: Path) -> None:
    installed(tmp_path, "License-Expression: MIT", licence_text=None)
    with pytest.raises(PapersFailed, match="thing has no licence text"):
        only(tmp_path)


def test_a_package_that_does_not_say_its_licence_is_refused(tmp_path: Path) -> None:
    installed(tmp_path)
    with pytest.raises(PapersFailed, match="thing does not say its licence"):
        only(tmp_path)


def test_a_library_nobody_knows_is_refused(tmp_path: Path) -> None:
    installed(tmp_path, "License-Expression: MIT")
    (tmp_path / "thing.libs").mkdir()
    (tmp_path / "thing.libs" / "libsurprise.so.1").touch()
    with pytest.raises(PapersFailed, match=r"nobody knows the library thing\.libs/libsurprise\.so\.1"):
        only(tmp_path)


@pytest.mark.parametrize(
    ("spdx", "refused"),
    [
        ("MIT", False),
        ("LGPL-3.0-only", False),
        ("GPL-2.0-only", True),
        ("GPL-2.0-only OR MIT", False),
        ("MIT/GPL-2.0-only", False),
        ("GPL-2.0-only AND MIT", True),
        ("(GPL-2.0-only OR MIT) AND AGPL-3.0-only", True),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", False),
        ("GPL-3.0-or-later WITH Bison-exception-2.2", True),
    ],
)
def test_copyleft_is_refused_where_it_leaves_no_choice(spdx: str, refused: bool) -> None:
    if refused:
        with pytest.raises(PapersFailed):
            licence.refuse("thing", spdx)
    else:
        licence.refuse("thing", spdx)


def test_a_crate_under_the_gpl_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sboms").mkdir()
    crate = {"name": "crab", "version": "1", "purl": "pkg:cargo/crab@1", "licenses": [{"expression": "GPL-3.0-only"}]}
    (tmp_path / "sboms" / "rust.json").write_text(json.dumps({"components": [crate]}))
    with pytest.raises(PapersFailed, match="crab in thing"):
        list(listed.compiled_in(tmp_path, "thing"))


def test_what_a_wheel_might_hold_but_does_not_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "sboms").mkdir()
    perhaps = {
        "name": "crab",
        "scope": "optional",
        "purl": "pkg:cargo/crab@1",
        "licenses": [{"expression": "GPL-3.0-only"}],
    }
    (tmp_path / "sboms" / "rust.json").write_text(json.dumps({"components": [perhaps]}))
    assert not list(listed.compiled_in(tmp_path, "thing"))


def test_the_viewer_is_told_by_its_lock_and_needs_its_licence(tmp_path: Path) -> None:
    lock = tmp_path / "lock.json"
    lock.write_text('{"viewer": {"name": "@ohif/app", "version": "3.1", "integrity": "sha512-AAEC"}}')
    with pytest.raises(PapersFailed, match="no licence text"):
        viewer.read(tmp_path, lock)
    (tmp_path / "LICENSE.txt").write_text("Copyright (c) 2018 Open Health Imaging Foundation")
    part = viewer.read(tmp_path, lock)
    assert (part.purl, part.holders) == (
        "pkg:npm/%40ohif/app@3.1",
        ("Copyright (c) 2018 Open Health Imaging Foundation",),
    )
    ((url, (digest,)),) = part.sources
    assert url == "https://registry.npmjs.org/@ohif/app/-/app-3.1.tgz"
    assert (digest.algorithm, digest.content) == ("SHA-512", "000102")
