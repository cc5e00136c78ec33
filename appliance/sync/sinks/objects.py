"""Objects below a directory sink: whole DICOM files under `objects/`, each there completely or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from appliance.archive.files import (
    DIRECTORY_MODE,
    FILE_MODE,
    DirectoryTree,
    fsync,
    fsync_directory,
    write_all,
)
from appliance.archive.outbox import DeliveryBlob
from appliance.errors import DeliveryError
from appliance.failpoints import failpoint
from appliance.sync.sinks.contract import Misconfigured, RowFault, Unreachable
from appliance.sync.sinks.destination import destination

CHUNK_BYTES = 1 << 20
OBJECTS = "objects"
INCOMING = ".incoming"
COPY = "copy an object"
# <tenant>/<study>/<series>/<file>: the tenant's directory is there whenever the archive's disk is.
STORE_LEVELS = 2


class ObjectFiles:
    """Copies of the archive's files. One writer, which the caller's lock ensures."""

    def __init__(self, tree: DirectoryTree) -> None:
        """Take the sink's tree; nothing is made before `open`."""
        self._tree = tree
        self._incoming = tree.root / INCOMING
        self._changed: set[Path] = set()

    def open(self) -> None:
        """Remove what a killed writer left half copied. Raises delivery errors."""
        with destination("prepare the directory"):
            self._incoming.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
            for leftover in self._incoming.iterdir():
                leftover.unlink()

    def put(self, blob: DeliveryBlob, relative: str) -> None:
        """Copy an object to `objects/<relative>`; durable once `flush` has returned as well.

        A copy that is there with equal bytes is kept, another content is replaced in one step.
        The bytes are checked against the digest on the way: RowFault when the archive's file is
        missing or damaged. Raises delivery errors of the destination.
        """
        target = self._tree.root / OBJECTS / relative
        with _source(blob) as source:
            if not _is_copy(target, source, blob):
                self._copy(source, blob, target)
        self._changed.add(target.parent)

    def flush(self) -> None:
        """Make every entry made by `put` durable. Raises delivery errors."""
        with destination(COPY):
            for directory in self._changed:
                fsync_directory(directory)
            failpoint("directory.after_directories")
        self._changed.clear()

    def _copy(self, source: BinaryIO, blob: DeliveryBlob, target: Path) -> None:
        temporary = self._incoming / target.name
        try:
            self._write(source, blob, temporary)
            with destination(COPY):
                self._tree.ensure(target.parent)
                os.replace(temporary, target)
                failpoint("directory.after_rename")
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _write(self, source: BinaryIO, blob: DeliveryBlob, temporary: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        with destination(COPY):
            descriptor = os.open(temporary, flags, FILE_MODE)
        try:
            digest = hashlib.sha256()
            position = 0
            for chunk in _chunks(source):
                digest.update(chunk[max(0, blob.offset - position) :])
                position += len(chunk)
                with destination(COPY):
                    write_all(descriptor, chunk)
            if position != blob.file_size or digest.hexdigest() != blob.digest:
                raise RowFault("the archive's file is damaged: its digest differs", hint="appliance fsck")
            with destination(COPY):
                fsync(descriptor)
                failpoint("directory.after_file_fsync")
        finally:
            os.close(descriptor)


def _source(blob: DeliveryBlob) -> BinaryIO:
    try:
        return blob.path.open("rb", buffering=0)
    except FileNotFoundError as error:
        if not blob.path.parents[STORE_LEVELS].is_dir():
            raise Unreachable("the archive's own disk is not there", hint="mount it") from error
        raise RowFault("the archive's file is missing", hint="appliance fsck tells more") from error
    except OSError as error:
        raise DeliveryError("could not open the archive's file") from error


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    source.seek(0)
    while True:
        try:
            chunk = source.read(CHUNK_BYTES)
        except OSError as error:
            raise DeliveryError("could not read the archive's file") from error
        if not chunk:
            return
        yield chunk


def _is_copy(target: Path, source: BinaryIO, blob: DeliveryBlob) -> bool:
    """Say whether `target` holds the bytes of the source already; they are on disk then."""
    try:
        with destination(COPY):
            file = target.open("rb", buffering=0)
    except Misconfigured as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return False
        raise
    with file:
        if os.fstat(file.fileno()).st_size != blob.file_size:
            return False
        if not _equal(file, source, blob):
            return False
        with destination(COPY):
            fsync(file.fileno())
    return True


def _equal(file: BinaryIO, source: BinaryIO, blob: DeliveryBlob) -> bool:
    """Compare, and hold the source against the digest too: a damaged source is no proof."""
    digest, position = hashlib.sha256(), 0
    for chunk in _chunks(source):
        with destination(COPY):
            if file.read(len(chunk)) != chunk:
                return False
        digest.update(chunk[max(0, blob.offset - position) :])
        position += len(chunk)
    return position == blob.file_size and digest.hexdigest() == blob.digest
