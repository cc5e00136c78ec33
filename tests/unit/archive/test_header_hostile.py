"""Hostile and damaged data sets: a plain refusal, in bounded time and memory."""

from __future__ import annotations

import time
import tracemalloc
import zlib
from io import BytesIO
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.archive import scanner
from appliance.archive.header import HeaderError, read_header
from appliance.model.records import Header
from tests.builders.instances import ct, encode

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG = "1.2.840.10008.1.2.4.50"
UNDEFINED = 0xFFFFFFFF
ITEM = pack("<HHI", 0xFFFE, 0xE000, UNDEFINED)
END = pack("<HHI", 0xFFFE, 0xE0DD, 0)


def sequence(number: int, length: int) -> bytes:
    return pack("<HH2sHI", 0x7FE1, number, b"SQ", 0, length)


def refusal(data: bytes, syntax: str = EXPLICIT, length: int | None = None, max_inflated: int = 1 << 30) -> str:
    with pytest.raises(HeaderError) as refused:
        read_header(BytesIO(data), 0, len(data) if length is None else length, syntax, max_inflated=max_inflated)
    reason = refused.value.reason
    assert reason.endswith(".")
    return reason


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"])
def test_each_of_the_four_uids_is_required(keyword: str) -> None:
    assert refusal(encode(ct(**{keyword: None}))) == f"The data set has no {keyword}."


@pytest.mark.parametrize("uid", [
    b"../../../etc/passwd ", b"1.2/../../x ", b"1" * 66, b"1.2\\1.3 ", b"1.2\0.3 ", b"..", b"1.2..3",
    b"Doe^John", b"\xff\xfe1.2",
])  # fmt: skip
def test_a_uid_that_is_none_is_refused_and_not_repeated(uid: bytes) -> None:
    value = uid + b"\0" * (len(uid) % 2)
    data = pack("<HH2sH", 0x0008, 0x0018, b"UI", len(value)) + value + encode(ct(SOPInstanceUID=None))
    assert refusal(data) == "The SOPInstanceUID of the data set is no valid UID."


def test_a_tag_that_stands_twice_is_refused() -> None:
    dataset = ct()
    data = encode(dataset)
    for tag in ((0x0008, 0x0018), (0x0010, 0x0020), (0x0009, 0x0010)):
        twice = pack("<HH2sH", *tag, b"LO", 4) + b"1.2 "
        assert "stands twice" in refusal(twice + data + twice)


def test_file_meta_information_inside_a_data_set_is_refused() -> None:
    smuggled = pack("<HH2sH", 0x0002, 0x0010, b"UI", 18) + b"1.2.840.10008.1.2\0"
    assert "(0002,0010)" in refusal(smuggled + encode(ct()))


def test_every_cut_is_noticed() -> None:
    data = encode(ct())
    whole = read_header(BytesIO(data), 0, len(data), EXPLICIT)
    for length in range(len(data) - 1):
        try:
            header = read_header(BytesIO(data[:length]), 0, length, EXPLICIT)
        except HeaderError:
            continue
        # A cut between two elements leaves a data set; the last element is the pixel data.
        assert header.sop_uid == whole.sop_uid
        assert b"\xe0\x7f\x10\x00" not in data[:length]


def test_a_file_shorter_than_it_should_be_is_refused() -> None:
    data = encode(ct())
    refusal(data[:200], length=len(data))


@pytest.mark.parametrize("vr", [b"OB", b"UN", b"UT", b"SQ"])
def test_a_length_of_four_gigabytes_is_refused(vr: bytes) -> None:
    data = encode(ct()) + pack("<HH2sHI", 0x7FE1, 0x1001, vr, 0, 0xFFFFFFFE) + b"x"
    assert "longer than what is left" in refusal(data)


@pytest.mark.parametrize("wrapped", [False, True])
def test_sequences_five_thousand_deep_are_refused(wrapped: bool) -> None:
    if wrapped:
        nested = b""
        for _ in range(5000):
            item = pack("<HHI", 0xFFFE, 0xE000, len(nested)) + nested
            nested = sequence(0x1001, len(item)) + item
    else:
        nested = (sequence(0x1001, UNDEFINED) + ITEM) * 5000
    assert refusal(encode(ct()) + nested) == "Sequences are nested more than 64 deep."


def test_sequences_sixty_four_deep_are_read() -> None:
    nested = b""
    for _ in range(64):
        item = pack("<HHI", 0xFFFE, 0xE000, len(nested)) + nested
        nested = sequence(0x1001, len(item)) + item
    data = encode(ct()) + nested
    assert read_header(BytesIO(data), 0, len(data), EXPLICIT).marks == ()


@pytest.mark.parametrize("tail", [
    b"", ITEM, ITEM + pack("<HHI", 0xFFFE, 0xE00D, 0), pack("<HHI", 0xFFFE, 0xE000, 10) + END, b"garbage!",
    pack("<HHI", 0x0008, 0x0018, 0),
])  # fmt: skip
def test_a_sequence_that_does_not_end_is_refused(tail: bytes) -> None:
    refusal(encode(ct()) + sequence(0x1001, UNDEFINED) + tail)


@pytest.mark.parametrize("tail", [
    b"", pack("<HHI", 0xFFFE, 0xE000, 100) + bytes(50), pack("<HHI", 0xFFFE, 0xE000, UNDEFINED), b"garbage!",
    pack("<HHI", 0xFFFE, 0xE000, 4) + bytes(4),
])  # fmt: skip
def test_encapsulated_pixel_data_without_an_end_are_refused(tail: bytes) -> None:
    pixels = pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, UNDEFINED)
    assert "encapsulated pixel data" in refusal(encode(ct(PixelData=None)) + pixels + tail, JPEG)


def test_native_pixel_data_that_are_cut_short_are_refused() -> None:
    data = encode(ct())
    assert "(7FE0,0010)" in refusal(data[:-10])


def deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return stream.compress(data) + stream.flush()


def test_a_deflate_bomb_is_refused_in_bounded_memory() -> None:
    pixels = pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, 64 << 20) + bytes(64 << 20)
    bomb = deflate(encode(ct(PixelData=None)) + pixels)
    del pixels
    tracemalloc.start()
    try:
        assert "inflates to more than" in refusal(bomb, DEFLATED, max_inflated=32 << 20)
        assert read_header(BytesIO(bomb), 0, len(bomb), DEFLATED).instance["rows"] == 16
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("tail", [b"x" * 9, b"\0" * 100 + b"x" * 9])
def test_bytes_after_a_deflated_data_set_are_refused(tail: bytes) -> None:
    assert "follow the end" in refusal(encode(ct(), DEFLATED) + tail, DEFLATED)


def test_a_damaged_deflated_data_set_is_refused() -> None:
    data = encode(ct(), DEFLATED)
    refusal(data[: len(data) // 2], DEFLATED)
    refusal(b"\xff" * 100, DEFLATED)
    refusal(b"", DEFLATED)


def test_too_many_elements_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner, "MOST_ROOT_ELEMENTS", 50)
    many = b"".join(pack("<HH2sH", 0x6001, number, b"LO", 0) for number in range(20_000))
    assert "more than 50 elements" in refusal(encode(ct()) + many)
    monkeypatch.setattr(scanner, "MOST_ROOT_ELEMENTS", 100_000)
    monkeypatch.setattr(scanner, "MOST_ELEMENTS", 1000)
    items = pack("<HHI", 0xFFFE, 0xE000, 0) * 2000
    assert "more than 1000 nested" in refusal(encode(ct()) + sequence(0x1001, len(items)) + items)


SEEDS = [
    (EXPLICIT, encode(ct())), (IMPLICIT, encode(ct(), IMPLICIT)), (BIG, encode(ct(), BIG)),
    (DEFLATED, encode(ct(), DEFLATED)),
    (EXPLICIT, encode(ct()) + sequence(0x1001, UNDEFINED) + ITEM + encode(ct())
     + pack("<HHI", 0xFFFE, 0xE00D, 0) + END),
    (JPEG, encode(ct(PixelData=None)) + pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, UNDEFINED)
     + (pack("<HHI", 0xFFFE, 0xE000, 20) + bytes(20)) * 3 + END),
]  # fmt: skip

PIECES = st.sampled_from([
    b"\xff\xff\xff\xff", b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\xfe\xff\xdd\xe0\0\0\0\0",
    b"SQ\0\0\xff\xff\xff\xff",
    b"UN\0\0\xff\xff\xff\xff", b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff", b"\0" * 8,
    b"\x08\0\x05\0CS\x0a\0ISO_IR 192",
])  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    syntax, data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(data)))
        piece = draw(st.one_of(PIECES, st.binary(max_size=6)))
        gap = draw(st.sampled_from([0, len(piece), 40]))
        data = data[:at] + piece + data[at + gap :]
    return syntax, data[: draw(st.integers(len(data) // 2, len(data)))]


@settings(max_examples=400, deadline=None)
@given(damaged(), st.sampled_from(["", "gbk", "\\ISO 2022 IR 87"]))
def test_a_damaged_header_is_a_header_or_a_plain_refusal(case: tuple[str, bytes], assumed: str) -> None:
    syntax, data = case
    started = time.process_time()
    try:
        header = read_header(BytesIO(data), 0, len(data), syntax, assumed_charset=assumed, max_inflated=1 << 20)
    except HeaderError as refused:
        assert str(refused).endswith(".")
    else:
        assert isinstance(header, Header)
    assert time.process_time() - started < 2
