"""The scanner against pydicom: the same values for every file of its test data."""

from __future__ import annotations

import os
import warnings
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import data_store
import pydicom
import pytest
from pydicom.data import get_testdata_files
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.multival import MultiValue

from appliance.archive.header import HeaderError, read_header
from appliance.model.attributes import ATTRIBUTES, Affinity, Attribute, Source
from appliance.model.moments import normalise_date, normalise_time
from appliance.model.records import Header

# What pydicom reads (some of it with a warning, some only until the pixels are asked for) and we refuse.
REFUSED = {
    "bad_sequence.dcm": "no valid UID",  # its UIDs are the word "placeholder"
    "emri_small_jpeg_2k_lossless_too_short.dcm": "end before their delimiter",  # cut short on purpose
    "MR_truncated.dcm": "longer than what is left",
    "rtplan_truncated.dcm": "longer than what is left",
    # Fragments of data sets, without the UIDs of an instance.
    "JPEGLSNearLossless_08.dcm": "no StudyInstanceUID",
    "JPEGLSNearLossless_16.dcm": "no StudyInstanceUID",
    "SC_rgb_jls_lossy_line.dcm": "no StudyInstanceUID",
    "SC_rgb_jls_lossy_sample.dcm": "no StudyInstanceUID",
    "UN_sequence.dcm": "no StudyInstanceUID",
    "empty_charset_LEI.dcm": "no StudyInstanceUID",
    "no_meta_group_length.dcm": "no StudyInstanceUID",
    "priv_SQ.dcm": "no StudyInstanceUID",
    "meta_missing_tsyntax.dcm": "may not stand in a data set",  # begins with (0001,0001)
    "nested_priv_SQ.dcm": "may not stand in a data set",
}


@cache
def files() -> tuple[Path, ...]:
    """Every file that pydicom brings, by itself and in pydicom-data."""
    found = {Path(name) for name in get_testdata_files()}
    for folder, _, names in os.walk(Path(str(data_store.__file__)).parent):
        found |= {Path(folder, name) for name in names if not name.endswith((".py", ".pyc"))}
    return tuple(sorted(found))


def header_of(path: Path, syntax: str) -> Header:
    with path.open("rb") as file:
        read_preamble(file, force=True)
        _read_file_meta_info(file)
        offset = file.tell()
    data = path.read_bytes()
    return read_header(BytesIO(data), offset, len(data) - offset, syntax)


def theirs(dataset: pydicom.Dataset, attribute: Attribute) -> Any:
    """The value pydicom gives, in the index's terms. Raises ValueError where it has none."""
    value = dataset.get(attribute.keyword)
    if value is None or value == "" or (isinstance(value, MultiValue) and not value):
        return None
    if isinstance(value, MultiValue):
        # Ours has no padding around single values; pydicom strips it at the end only.
        return "\\".join(str(part).strip() for part in value)
    if attribute.affinity is not Affinity.TEXT:
        return float(value) if attribute.affinity is Affinity.REAL else int(value)
    normalise = {"DA": normalise_date, "TM": normalise_time}.get(attribute.vr, str.strip)
    return normalise(str(value)) or None


@pytest.mark.filterwarnings("ignore")
def test_every_value_equals_pydicoms() -> None:
    compared = 0
    different: list[str] = []
    refused: dict[str, str] = {}
    for path in files():
        try:
            dataset = pydicom.dcmread(path)
        except Exception:  # boundary: whatever pydicom cannot read is no yardstick
            continue
        if path.name.startswith("DICOMDIR"):
            continue
        try:
            header = header_of(path, str(dataset.file_meta.get("TransferSyntaxUID", "")))
        except HeaderError as error:
            refused[path.name] = error.reason
            continue
        compared += 1
        different += _differences(path.name, dataset, header)
    assert compared > 180
    assert different == []
    assert set(refused) == set(REFUSED)
    assert all(REFUSED[name] in reason for name, reason in refused.items())


def _differences(name: str, dataset: pydicom.Dataset, header: Header) -> list[str]:
    found = []
    for attribute in ATTRIBUTES:
        if attribute.source is not Source.HEADER:
            continue
        ours = getattr(header, attribute.level.value).get(attribute.column)
        try:
            expected = theirs(dataset, attribute)
        except ValueError:
            expected = None  # pydicom raises where we mark: badVR.dcm
        if ours != expected:
            found.append(f"{name} {attribute.keyword}: {ours!r} {expected!r}")
    return found


@pytest.mark.filterwarnings("ignore")
def test_a_directory_is_no_instance() -> None:
    directories = [path for path in files() if path.name.startswith("DICOMDIR")]
    assert directories
    for path in directories:
        with pytest.raises(HeaderError), warnings.catch_warnings():
            header_of(path, str(pydicom.dcmread(path).file_meta.TransferSyntaxUID))
