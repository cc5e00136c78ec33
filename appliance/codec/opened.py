"""One object as an operation sees it: its data set, and its frames one by one. Pixel data are never read whole."""

from __future__ import annotations

import codecs
import io
import os
import zlib
from collections.abc import Sequence
from types import TracebackType
from typing import Any, BinaryIO, Final, NamedTuple, Self

import pydicom.config
from pydicom import Dataset
from pydicom.charset import convert_encodings
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from appliance.codec.fragments import frame_pieces, frames_begin, scan
from appliance.codec.frame import Frame, ImageFacts
from appliance.codec.image_facts import image_facts
from appliance.codec.refusal import NoSuchFrame, Refusal, TooMuch
from appliance.codec.uncompressed import uncompressed_frame
from appliance.model.fragments import Fragments, offsets
from appliance.model.syntaxes import TransferSyntax, find_syntax

KEYWORDS: Final = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
UNDEFINED: Final = 0xFFFFFFFF
DEFAULT_CHARSET: Final = "iso8859"
LONG_VRS: Final = frozenset({b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"UN"})
PIECE: Final = 1 << 20


class _Pixels(NamedTuple):
    """Where the value of the pixel data starts and how long it is; UNDEFINED when it is encapsulated."""

    keyword: str
    vr: bytes
    position: int
    length: int


class Opened:
    """Bytes [offset, offset + length) of an open file, read as a data set of one transfer syntax.

    `decoder` names what decoded the last frame, "" for none. Raises Refusal (and what pydicom raises).
    """

    def __init__(
        self, descriptor: int, offset: int, length: int, transfer_syntax_uid: str, charset: str, most: int
    ) -> None:
        """Take over `descriptor`; `most` bounds what may come out of it, in bytes."""
        self.transfer_syntax_uid = transfer_syntax_uid
        self.syntax = find_syntax(transfer_syntax_uid) or TransferSyntax(transfer_syntax_uid, "")
        self.most = most
        self.decoder = ""
        self._file: BinaryIO = os.fdopen(descriptor, "rb")
        self._offset, self._end = offset, offset + length
        self._charset = charset
        self._dataset: Dataset | None = None
        self._pixels: _Pixels | None = None
        self._facts: ImageFacts | None = None
        self._scanned: tuple[Fragments, Sequence[int]] | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()

    def dataset(self) -> Dataset:
        """Return the data set without its pixel data; what it assumes of text is the source's assumption."""
        if self._dataset is None:
            self._inflate()
            self._file.seek(self._offset)
            self._dataset = read_dataset(
                self._file,
                self.syntax.implicit,
                not self.syntax.big_endian,
                bytelength=self._end - self._offset,
                stop_when=_is_pixels,
                parent_encoding=_encodings(self._charset),
            )
            self._pixels = self._find_pixels()
        return self._dataset

    @property
    def has_pixels(self) -> bool:
        """Whether there are pixel data."""
        self.dataset()
        return self._pixels is not None

    @property
    def keyword(self) -> str:
        """The keyword of the element that holds the pixels, "" without any."""
        return self._pixels.keyword if self.has_pixels and self._pixels else ""

    def facts(self) -> ImageFacts:
        """Return what the object says of its pixels. Raises Refusal where it has none."""
        if self._facts is None:
            dataset = self.dataset()
            if self._pixels is None:
                raise NoSuchFrame("the object has no pixel data")
            self._facts = image_facts(dataset, self._pixels.keyword)
        return self._facts

    def frame(self, number: int) -> Frame:
        """Return frame `number`, counted from 1, decoded. Raises NoSuchFrame, Refusal."""
        facts, pixels = self.facts(), self._pixels
        assert pixels is not None
        if not 1 <= number <= facts.frames:
            raise NoSuchFrame("the object has no frame of this number")
        self._check_size(facts)
        if pixels.length == UNDEFINED:
            from appliance.codec.decoders import decode

            frame, self.decoder = decode(self.encoded(number), self.transfer_syntax_uid, facts)
            return frame
        if self.syntax.encapsulated:
            raise Refusal("the pixel data are not encapsulated, as the transfer syntax says they are")
        self.decoder = ""
        big = self.dataset().original_encoding[1] is False
        swap = big and pixels.vr == b"OW" and facts.bits_allocated <= 8
        return uncompressed_frame(
            self.read_at, pixels.position, pixels.length, number, facts,
            keyword=pixels.keyword, order=">" if big else "<", swap=swap,
        )  # fmt: skip

    def encoded(self, number: int) -> bytes:
        """Return the compressed bytes of frame `number`, fragments joined. Raises NoSuchFrame, Refusal."""
        facts, pixels = self.facts(), self._pixels
        assert pixels is not None
        if self._scanned is None:
            table, fragments = scan(self.read_at, pixels.position, self._end)
            extended = self.dataset().get("ExtendedOffsetTable")
            tables = (offsets(extended if isinstance(extended, bytes) else b"", "Q"), offsets(table, "I"))
            self._scanned = fragments, frames_begin(fragments, facts.frames, tables)
        pieces = frame_pieces(*self._scanned, number)
        if sum(piece.length for piece in pieces) > self.most:
            raise TooMuch("the compressed frame is longer than it may be")
        return b"".join(self.read_at(*piece) for piece in pieces)

    def read_at(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes of the file from `position`."""
        self._file.seek(position)
        return self._file.read(size)

    def _check_size(self, facts: ImageFacts) -> None:
        if facts.rows * facts.columns * facts.samples_per_pixel * facts.bits_allocated // 8 > self.most:
            raise TooMuch("a frame of this object is larger than it may be")

    def _inflate(self) -> None:
        """Replace a deflated data set (PS3.5 A.5) by what it inflates to, in memory."""
        if not self.syntax.deflated:
            return
        stream, inflated = zlib.decompressobj(-zlib.MAX_WBITS), io.BytesIO()
        data = self.read_at(self._offset, PIECE)
        while data and not stream.eof:
            inflated.write(stream.decompress(data, PIECE))
            if inflated.tell() > self.most:
                raise TooMuch("the deflated data set is larger than it may be")
            data = stream.unconsumed_tail or self._file.read(PIECE)
        self._file.close()
        self._file, self._offset, self._end = inflated, 0, inflated.tell()

    def _find_pixels(self) -> _Pixels | None:
        """Read the header of the element at which the reading of the data set has stopped."""
        position = self._file.tell()
        order: Any = "big" if self.syntax.big_endian else "little"
        head = self.read_at(position, 12)
        if len(head) < 8 or position >= self._end:
            return None
        keyword = KEYWORDS.get(int.from_bytes(head[:2], order) << 16 | int.from_bytes(head[2:4], order))
        if keyword is None:
            return None
        # What was declared may not be how it is; a length never looks like one of these letters.
        if head[4:6] in LONG_VRS:
            vr, length, start = head[4:6], int.from_bytes(head[8:12], order), position + 12
        else:
            vr, length, start = b"OW", int.from_bytes(head[4:8], order), position + 8
        return _Pixels(keyword, vr, start, length if length == UNDEFINED else min(length, self._end - start))


def _is_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag in KEYWORDS


def _encodings(charset: str) -> str | list[str]:
    """Return Python's names for an assumed character set: a value of (0008,0005), or such a name itself."""
    if not charset:
        return DEFAULT_CHARSET
    try:
        return codecs.lookup(charset).name
    except LookupError:
        return list(convert_encodings(charset.split("\\")))


def read_leniently() -> None:
    """Let pydicom pass over odd values in what it reads, in this whole process: a child's first act."""
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
