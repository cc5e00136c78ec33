"""Headers: what the index gets of a data set, in every encoding."""

from __future__ import annotations

from io import BytesIO
from struct import pack
from typing import Any

import pytest
from pydicom import Dataset

from appliance.archive.header import read_header
from appliance.model.records import Header
from tests.builders.instances import ct, encode

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
SYNTAXES = [EXPLICIT, IMPLICIT, BIG, DEFLATED]


def header_of(data: bytes, syntax: str = EXPLICIT, **options: Any) -> Header:
    """Read a header from the middle of a larger file."""
    around = b"\xff" * 7
    return read_header(BytesIO(around + data + around), len(around), len(data), syntax, **options)


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    """One explicit little endian element with a short length."""
    return pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def ordered(dataset: Dataset) -> bytes:
    return encode(dataset, EXPLICIT)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_values_are_the_same_in_every_encoding(syntax: str) -> None:
    dataset = ct(
        StudyDate="20240131", StudyTime="101112.5", PatientName="Doe^John", PatientID="P1", Rows=16,
        SeriesNumber=3, InstanceNumber=7, SliceThickness="1.25", WindowCenter=["40", "300"],
        ImageType=["ORIGINAL", "PRIMARY"], PatientWeight="70.5",
    )  # fmt: skip
    header = header_of(encode(dataset, syntax), syntax)
    assert header.study_uid == dataset.StudyInstanceUID
    assert header.series_uid == dataset.SeriesInstanceUID
    assert header.sop_uid == dataset.SOPInstanceUID
    assert header.sop_class_uid == dataset.SOPClassUID
    assert header.study["study_date"] == "20240131"
    assert header.study["study_time"] == "101112.5"
    assert header.study["patient_name"] == "Doe^John"
    assert header.study["patient_weight"] == 70.5
    assert header.series["series_number"] == 3
    assert header.instance["rows"] == 16
    assert header.instance["slice_thickness"] == 1.25
    assert header.instance["window_center"] == "40\\300"
    assert header.instance["image_type"] == "ORIGINAL\\PRIMARY"
    assert header.marks == ()


def test_an_absent_or_empty_attribute_has_no_entry() -> None:
    header = header_of(encode(ct(PatientID="", StudyDescription=None)))
    assert "patient_id" not in header.study
    assert "study_description" not in header.study


def test_padding_of_uids_and_text_is_no_part_of_them() -> None:
    dataset = ct()
    data = encode(dataset).replace(
        element(0x00080018, b"UI", _even(dataset.SOPInstanceUID, b"\0")),
        element(0x00080018, b"UI", _even(dataset.SOPInstanceUID, b"\0") + b"  "),
    )
    assert header_of(data).sop_uid == dataset.SOPInstanceUID


def _even(text: str, padding: bytes) -> bytes:
    data = text.encode()
    return data + padding if len(data) % 2 else data


@pytest.mark.parametrize(("keyword", "level", "column", "text"), [
    ("SeriesNumber", "series", "series_number", "1A"),
    ("SliceThickness", "instance", "slice_thickness", "1,5"),
    ("SliceThickness", "instance", "slice_thickness", "nan"),
    ("SliceThickness", "instance", "slice_thickness", "1_0"),
    ("StudyDate", "study", "study_date", "20241301"),
    ("StudyTime", "study", "study_time", "99"),
])  # fmt: skip
def test_what_is_no_number_or_date_is_absent_and_marked(keyword: str, level: str, column: str, text: str) -> None:
    dataset = ct(**{keyword: None})
    tag, vr = _tag_and_vr(keyword)
    header = header_of(_insert(encode(dataset), tag, element(tag, vr, _even(text, b" "))))
    assert column not in getattr(header, level)
    assert any(keyword in mark for mark in header.marks)
    assert not any(text in mark for mark in header.marks)


def _tag_and_vr(keyword: str) -> tuple[int, bytes]:
    from appliance.model.attributes import by_keyword

    attribute = by_keyword(keyword)
    assert attribute is not None
    return attribute.tag, attribute.vr.encode()


def _insert(data: bytes, tag: int, encoded: bytes) -> bytes:
    """Put an element in front: order in a data set is tolerated, whatever it is."""
    return encoded + data


def test_integers_are_read_as_devices_write_them() -> None:
    data = _insert(encode(ct(SeriesNumber=None)), 0x00200011, element(0x00200011, b"IS", b" +12.0 "))
    assert header_of(data).series["series_number"] == 12


def test_a_value_of_another_vr_is_converted() -> None:
    data = encode(ct(Rows=None, PatientID=None))
    data = element(0x00280010, b"IS", b"512 ") + element(0x00100020, b"US", pack("<H", 42)) + data
    header = header_of(data)
    assert header.instance["rows"] == 512
    assert header.study["patient_id"] == "42"


def test_old_dates_and_times_are_normalised() -> None:
    data = encode(ct(StudyDate=None, StudyTime=None))
    data = element(0x00080020, b"DA", b"1994.11.05") + element(0x00080030, b"TM", b"11:20:00") + data
    header = header_of(data)
    assert header.study["study_date"] == "19941105"
    assert header.study["study_time"] == "112000"


def test_names_are_decoded_by_the_declared_or_the_assumed_character_set() -> None:
    name = "Wang^XiaoDong=王^小东"
    declared = header_of(encode(ct(SpecificCharacterSet="GB18030", PatientName=name)))
    assert declared.study["patient_name"] == name
    data = encode(ct(SpecificCharacterSet=None, PatientName=None))
    data = element(0x00100010, b"PN", _even_bytes(name.encode("gbk"))) + data
    assumed = header_of(data, assumed_charset="gbk")
    assert assumed.study["patient_name"] == name
    assert assumed.marks == ("undeclared character set in PatientName",)
    unknown = header_of(data)
    assert "undecodable text in PatientName" in unknown.marks
    assert "Wang^XiaoDong=" in str(unknown.study["patient_name"])


def _even_bytes(data: bytes) -> bytes:
    return data + b" " if len(data) % 2 else data


def test_a_data_set_in_another_vr_encoding_than_declared_is_read_and_marked() -> None:
    dataset = ct()
    for written, declared in ((EXPLICIT, IMPLICIT), (IMPLICIT, EXPLICIT)):
        header = header_of(encode(dataset, written), declared)
        assert header.sop_uid == dataset.SOPInstanceUID
        assert header.marks == ("not in the declared transfer syntax",)


def test_zeros_and_trailing_padding_after_the_last_element_are_let_through() -> None:
    data = encode(ct())
    assert header_of(data + bytes(1000)).marks == ("zeros after the last element",)
    assert header_of(data + bytes(3)).marks == ("zeros after the last element",)
    padding = pack("<HH2sHI", 0xFFFC, 0xFFFC, b"OB", 0, 126) + bytes(126)
    assert header_of(data + padding).marks == ()


def test_sequences_of_every_kind_are_walked() -> None:
    dataset = ct()
    item = encode(ct(PatientID="INSIDE"))
    defined = pack("<HHI", 0xFFFE, 0xE000, len(item)) + item
    undefined = pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + item + pack("<HHI", 0xFFFE, 0xE00D, 0)
    implicit = encode(ct(PatientID="INSIDE"), IMPLICIT)
    unknown = pack("<HHI", 0xFFFE, 0xE000, len(implicit)) + implicit
    end = pack("<HHI", 0xFFFE, 0xE0DD, 0)
    data = encode(dataset)
    data += pack("<HH2sHI", 0x7FE1, 0x1001, b"SQ", 0, len(defined)) + defined
    data += pack("<HH2sHI", 0x7FE1, 0x1002, b"SQ", 0, 0xFFFFFFFF) + undefined + defined + end
    data += pack("<HH2sHI", 0x7FE1, 0x1003, b"UN", 0, 0xFFFFFFFF) + unknown + end
    data += pack("<HH2sHI", 0x7FE1, 0x1004, b"SQ", 0, 0)
    header = header_of(data)
    assert header.study["patient_id"] == dataset.PatientID


def test_encapsulated_pixel_data_are_walked_and_what_follows_is_read() -> None:
    dataset = ct(PixelData=None)
    data = encode(dataset) + pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF)
    for size in (0, 100, 300_000, 2):
        data += pack("<HHI", 0xFFFE, 0xE000, size) + bytes(size)
    data += pack("<HHI", 0xFFFE, 0xE0DD, 0) + element(0x7FE10011, b"LO", b"after ")
    assert header_of(data, "1.2.840.10008.1.2.4.50").sop_uid == dataset.SOPInstanceUID


def test_values_beyond_large_pixel_data_are_found_by_seeking() -> None:
    class Counting(BytesIO):
        taken = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            self.taken += len(data)
            return data

    data = encode(ct(PixelData=None, WindowCenter=None))
    data += pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, 8 << 20) + bytes(8 << 20)
    data += element(0x00281050, b"DS", b"40")
    file = Counting(data)
    assert read_header(file, 0, len(data), EXPLICIT).instance["window_center"] == "40"
    assert file.taken < 200_000


def test_text_over_64_kb_is_cut_and_marked() -> None:
    data = encode(ct(StudyDescription=None))
    value = b"x" * 70_000
    data += pack("<HH2sHI", 0x0008, 0x1030, b"UT", 0, len(value)) + value
    header = header_of(data)
    assert header.study["study_description"] == "x" * 65536
    assert header.marks == ("text cut in StudyDescription",)


def test_a_gzip_trailer_after_a_deflated_data_set_is_let_through() -> None:
    data = encode(ct(), DEFLATED)
    assert header_of(data + b"\x4e\xd0\x58\x45\x1a\x02\x04\x00", DEFLATED).marks == ()


def test_an_element_in_implicit_vr_among_explicit_ones_is_read() -> None:
    data = encode(ct()) + pack("<HHI", 0x7FE1, 0x1001, 4) + b"\1\2\3\4" + element(0x7FE11002, b"LO", b"x ")
    assert header_of(data).marks == ()


@pytest.mark.parametrize("tail", [
    pack("<HH2sHI", 0x7FE1, 0x1001, b"XX", 0, 70_000) + bytes(70_000),
    pack("<HH2sH", 0x7FE1, 0x1001, b"XX", 4) + bytes(4),
])  # fmt: skip
def test_an_unknown_vr_is_passed_over(tail: bytes) -> None:
    assert header_of(encode(ct()) + tail).marks == ()


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", EXPLICIT, "1.2.840.10008.1.2.2"])
@pytest.mark.parametrize("undefined", [False, True])
def test_the_request_that_an_image_answers_is_read_from_its_sequence(syntax: str, undefined: bool) -> None:
    first, second, deep = Dataset(), Dataset(), Dataset()
    first.ScheduledProcedureStepID, second.RequestedProcedureID = "SPS 1", "RP-2"
    # The same tag in another sequence, or deeper in this one, is another attribute.
    deep.ScheduledProcedureStepID = "OTHER"
    first.ScheduledProtocolCodeSequence = [deep]
    dataset = ct(RequestAttributesSequence=[first, second], ReferencedRequestSequence=[deep])
    for name in ("RequestAttributesSequence", "ReferencedRequestSequence"):
        dataset[name].is_undefined_length = undefined
    header = header_of(encode(dataset, syntax), syntax)
    assert header.series["scheduled_procedure_step_id"] == "SPS 1\\"
    assert header.series["requested_procedure_id"] == "\\RP-2"
    assert "requested_procedure_id" not in header_of(encode(ct(), syntax), syntax).series
