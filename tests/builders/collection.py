"""Every readable file of pydicom's own test data and of pydicom-data, as bytes on the wire."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import data_store
import pydicom

from appliance.archive.group2 import NotPart10, read_labels

# Files that pydicom opens although the data set itself is broken: what they must meet is quarantine.
TRUNCATED = frozenset({"MR_truncated.dcm", "rtplan_truncated.dcm"})


@dataclass(frozen=True)
class Specimen:
    """One file: its labels from group 2 and the data set bytes behind it."""

    path: Path
    sop_class_uid: str
    sop_uid: str
    transfer_syntax_uid: str
    data: bytes


@cache
def specimens() -> tuple[Specimen, ...]:
    """Return every file that is a DICOM object with the four UIDs and that pydicom reads without complaint."""
    found: dict[tuple[str, bytes], Specimen] = {}
    for path in _paths():
        specimen = _specimen(path)
        if specimen is not None:
            found.setdefault((specimen.sop_uid, specimen.data), specimen)
    return tuple(found.values())


def _paths() -> Iterator[Path]:
    for root in (Path(pydicom.__file__).parent / "data", Path(data_store.__file__).parent):
        yield from sorted(path for path in root.rglob("*") if path.is_file())


def _specimen(path: Path) -> Specimen | None:
    if not _reads(path):
        return None
    with path.open("rb") as file:
        try:
            labels, start = read_labels(file)
        except NotPart10:
            return None
        data = start + file.read()
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    names = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
    if not all(dataset.get(name) for name in names):
        return None
    return Specimen(path, str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), labels.transfer_syntax_uid, data)


def _reads(path: Path) -> bool:
    """Whether pydicom reads the whole file, every element of it, without an error or a warning."""
    if path.name in TRUNCATED:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            with path.open("rb") as file:
                for _ in pydicom.dcmread(file).iterall():
                    pass
        except Exception:  # whatever it is, it is no complaint-free read
            return False
    return True
