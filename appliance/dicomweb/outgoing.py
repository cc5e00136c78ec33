"""Bodies of requests, read from disk while they are sent: whole messages of instances, or slices of one file."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.dicomweb.media_types import DICOM, MULTIPART
from appliance.dicomweb.multipart import closing, message_length, part_head
from appliance.errors import ApplianceError

# One block must pass within the connection timeout: small enough for the slowest line.
BLOCK: Final = 32 << 10


class Damaged(ApplianceError):
    """A file is missing, cannot be read, or is not what it should be; `index` is its place in the message."""

    def __init__(self, message: str, *, hint: str = "appliance fsck", index: int = 0, lost: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.index = index
        self.lost = lost


@dataclass(frozen=True, slots=True)
class Instance:
    """A DICOM file of `size` bytes; `digest` is the SHA-256 (hex) of what follows `offset`."""

    path: Path
    size: int
    offset: int
    digest: str


class Message:
    """A multipart/related message of instances, never held in memory. It may be read several times."""

    def __init__(self, instances: Sequence[Instance]) -> None:
        """Take the instances in order; no file is opened yet."""
        self._instances = tuple(instances)
        self._boundary = uuid.uuid4().hex
        heads = [part_head(self._boundary, {"Content-Type": DICOM}) for _ in self._instances]
        # The first delimiter opens the body: some readers take a line break before it amiss.
        self._heads = [head.removeprefix(b"\r\n") if at == 0 else head for at, head in enumerate(heads)]

    @property
    def content_type(self) -> str:
        """The value of the Content-Type header."""
        return f'{MULTIPART}; type="{DICOM}"; boundary={self._boundary}'

    def __len__(self) -> int:
        """Return the exact length in bytes."""
        return message_length(self._heads, (instance.size for instance in self._instances), self._boundary)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the message in blocks.

        Raises Damaged before the last block of a file whose bytes are not those of its digest:
        such a message never becomes complete.
        """
        for index, (head, instance) in enumerate(zip(self._heads, self._instances, strict=True)):
            yield head
            yield from _checked(instance, index)
        yield closing(self._boundary)


class Slice:
    """Bytes [start, start + length) of a file as a body."""

    def __init__(self, path: Path, start: int, length: int) -> None:
        """Take the place; the file is not opened yet."""
        self._path = path
        self._start = start
        self._length = length

    def __len__(self) -> int:
        """Return the length in bytes."""
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes in blocks. Raises Damaged when the file is shorter or cannot be read."""
        return _blocks(self._path, self._start, self._length, 0)


def check(instance: Instance, heed: Callable[[], None] = lambda: None) -> None:
    """Read a file and compare it with its digest. Raises Damaged, and what `heed` raises between blocks."""
    for _ in _checked(instance, 0):
        heed()


def _checked(instance: Instance, index: int) -> Iterator[bytes]:
    digest, position = hashlib.sha256(), 0
    held = b""
    for block in _blocks(instance.path, 0, instance.size, index):
        if held:
            yield held
        digest.update(block[max(0, instance.offset - position) :])
        position += len(block)
        held = block
    if digest.hexdigest() != instance.digest:
        raise Damaged("the archive's file is damaged: its digest differs", index=index)
    yield held


def _blocks(path: Path, start: int, length: int, index: int) -> Iterator[bytes]:
    try:
        with path.open("rb", buffering=1 << 20) as file:
            file.seek(start)
            while length:
                block = file.read(min(BLOCK, length))
                if not block:
                    raise Damaged("the archive's file is damaged: it is too short", index=index)
                length -= len(block)
                yield block
    except FileNotFoundError as error:
        raise Damaged("the archive's file is missing", index=index) from error
    except OSError as error:
        raise Damaged("could not read the archive's file", index=index, lost=False) from error
