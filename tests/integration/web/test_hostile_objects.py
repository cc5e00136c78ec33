"""Objects that were bent on their way: whatever the room is asked of them, it answers, and never with a 500."""

from __future__ import annotations

import random
import re
import struct
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from tests.builders.instances import ct, part10
from tests.integration.web.client import WebClient, stow_body
from tests.partners.appliance import Appliance

MIB = 1 << 20
FILES = (
    "CT_small.dcm", "MR_small_jp2klossless.dcm", "MR_small_RLE.dcm", "JPEG-LL.dcm", "emri_small_jpeg_ls_lossless.dcm",
    "SC_rgb_rle_2frame.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "OBXXXX1A.dcm", "SC_rgb_jpeg_dcmtk.dcm",
    "mlut_18.dcm", "vlut_04.dcm", "MR-SIEMENS-DICOM-WithOverlays.dcm", "reportsi.dcm", "waveform_ecg.dcm",
    "liver_1frame.dcm", "rtdose_rle_1frame.dcm", "examples_palette.dcm", "test-SR.dcm",
)  # fmt: skip
# Copies of each file that are bent.
COPIES = 6
# The longest that one answer may take: twice the deadline of a decoder, and a child's start.
SECONDS = 55.0
MOST_MEMORY = 400 * MIB
# A good many of these are in the files.
SECRETS = re.compile(r"CompressedSamples|Traceback|\.py\b|Error\b.*:", re.IGNORECASE)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """A room of its own, so that its memory is that of these tests."""
    with Appliance(tmp_path_factory.mktemp("hostile") / "home", {"APPLIANCE__LOG__LEVEL": "INFO"}) as box:
        box.command("init")
        box.start("web")
        box.wait_ready("web")
        yield box


def bent(data: bytes, seed: int) -> bytes:
    """Return a copy in which a few bytes behind the first identifiers, or the lengths among them, are others."""
    chance = random.Random(seed)
    copy = bytearray(data)
    start = len(data) // 3 if seed % 2 else 600
    for _ in range(chance.randint(1, 12)):
        copy[chance.randrange(min(start, len(copy) - 1), len(copy))] = chance.choice((0, 255, chance.randrange(256)))
    if seed % 3 == 2:
        del copy[chance.randrange(len(copy) * 2 // 3, len(copy)) :]
    return bytes(copy)


def renamed(data: bytes, number: int) -> bytes:
    """Return a file with another SOP Instance UID of the same length."""
    dataset = pydicom.dcmread(BytesIO(data), stop_before_pixels=True, force=True)
    old = str(dataset.SOPInstanceUID)
    new = f"{old[:-4]}{number:04d}" if len(old) > 12 else f"{old[:-2]}{number % 100:02d}"
    return data.replace(old.encode(), new.encode())


def questions(path: str, uids: tuple[str, str, str]) -> Iterator[tuple[str, str]]:
    """Yield (path, Accept)."""
    study, series, sop = uids
    yield path, "application/dicom"
    yield path, "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    for ending in ("/metadata", "/rendered", "/thumbnail", "/bulkdata/7FE00010", "/bulkdata/60003000"):
        yield path + ending, "*/*"
    for number in (1, 2, 99999):
        yield f"{path}/frames/{number}", "*/*"
        yield f"{path}/frames/{number}", "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
        yield f"{path}/frames/{number}/rendered?window=40,400,linear&viewport=64,64", "image/png"
    yield f"{path}/frames/1/rendered", 'multipart/related; type="image/jpeg"'
    query = f"/wado?requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={sop}"
    for content in ("", "&contentType=image/png", "&contentType=application/dicom"):
        yield query + content, "*/*"


def nested(depth: int) -> Dataset:
    """Return an object with sequences within sequences."""
    innermost = dataset = ct()
    for _ in range(depth):
        item = Dataset()
        innermost.ContentSequence = [item]
        innermost = item
    return dataset


def encapsulated(*fragments: bytes, **overrides: object) -> Dataset:
    items = b"".join(b"\xfe\xff\x00\xe0" + len(data).to_bytes(4, "little") + data for data in (b"", *fragments))
    dataset = ct(PixelData=items, **overrides)
    dataset["PixelData"].is_undefined_length = True
    return dataset


# Objects that promise more than they hold, and those that are more than they seem.
BOASTS: dict[str, tuple[Callable[[], Dataset], str]] = {
    "rows and columns": (lambda: ct(Rows=65535, Columns=65535), ExplicitVRLittleEndian),
    "frames": (lambda: ct(NumberOfFrames=999999999), ExplicitVRLittleEndian),
    "frames of one pixel": (
        lambda: ct(Rows=1, Columns=1, NumberOfFrames=999999, PixelData=bytes(2_000_000)), ExplicitVRLittleEndian),
    "single bits": (
        lambda: ct(Rows=65535, Columns=4001, BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=bytes(40 << 20)),
        ExplicitVRLittleEndian),
    "run lengths": (
        lambda: encapsulated(struct.pack("<16I", 2, 64, 66, *[0] * 13) + b"\x81\0" * 9, Rows=65535, Columns=65535),
        RLELossless),
    "fragments": (lambda: encapsulated(*[b""] * 100_000, NumberOfFrames=100_000), RLELossless),
    "JPEG 2000 of another size": (
        lambda: encapsulated(
            b"\xff\x4f\xff\x51\x00\x29\x00\x00" + struct.pack(">8I", *[2**31] * 8) + b"\0\1\7\1\1" + bytes(50)),
        JPEG2000Lossless),
    "deflated": (lambda: ct(PixelData=bytes(60 << 20)), DeflatedExplicitVRLittleEndian),
    "depth": (lambda: nested(60), ExplicitVRLittleEndian),
}  # fmt: skip


def addresses(web: WebClient, metadata: list[dict[str, dict[str, object]]]) -> Iterator[str]:
    for document in metadata:
        for element in document.values():
            address = element.get("BulkDataURI")
            if isinstance(address, str):
                yield address.removeprefix(web.url)


def peak(pid: int) -> int:
    """Most memory the process has ever had resident, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found.group(1)) * 1024


def ask_everything(web: WebClient, uids: tuple[str, str, str], name_of_patient: str) -> None:
    """Ask all there is to ask of an instance; no answer is a 500, late, or tells of the patient why it failed."""
    place = "/dicom-web/studies/{}/series/{}/instances/{}".format(*uids)
    asked = list(questions(place, uids))
    metadata = web.get(f"{place}/metadata")
    if metadata.status_code == 200:
        asked += [(address, "*/*") for address in addresses(web, metadata.json())]
    for question, accept in asked:
        begun = time.monotonic()
        answer = web.get(question, accept)
        assert answer.status_code != 500, (question, accept, answer.text)
        assert time.monotonic() - begun < SECONDS
        if answer.status_code >= 400:
            assert name_of_patient not in answer.text
            assert not SECRETS.search(answer.text), answer.text


@pytest.mark.parametrize("name", FILES)
def test_a_bent_object_is_answered_for(box: Appliance, name: str) -> None:
    path = get_testdata_file(name)
    if not isinstance(path, str):
        pytest.skip(f"pydicom-data has no {name}")
    data = Path(path).read_bytes()
    header = pydicom.dcmread(path, stop_before_pixels=True)
    name_of_patient = str(header.get("PatientName", "")) or "no name"
    with WebClient(box.url) as web:
        for copy in range(COPIES):
            answer = web.stow(stow_body(bent(renamed(data, copy), copy)))
            assert answer.status_code in (200, 202, 409), answer.text
        for one in web.search("/instances", StudyInstanceUID=str(header.StudyInstanceUID)):
            study, series, sop = (one[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))
            ask_everything(web, (study, series, sop), name_of_patient)
    assert name_of_patient not in box.output()
    assert peak(box.room_pid("web")) < MOST_MEMORY


@pytest.mark.parametrize("name", BOASTS)
def test_an_object_that_promises_too_much_is_answered_for(box: Appliance, name: str) -> None:
    build, syntax = BOASTS[name]
    dataset = build()
    with WebClient(box.url) as web:
        if web.stow(stow_body(part10(dataset, syntax))).status_code == 200:
            uids = (dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
            ask_everything(web, uids, "Doe^Jane")
    assert peak(box.room_pid("web")) < MOST_MEMORY
