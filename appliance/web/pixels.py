"""Stored frames of one instance, found once and read as often as they are asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, cast

from flask import current_app

from appliance.archive.header_error import HeaderError
from appliance.archive.reading import StoredInstance
from appliance.dicomweb.frame_media import is_video
from appliance.dicomweb.frames import Frames, NativeFrames, NoFrames, Piece, locate
from appliance.dicomweb.problems import Problem
from appliance.dicomweb.values import little_endian
from appliance.web.answers import Refused
from appliance.web.streams import encoded_in, open_stored, read_span

EXTENSION: Final = "appliance-frames"
MOST_TABLES: Final = 4096
MOST_ENTRIES: Final = 4_000_000


class FrameTables:
    """The whereabouts of frames, by content; the least used go first. Safe to share between threads."""

    def __init__(self, most: int = MOST_TABLES, entries: int = MOST_ENTRIES) -> None:
        """Keep at most `most` instances with together at most `entries` fragments."""
        self._most = most
        self._most_entries = entries
        self._entries = 0
        self._tables: OrderedDict[tuple[int, int], Frames] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, instance: StoredInstance) -> Frames:
        """Return where the frames of `instance` lie; raises HeaderError, NoFrames, FileNotFoundError."""
        # A version's content never changes; its place in the file does when the file is written anew.
        key = (instance.version_id, instance.offset)
        with self._lock:
            found = self._tables.get(key)
            if found is not None:
                self._tables.move_to_end(key)
                return found
        with open_stored(instance) as file:
            found = locate(encoded_in(instance, file))
        with self._lock:
            self._put(key, found)
        return found

    def _put(self, key: tuple[int, int], found: Frames) -> None:
        if key not in self._tables:
            self._entries += _entries(found)
        self._tables[key] = found
        while self._tables and (len(self._tables) > self._most or self._entries > self._most_entries):
            self._entries -= _entries(self._tables.popitem(last=False)[1])


def _entries(frames: Frames) -> int:
    return 1 if isinstance(frames, NativeFrames) else len(frames.fragments)


@dataclass(frozen=True, slots=True)
class Pixels:
    """The stored frames of one instance, as they are given out: uncompressed ones in little endian.

    A video is one frame: its stream is not cut.
    """

    frames: Frames
    video: bool = False

    @property
    def count(self) -> int:
        """How many frames there are."""
        return 1 if self.video else self.frames.count

    def length(self, number: int) -> int:
        """Return the bytes of frame `number`, from 1."""
        if isinstance(self.frames, NativeFrames):
            return self.frames.length
        return sum(piece.length for piece in self._pieces(number))

    def read(self, instance: StoredInstance, number: int) -> Iterator[bytes]:
        """Yield the bytes of frame `number`; raises ArchiveError when the file is shorter than it was."""
        with open_stored(instance) as file:
            source = encoded_in(instance, file).source()
            if isinstance(self.frames, NativeFrames):
                yield from _native(self.frames, number, lambda piece: read_span(source, piece.position, piece.length))
                return
            for piece in self._pieces(number):
                yield from read_span(source, piece.position, piece.length)

    def _pieces(self, number: int) -> tuple[Piece, ...]:
        assert not isinstance(self.frames, NativeFrames)
        if not self.video:
            return self.frames.pieces(number)
        fragments = self.frames.fragments
        return tuple(map(Piece, fragments.positions, fragments.lengths))


def _native(frames: NativeFrames, number: int, read: Callable[[Piece], Iterator[bytes]]) -> Iterator[bytes]:
    piece, skipped = frames.piece(number)
    swapped = (little_endian(frames.vr, data, frames.big_endian) for data in read(piece))
    if not skipped and piece.length == frames.length and not frames.bits % 8:
        yield from swapped
        return
    # Frames of single bits follow one another within a byte; each is given from a byte of its own.
    yield from shifted(swapped, skipped, frames.bits)


def shifted(pieces: Iterable[bytes], skipped: int, bits: int) -> Iterator[bytes]:
    """Yield `bits` bits of what `pieces` make, the first `skipped` left out; bits count from the lowest of a byte."""
    held, count, left = 0, 0, bits
    for piece in pieces:
        dropped = min(skipped, 8 * len(piece))
        skipped -= dropped
        held |= int.from_bytes(piece, "little") >> dropped << count
        count += 8 * len(piece) - dropped
        whole = min(count, left) // 8
        yield (held & ((1 << 8 * whole) - 1)).to_bytes(whole, "little")
        held, count, left = held >> 8 * whole, count - 8 * whole, left - 8 * whole
    if left > 0:
        yield (held & ((1 << left) - 1)).to_bytes((left + 7) // 8, "little")


def tables() -> FrameTables:
    """Return the tables of the application that handles this request."""
    return cast(FrameTables, current_app.extensions[EXTENSION])


def stored_pixels(instance: StoredInstance) -> Pixels:
    """Return the stored frames of an instance; ends with 404 for one without, 422 where they cannot be told."""
    try:
        found = tables().of(instance)
    except NoFrames:
        raise Refused(Problem(404, "the instance has no frames")) from None
    except HeaderError as error:
        raise Refused(Problem(422, f"the frames cannot be found: {error}")) from None
    return Pixels(found, is_video(instance.transfer_syntax_uid))
