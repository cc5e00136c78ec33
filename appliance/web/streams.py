"""Bytes of stored files on their way out, in pieces."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from appliance.archive.reading import StoredInstance
from appliance.dicomweb.multipart import closing
from appliance.errors import ArchiveError

CHUNK: Final = 256 << 10


def read_file(path: Path, size: int, start: int = 0) -> Iterator[bytes]:
    """Yield `size` bytes of a file from `start`.

    Raises ArchiveError when it ends before: the answer then breaks off short of its announced length.
    """
    left = size
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while left > 0:
            chunk = file.read(min(CHUNK, left))
            if not chunk:
                raise ArchiveError("a stored file is shorter than the index says", hint="run appliance fsck")
            left -= len(chunk)
            yield chunk


def multipart_files(heads: Sequence[bytes], instances: Sequence[StoredInstance], boundary: str) -> Iterator[bytes]:
    """Yield a multipart message with one whole file per part."""
    for head, instance in zip(heads, instances, strict=True):
        yield head
        yield from read_file(instance.path, instance.file_size)
    yield closing(boundary)


class _Outlet:
    """A file that cannot seek; what zipfile writes to it is taken away at once."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """There is nothing to close."""

    def take(self) -> bytes:
        pieces, self._pieces = b"".join(self._pieces), []
        return pieces


def zipped_files(instances: Sequence[StoredInstance]) -> Iterator[bytes]:
    """Yield a ZIP archive of whole files, uncompressed, as <series>/<instance>.dcm."""
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for instance in instances:
            entry = zipfile.ZipInfo(f"{instance.series_uid}/{instance.sop_uid}.dcm")
            with archive.open(entry, "w", force_zip64=True) as member:
                for chunk in read_file(instance.path, instance.file_size):
                    member.write(chunk)
                    yield outlet.take()
    yield outlet.take()
