"""The walk of an import: regular files only, whatever else lies there."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import pytest

from appliance.cli.tree import Kind, Skipped, kind_of, open_regular, walk
from tests.builders.instances import CT_IMAGE_STORAGE, ct, part10, part10_of


def test_files_come_in_order_and_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").touch()
    inside = tmp_path / "inside"
    (inside / "b").mkdir(parents=True)
    (inside / "b" / "2").touch()
    (inside / "a").touch()
    (inside / "link").symlink_to(outside)
    (inside / "file-link").symlink_to(outside / "secret")
    os.mkfifo(inside / "pipe")
    found = list(walk([inside]))
    assert [path for path in found if isinstance(path, Path)] == [inside / "a", inside / "b" / "2"]
    skipped = {(one.path.name, one.reason, one.failed) for one in found if isinstance(one, Skipped)}
    assert skipped == {
        ("link", "symbolic link", False),
        ("file-link", "symbolic link", False),
        ("pipe", "not a regular file", False),
    }


def test_a_link_given_by_name_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").touch()
    (tmp_path / "link").symlink_to("real")
    assert list(walk([tmp_path / "link"])) == [Skipped(tmp_path / "link", "symbolic link")]


def test_what_is_gone_is_reported(tmp_path: Path) -> None:
    assert list(walk([tmp_path / "gone"])) == [Skipped(tmp_path / "gone", "No such file or directory", failed=True)]


def test_opening_refuses_links_and_pipes(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real").touch()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="symbolic"):
        open_regular(tmp_path / "link")
    with pytest.raises(OSError, match="not a regular file"):
        open_regular(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", Kind.OTHER),
        (b"text " * 100, Kind.OTHER),
        (part10(ct()), Kind.DICOM),
        (
            part10_of(b"", "1.2.840.10008.1.2.1", sop_class_uid="1.2.840.10008.1.3.10", sop_uid="1.2"),
            Kind.DIRECTORY_RECORD,
        ),
        (part10_of(b"", "1.2.840.10008.1.2.1", sop_class_uid=CT_IMAGE_STORAGE, sop_uid="1.2"), Kind.DICOM),
        (bytes(128) + b"DICM", Kind.DICOM),
    ],
)
def test_the_beginning_tells_what_a_file_is(content: bytes, kind: Kind) -> None:
    file = BytesIO(content)
    assert kind_of(file) is kind
    assert file.tell() == 0
