"""Where the frames of an instance lie in its data set, found without decoding a pixel."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from appliance.archive.element import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    ITEM,
    PIXEL_DATA,
    SEQUENCE_END,
    UNDEFINED,
    Encoding,
    actual_encoding,
    read_item,
)
from appliance.archive.header_error import HeaderError
from appliance.archive.scanner import Scanner
from appliance.archive.window import Window
from appliance.dicomweb.metadata import MOST_NESTING, Encoded
from appliance.model.fragments import HEAD, MOST_FRAGMENTS, Fragments, frame_starts, offsets

MOST_FRAMES: Final = 1_000_000
FLOAT_PIXEL_DATA: Final = 0x7FE00008
DOUBLE_PIXEL_DATA: Final = 0x7FE00009
_EXTENDED_OFFSETS: Final = 0x7FE00001
_SAMPLES, _PHOTOMETRIC, _FRAMES = 0x00280002, 0x00280004, 0x00280008
_ROWS, _COLUMNS, _BITS = 0x00280010, 0x00280011, 0x00280100
_PIXELS: Final = {PIXEL_DATA: b"OW", FLOAT_PIXEL_DATA: b"OF", DOUBLE_PIXEL_DATA: b"OD"}
_WANTED: Final = frozenset({
    _SAMPLES, _PHOTOMETRIC, _FRAMES, _ROWS, _COLUMNS, _BITS, _EXTENDED_OFFSETS, *_PIXELS,
})  # fmt: skip
# Two pixels share their colour: two values a pixel instead of three (PS3.3 C.7.6.3.1.2).
_HALVED: Final = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})


class NoFrames(HeaderError):
    """The instance has no pixel data that a frame could be taken from."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes [position, position + length) of the (inflated) data set."""

    position: int
    length: int


@dataclass(frozen=True, slots=True)
class NativeFrames:
    """Uncompressed frames, one behind the other from `position`, each of `bits` bits."""

    position: int
    bits: int
    count: int
    vr: str
    big_endian: bool

    @property
    def length(self) -> int:
        """Bytes of one frame as it is given out, starting on a byte of its own."""
        return (self.bits + 7) // 8

    def piece(self, number: int) -> tuple[Piece, int]:
        """Return the bytes that hold frame `number` (from 1), and how many bits into the first one it starts.

        Where words must be swapped the piece starts and ends with whole words; the skipped bits grow by it.
        """
        first = (number - 1) * self.bits
        word = 2 if self.big_endian and self.vr == "OW" else 1
        start, end = first // 8 // word * word, -(-(first + self.bits) // (8 * word)) * word
        return Piece(self.position + start, end - start), first - start * 8


@dataclass(frozen=True, slots=True)
class CompressedFrames:
    """Encapsulated frames; `starts` holds the first fragment of each."""

    fragments: Fragments
    starts: array[int]

    @property
    def count(self) -> int:
        """How many frames there are."""
        return len(self.starts)

    def pieces(self, number: int) -> tuple[Piece, ...]:
        """Return the fragments that make frame `number` (from 1)."""
        end = self.starts[number] if number < len(self.starts) else len(self.fragments)
        lengths, positions = self.fragments.lengths, self.fragments.positions
        return tuple(Piece(positions[index], lengths[index]) for index in range(self.starts[number - 1], end))


Frames = NativeFrames | CompressedFrames


class _Facts:
    """The elements that describe the pixels, as they are met."""

    def __init__(self, big_endian: bool) -> None:
        self.big_endian = big_endian
        self.raw: dict[int, bytes] = {}

    def number(self, tag: int, absent: int) -> int:
        """Return a US value, `absent` where it is missing."""
        data = self.raw.get(tag, b"")[:2]
        return int.from_bytes(data, "big" if self.big_endian else "little") if len(data) == 2 else absent

    def text(self, tag: int) -> str:
        """Return a value as text."""
        return self.raw.get(tag, b"").decode("latin-1").split("\\")[0].strip(" \0")

    @property
    def frames(self) -> int:
        """Number of Frames; one where it is missing or none."""
        text = self.text(_FRAMES)
        number = int(text) if text.isdecimal() and len(text) < 10 else 1
        return min(max(number, 1), MOST_FRAMES)


def locate(encoded: Encoded) -> Frames:
    """Return where the frames of a data set lie; nothing after the pixel data is looked at.

    Raises NoFrames where there are no pixel data, HeaderError where the frames cannot be told apart or
    the data set is damaged. Memory is bounded by MOST_FRAGMENTS.
    """
    window, syntax = encoded.window(), encoded.syntax
    declared = EXPLICIT_BIG if syntax.big_endian else IMPLICIT_LITTLE if syntax.implicit else EXPLICIT_LITTLE
    encoding = actual_encoding(window, declared)
    facts = _Facts(encoding is EXPLICIT_BIG)
    scanner = Scanner(window, encoding, MOST_NESTING, structures=frozenset({PIXEL_DATA}))
    for tag, vr, value, length in scanner.elements(_WANTED):
        if tag in _PIXELS and length == UNDEFINED:
            return _compressed(window, value, encoding, facts)
        if tag in _PIXELS:
            return _native(value, length, (vr or _PIXELS[tag]).decode("ascii"), facts)
        if length != UNDEFINED:
            facts.raw[tag] = window.take(value, min(length, 8 * MOST_FRAMES if tag == _EXTENDED_OFFSETS else 64))
    raise NoFrames("The instance has no pixel data.")


def _native(position: int, length: int, vr: str, facts: _Facts) -> NativeFrames:
    rows, columns = facts.number(_ROWS, 0), facts.number(_COLUMNS, 0)
    samples, allocated = facts.number(_SAMPLES, 1), facts.number(_BITS, {"OF": 32, "OD": 64}.get(vr, 0))
    bits = rows * columns * samples * allocated
    if not bits:
        raise NoFrames("The instance does not say how large its frames are.")
    frames = facts.frames
    if facts.text(_PHOTOMETRIC) in _HALVED and samples == 3 and bits * frames > length * 8:
        bits = rows * columns * 2 * allocated
    return NativeFrames(position, bits, min(frames, length * 8 // bits), vr, facts.big_endian)


def _compressed(window: Window, position: int, encoding: Encoding, facts: _Facts) -> CompressedFrames:
    fragments, basic = Fragments(), b""
    for index, (value, length) in enumerate(_items(window, position, encoding)):
        if index == 0:
            basic = window.take(value, min(length, 4 * MOST_FRAMES))
        else:
            fragments.add(value, length, window.take(value, min(length, HEAD)))
    tables = (offsets(facts.raw.get(_EXTENDED_OFFSETS, b""), "Q"), offsets(basic, "I"))
    starts = frame_starts(fragments, facts.frames, tables)
    if not starts:
        raise HeaderError("Nothing tells where the frames of the encapsulated pixel data begin.")
    return CompressedFrames(fragments, array("Q", starts))


def _items(window: Window, position: int, encoding: Encoding) -> Iterator[tuple[int, int]]:
    """Yield (position, length) of the value of every item, the basic offset table first."""
    for _ in range(MOST_FRAGMENTS):
        tag, length = read_item(window, position, encoding)
        value = position + 8
        if tag == SEQUENCE_END:
            return
        if tag != ITEM or length > window.length - value:
            break
        yield value, length
        position = value + length
    raise HeaderError("The encapsulated pixel data are damaged, or have too many fragments.")
