"""Bytes of stored files on their way out, in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from appliance.archive.reading import StoredInstance
from appliance.archive.window import Bytes
from appliance.dicomweb.metadata import Encoded
from appliance.dicomweb.multipart import closing
from appliance.dicomweb.stored_files import CHUNK, read_file
from appliance.errors import ArchiveError, NotFound
from appliance.web.zipping import zipped


def open_stored(instance: StoredInstance) -> BinaryIO:
    """Open the file of an instance. Raises NotFound when it is gone, ArchiveError when it cannot be read."""
    try:
        return instance.path.open("rb", buffering=0)
    except FileNotFoundError:
        raise NotFound("the bytes under these UIDs are not held here any more") from None
    except OSError as error:
        raise ArchiveError("a stored file cannot be read", hint="run appliance fsck") from error


def encoded_in(instance: StoredInstance, file: BinaryIO) -> Encoded:
    """Return the data set of an instance whose file is open."""
    return Encoded(file, instance.offset, instance.length, instance.transfer_syntax_uid, instance.assumed_charset)


def read_span(source: Bytes, position: int, length: int) -> Iterator[bytes]:
    """Yield `length` bytes of a data set from `position`, in pieces. Raises ArchiveError when it ends before."""
    end = position + length
    while position < end:
        data = source.read_at(position, min(CHUNK, end - position))
        if not data:
            raise ArchiveError("a stored file is shorter than the index says", hint="run appliance fsck")
        position += len(data)
        yield data


def multipart_files(heads: Sequence[bytes], instances: Sequence[StoredInstance], boundary: str) -> Iterator[bytes]:
    """Yield a multipart message with one whole file per part."""
    for head, instance in zip(heads, instances, strict=True):
        yield head
        yield from read_file(instance.path, instance.file_size)
    yield closing(boundary)


def zipped_files(
    instances: Sequence[StoredInstance], here: Callable[[StoredInstance], StoredInstance]
) -> Iterator[bytes]:
    """Yield a ZIP archive of whole files, uncompressed, as <series>/<instance>.dcm; `here` sees to it that they are."""
    held = map(here, instances)
    return zipped((f"{one.series_uid}/{one.sop_uid}.dcm", read_file(one.path, one.file_size)) for one in held)
