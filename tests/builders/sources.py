"""Stored objects as the codec is given them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.filereader import _read_file_meta_info as read_group_2
from pydicom.filereader import read_preamble

from appliance.codec.source import Source
from tests.builders.instances import ct, part10


def source_of(path: Path) -> Source:
    """Return the source of a Part 10 file."""
    with path.open("rb") as file:
        read_preamble(file, False)
        syntax = read_group_2(file).TransferSyntaxUID
        offset = file.tell()
    return Source(path, offset, path.stat().st_size - offset, str(syntax))


def written(folder: Path, dataset: Dataset, syntax: str = "1.2.840.10008.1.2.1") -> Source:
    """Write a data set as a Part 10 file named after its UID, and return its source."""
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    path.write_bytes(part10(dataset, syntax))
    return source_of(path)


def slices(folder: Path, count: int, **deeds: Any) -> list[tuple[Source, bytes]]:
    """Write a series; `deeds` by "at_<index>" become Image Comments. Return sources with their pixels."""
    made = []
    for number in range(count):
        dataset = ct(SOPInstanceUID=f"1.2.3.{number + 1}", InstanceNumber=number + 1)
        dataset.PixelData = bytes([number % 256, 0] * (len(dataset.PixelData) // 2))
        dataset.ImageComments = deeds.get(f"at_{number}", "")
        made.append((written(folder, dataset), dataset.PixelData))
    return made
