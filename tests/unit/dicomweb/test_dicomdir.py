"""The DICOMDIR: every record is where its neighbours say, and another reader finds every file by it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.fileset import FileSet
from pydicom.uid import ExplicitVRLittleEndian

from appliance.dicomweb.dicomdir import KEYS, Filed, dicomdir, record_type
from tests.builders.instances import ct, part10

STORAGE = "1.2.840.10008.5.1.4.1.1."


def keys(**values: Any) -> Dataset:
    found = Dataset()
    for name, value in values.items():
        setattr(found, name, value)
    return found


def filed(place: tuple[str, ...], dataset: Dataset) -> Filed:
    uids = (str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), str(ExplicitVRLittleEndian))
    return Filed(place, *uids, keys(InstanceNumber=dataset.InstanceNumber))


def patient() -> Dataset:
    return keys(PatientName="Li^Na=李^娜", PatientID="P1", PatientBirthDate="", PatientSex="F")


def study() -> Dataset:
    return keys(StudyDate="20240101", StudyTime="", StudyDescription="", StudyInstanceUID="1.2.3", StudyID="",
                AccessionNumber="")  # fmt: skip


def test_another_reader_finds_every_file(tmp_path: Path) -> None:
    series = []
    for number in (1, 2):
        below = []
        for at in (1, 2, 3):
            dataset = ct(InstanceNumber=at, StudyInstanceUID="1.2.3", SeriesInstanceUID=f"1.2.3.{number}")
            file_id = ("DICOM", f"SE{number}", f"IM{at}")
            path = tmp_path.joinpath(*file_id)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(part10(dataset))
            below.append(filed(file_id, dataset))
        series.append((keys(Modality="CT", SeriesInstanceUID=f"1.2.3.{number}", SeriesNumber=number), below))
    (tmp_path / "DICOMDIR").write_bytes(dicomdir(patient(), study(), series))
    found = FileSet(tmp_path / "DICOMDIR")
    assert len(found) == 6
    assert {Path(one.path).name for one in found} == {"IM1", "IM2", "IM3"}
    assert {str(one.load().SOPInstanceUID) for one in found} == {one.sop_uid for _, some in series for one in some}
    assert str(found.find_values("PatientName")[0]) == "Li^Na=李^娜"
    found._stage["t"].cleanup()  # pydicom leaves its stage to the garbage collector, which warns


def test_offsets_point_at_items() -> None:
    one = filed(("A",), ct())
    data = dicomdir(patient(), study(), [(keys(Modality="CT", SeriesInstanceUID="1.2", SeriesNumber=1), [one])])
    read = dcmread(BytesIO(data))
    first = read.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity
    assert read.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity == first
    offsets = [record.OffsetOfReferencedLowerLevelDirectoryEntity for record in read.DirectoryRecordSequence]
    for offset in (first, *offsets[:-1]):
        assert data[offset : offset + 4] == b"\xfe\xff\x00\xe0"
    assert offsets[-1] == 0


@pytest.mark.parametrize(
    ("tail", "kind"),
    [
        ("2", "IMAGE"), ("4", "IMAGE"), ("4.2", "SPECTROSCOPY"), ("481.3", "RT STRUCTURE SET"),
        ("88.11", "SR DOCUMENT"),
        ("88.59", "KEY OBJECT DOC"), ("9.1.1", "WAVEFORM"), ("104.1", "ENCAP DOC"), ("11.1", "PRESENTATION"),
        ("66", "RAW DATA"), ("66.1", "REGISTRATION"), ("66.4", "IMAGE"), ("481.1", "IMAGE"), ("90.9", "IMAGE"),
    ],
)  # fmt: skip
def test_the_sop_class_tells_the_record(tail: str, kind: str) -> None:
    assert record_type(STORAGE + tail) == kind
    assert kind in KEYS
