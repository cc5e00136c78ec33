"""Where frames lie: offset tables that tell the truth, tables that lie, and pixels of odd sizes."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate

from appliance.archive.header_error import HeaderError
from appliance.dicomweb.frames import CompressedFrames, Frames, NativeFrames, NoFrames, Piece, locate
from appliance.dicomweb.metadata import Encoded
from appliance.model.fragments import Fragments, frame_starts
from tests.builders.instances import ct, encode

EXPLICIT, JPEG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"
IMAGE, REST = b"\xff\xd8head", b"rest"


def fragments(*values: bytes) -> Fragments:
    """Return fragments as they would stand behind an offset table."""
    made, position = Fragments(), 108
    for value in values:
        made.add(position, len(value), value[:4])
        position += len(value) + 8
    return made


@pytest.mark.parametrize(
    ("values", "count", "tables", "starts"),
    [
        ([IMAGE, IMAGE], 2, [()], [0, 1]),
        ([IMAGE, REST, IMAGE], 2, [(0, 26)], [0, 2]),
        ([IMAGE, REST, IMAGE], 2, [()], [0, 2]),
        ([IMAGE, REST, REST], 1, [()], [0]),
        # Tables that lie: an offset into a fragment, not rising, not from the start, of another length.
        ([IMAGE, REST, IMAGE], 2, [(0, 17)], [0, 2]),
        ([IMAGE, REST, IMAGE], 2, [(0, 0)], [0, 2]),
        ([IMAGE, REST, IMAGE], 2, [(14, 26)], [0, 2]),
        ([IMAGE, IMAGE], 2, [(0, 14, 26)], [0, 1]),
        ([IMAGE, IMAGE], 2, [(0,)], [0, 1]),
        # The extended table goes before the basic one.
        ([REST, REST, REST], 2, [(0, 24), (0, 12)], [0, 2]),
        ([REST, REST, REST], 2, [(0, 5), (0, 12)], [0, 1]),
        # Number of Frames lies.
        ([IMAGE, IMAGE], 5, [()], [0, 1]),
        ([REST, REST, REST], 2, [(0, 12, 24)], [0, 1, 2]),
        ([REST, REST, REST], 2, [()], None),
        ([], 1, [()], []),
    ],
)
def test_frames_begin_where_tables_and_fragments_agree(
    values: list[bytes], count: int, tables: list[tuple[int, ...]], starts: list[int] | None
) -> None:
    assert frame_starts(fragments(*values), count, tables) == starts


def located(syntax: str = EXPLICIT, **attributes: Any) -> Any:
    """Return where the frames of a data set with these attributes lie, and its bytes."""
    dataset = ct(**attributes)
    if syntax == JPEG and "PixelData" in dataset:
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    data = encode(dataset, syntax)
    return locate(Encoded(BytesIO(data), 0, len(data), syntax)), data


def test_compressed_frames_are_found_in_the_bytes() -> None:
    frames = [b"\xff\xd8" + bytes([n]) * 20 for n in range(4)]
    found, data = located(JPEG, NumberOfFrames=4, PixelData=encapsulate(frames))
    assert isinstance(found, CompressedFrames)
    pieces = [found.pieces(number) for number in range(1, found.count + 1)]
    assert [data[piece.position : piece.position + piece.length] for (piece,) in pieces] == frames


def test_an_icon_is_not_taken_for_the_image() -> None:
    icon = ct(PixelData=bytes(512))
    found, data = located(IconImageSequence=[icon], PixelData=b"\7" * 512)
    assert isinstance(found, NativeFrames)
    piece, _ = found.piece(1)
    assert data[piece.position : piece.position + piece.length] == b"\7" * 512


def test_frames_of_single_bits_start_within_a_byte() -> None:
    found, _ = located(Rows=3, Columns=3, BitsAllocated=1, NumberOfFrames=3, PixelData=bytes(4))
    assert isinstance(found, NativeFrames)
    assert (found.length, found.count) == (2, 3)
    assert [found.piece(n) for n in (1, 2, 3)] == [
        (Piece(found.position, 2), 0), (Piece(found.position + 1, 2), 1), (Piece(found.position + 2, 2), 2),
    ]  # fmt: skip


def test_swapped_words_are_read_whole() -> None:
    frames = NativeFrames(position=10, bits=72, count=2, vr="OW", big_endian=True)
    assert frames.piece(1) == (Piece(10, 10), 0)
    assert frames.piece(2) == (Piece(18, 10), 8)


def test_halved_colour_takes_two_values_a_pixel() -> None:
    colour: dict[str, Any] = {"SamplesPerPixel": 3, "BitsAllocated": 8, "PhotometricInterpretation": "YBR_FULL_422"}
    halved, _ = located(**colour, PixelData=bytes(512))
    whole, _ = located(**colour, PixelData=bytes(768))
    assert (halved.length, halved.count, whole.length, whole.count) == (512, 1, 768, 1)


def test_frames_that_the_pixel_data_are_too_short_for_are_not_there() -> None:
    found, _ = located(NumberOfFrames=9, PixelData=bytes(512 * 2 + 100))
    assert found.count == 2


@pytest.mark.parametrize("attributes", [{"PixelData": None}, {"Rows": None}, {"BitsAllocated": 0}, {"Columns": 0}])
def test_without_pixels_of_a_size_there_are_no_frames(attributes: dict[str, Any]) -> None:
    with pytest.raises(NoFrames):
        located(**attributes)


def test_encapsulated_pixels_without_frames_are_refused() -> None:
    with pytest.raises(HeaderError):
        located(JPEG, PixelData=struct.pack("<HHI", 0xFFFE, 0xE000, 0))


def pieces_of(found: Frames, number: int) -> tuple[Piece, ...]:
    """Return the pieces of one frame, whatever kind it is."""
    return (found.piece(number)[0],) if isinstance(found, NativeFrames) else found.pieces(number)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_bytes_are_refused_and_nothing_else_happens(data: st.DataObject) -> None:
    uids = {"SOPInstanceUID": "1.2.3", "StudyInstanceUID": "1.2.4", "SeriesInstanceUID": "1.2.5"}
    pixels = encapsulate([b"\xff\xd8" + bytes(30)] * 3, fragments_per_frame=2)
    dataset = ct(NumberOfFrames=3, PixelData=pixels, **uids)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    whole = bytearray(encode(dataset, JPEG))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    size = data.draw(st.integers(0, len(whole)))
    try:
        found = locate(Encoded(BytesIO(bytes(whole[:size])), 0, size, JPEG))
    except HeaderError:
        return
    pieces = [piece for number in range(1, min(found.count, 50) + 1) for piece in pieces_of(found, number)]
    assert all(piece.position + piece.length <= size for piece in pieces)
