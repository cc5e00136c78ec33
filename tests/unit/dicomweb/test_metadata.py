"""Metadata: every value readable, in UTF-8, whatever encodes it; hostile data sets end in a refusal."""

from __future__ import annotations

import base64
import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom.data
import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from appliance.archive.group2 import read_labels
from appliance.dicomweb import metadata
from appliance.dicomweb.dicom_xml import to_xml
from appliance.dicomweb.metadata import Document, Encoded, Place, Unreadable, read_metadata
from tests.builders.instances import ct, encode

SYNTAXES = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)


def read(data: bytes, syntax: str = ExplicitVRLittleEndian, assumed: str = "") -> tuple[Document, dict[str, Place]]:
    return read_metadata(Encoded(BytesIO(data), 0, len(data), syntax, assumed), lambda path: f"/bulk/{path}")


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def sample() -> Dataset:
    dataset = ct(PatientName="Müller^Jörg", SliceThickness="1.25", PatientWeight="70.0", PixelData=b"\1\2" * 4096)
    item = Dataset()
    item.CodeValue = "T-1"
    item.CodeMeaning = "山"
    dataset.ProcedureCodeSequence = Sequence([item, Dataset()])
    dataset.RedPaletteColorLookupTableData = b"\1\2" * 8
    dataset.FrameIncrementPointer = 0x00181063
    return dataset


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_encoding_gives_the_same_document(syntax: str) -> None:
    dataset = sample()
    document, places = read(encode(dataset, syntax), syntax)
    assert document["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jörg"}]}
    assert document["00080005"] == {"vr": "CS", "Value": ["ISO_IR 192"]}
    assert document["00180050"] == {"vr": "DS", "Value": [1.25]}
    assert document["00280010"] == {"vr": "US", "Value": [16]}
    assert document["00280009"] == {"vr": "AT", "Value": ["00181063"]}
    assert document["00081032"]["Value"][0]["00080104"] == {"vr": "LO", "Value": ["山"]}
    assert document["00081032"]["Value"][1] == {}
    # pydicom writes the bytes as they are, so in big endian they are other numbers.
    palette = b"\2\1" if syntax == ExplicitVRBigEndian else b"\1\2"
    assert base64.b64decode(document["00281201"]["InlineBinary"]) == palette * 8
    assert document["7FE00010"] == {"vr": "OW", "BulkDataURI": "/bulk/7FE00010"}
    assert places["7FE00010"].length == 8192


def test_bulk_data_are_found_again_at_their_place() -> None:
    item = Dataset()
    item.EncapsulatedDocument = b"%PDF" * 1000
    dataset = ct(ReferencedImageSequence=Sequence([Dataset(), item]))
    data = encode(dataset)
    document, places = read(data)
    path = "00081140/2/00420011"
    assert document["00081140"]["Value"][1]["00420011"]["BulkDataURI"] == f"/bulk/{path}"
    place = places[path]
    assert data[place.position : place.position + place.length] == b"%PDF" * 1000


CHARSETS = [
    ("GB18030", "张^三", "gb18030", ""),
    ("", "王^小东", "gbk", "gbk"),
    ("ISO_IR 192", "김^희중", "utf-8", ""),
    ("ISO_IR 203", "Œuvre^€", "iso8859-15", ""),
    ("ISO_IR 166", "นาย^ดี", "tis-620", ""),
]


@pytest.mark.parametrize(("declared", "name", "codec", "assumed"), CHARSETS)
def test_names_are_right_in_every_character_set(declared: str, name: str, codec: str, assumed: str) -> None:
    charset = element(0x00080005, b"CS", declared.encode().ljust(len(declared) + len(declared) % 2))
    raw = name.encode(codec)
    data = charset + element(0x00100010, b"PN", raw + b" " * (len(raw) % 2))
    document, _ = read(data, assumed=assumed)
    assert document["00100010"]["Value"] == [{"Alphabetic": name}]


@pytest.mark.parametrize(
    ("declared", "raw", "expected"),
    [
        (
            b"ISO 2022 IR 6\\ISO 2022 IR 58 ",
            b"Wang^XiaoDong=\x1b$)A\xcd\xf5^\x1b$)A\xd0\xa1\xb6\xab=",
            "王^小东",
        ),
        (b"\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=", "山田^太郎"),
        (b"\\ISO 2022 IR 149 ", b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=", "洪^吉洞"),
    ],
)
def test_names_with_code_extensions_are_right(declared: bytes, raw: bytes, expected: str) -> None:
    data = element(0x00080005, b"CS", declared) + element(0x00100010, b"PN", raw + b" " * (len(raw) % 2))
    document, _ = read(data)
    assert document["00100010"]["Value"][0]["Ideographic"] == expected


def test_an_item_has_a_character_set_of_its_own() -> None:
    inner = element(0x00080005, b"CS", b"GB18030 ") + element(0x00080104, b"LO", "肺".encode("gb18030"))
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner
    sequence = struct.pack("<HH2sHI", 0x0008, 0x1032, b"SQ", 0, len(item)) + item
    data = element(0x00080005, b"CS", b"ISO_IR 100") + sequence + element(0x00081030, b"LO", "Grün".encode("latin-1"))
    document, _ = read(data)
    assert document["00081032"]["Value"][0]["00080104"]["Value"] == ["肺"]
    assert document["00081030"]["Value"] == ["Grün"]


def test_numbers_that_are_none_stay_text_and_infinite_ones_are_named() -> None:
    data = element(0x00180050, b"DS", b"thick ") + element(0x00200013, b"IS", b"1.5 ")
    data += element(0x00189306, b"FD", struct.pack("<dd", float("nan"), float("-inf")))
    document, _ = read(data)
    assert document["00180050"]["Value"] == ["thick"]
    assert document["00200013"]["Value"] == ["1.5"]
    assert document["00189306"]["Value"] == ["NaN", "-Infinity"]


def test_private_elements_get_their_vr_from_the_dictionary() -> None:
    creator = struct.pack("<HHI", 0x0019, 0x0010, 12) + b"GEMS_ACQU_01"
    private = struct.pack("<HHI", 0x0019, 0x1002, 2) + b"\5\0"
    document, _ = read(creator + private, ImplicitVRLittleEndian)
    assert document["00190010"] == {"vr": "LO", "Value": ["GEMS_ACQU_01"]}
    assert document["00191002"]["vr"] == "SL"
    unknown, _ = read(private, ImplicitVRLittleEndian)
    assert unknown["00191002"] == {"vr": "UN", "InlineBinary": "BQA="}


def nested(depth: int) -> bytes:
    opening = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    return (opening + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)) * depth


def closed(depth: int) -> bytes:
    item_end = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    return nested(depth) + (item_end + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)) * depth


@pytest.mark.parametrize(
    "data",
    [
        closed(5000),
        element(0x00100010, b"PN", b"DOE")[:-1],
        struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 0xFFFFFFF0),
        struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + b"\0" * 8,
    ],
    ids=["5000 deep", "cut", "4 GB", "no fragments"],
)
def test_a_hostile_data_set_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read(data)


def test_sixty_four_levels_are_fine() -> None:
    assert "00081140" in read(closed(64))[0]


def test_a_deflate_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "MOST_INFLATED", 1 << 20)
    deflater = zlib.compressobj(wbits=-15)
    data = deflater.compress(element(0x00100010, b"PN", b"DOE ") + bytes(2 << 20)) + deflater.flush()
    with pytest.raises(Unreadable):
        read(data, DeflatedExplicitVRLittleEndian)


def test_too_many_elements_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "MOST_ELEMENTS", 100)
    with pytest.raises(Unreadable):
        read(b"".join(element(0x00090000 + number, b"LO", b"") for number in range(0x1000, 0x1100)))


def bundled() -> list[str]:
    return sorted(map(str, (Path(pydicom.data.__file__).parent / "test_files").rglob("*.dcm")))


def _opened(path: str) -> tuple[bytes, str, dict[str, Any]] | None:
    raw = Path(path).read_bytes()
    try:
        file = BytesIO(raw)
        labels, start = read_labels(file)
        dataset = dcmread(path)
        return start + file.read(), labels.transfer_syntax_uid, dataset.to_json_dict(1 << 30, None)
    except Exception:  # boundary: pydicom cannot say this file in JSON, so there is nothing to compare
        return None


def test_plain_values_agree_with_pydicom_over_its_own_files() -> None:
    compared = 0
    for path in bundled():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened = _opened(path)
        if opened is None:
            continue
        data, syntax, expected = opened
        try:
            document, _ = read(data, syntax)
        except Unreadable:
            assert "trunc" in path or "short" in path or "deflate" in path, path
            continue
        to_xml(document)
        for tag in ("0020000D", "00080018", "00280010", "00280011", "00100020", "00080060", "00200013"):
            if tag in expected:
                assert document[tag] == expected[tag], (path, tag)
                compared += 1
    assert compared > 200
