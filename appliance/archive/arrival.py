"""One object on its way in: streamed to a file of the spool and hashed, memory bounded."""

from __future__ import annotations

import hashlib
import os

from appliance.archive.files import FILE_MODE, as_archive_error, write_all
from appliance.archive.group2 import Labels, encode
from appliance.archive.reserve import Reserve
from appliance.archive.spool import Spool
from appliance.errors import ArchiveError, TooLarge
from appliance.failpoints import failpoint
from appliance.model.records import Origin

CHECK_EVERY_BYTES = 64 << 20


class SpooledObject:
    """A file of the spool: our group 2, then the data set bytes exactly as they came."""

    def __init__(self, spool: Spool, reserve: Reserve, labels: Labels, origin: Origin, limit: int) -> None:
        """Create the file and write group 2. Raises DiskFull when only the reserve is left."""
        reserve.check()
        self.labels = labels
        self.origin = origin
        self.length = 0
        self._gone = False
        self._reserve = reserve
        self._limit = limit
        self._next_check = CHECK_EVERY_BYTES
        self._hash = hashlib.sha256()
        self.descriptor, self.path = spool.create()
        head = encode(labels, origin.ae_title)
        self.offset = len(head)
        try:
            self._write(head)
        except ArchiveError:
            self.discard()
            raise
        failpoint("ingest.begin")

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append data set bytes; nothing is durable yet.

        Raises DiskFull, TooLarge or ArchiveFailed; the object can then only be discarded.
        """
        self._write(data)
        self._hash.update(data)
        self.length += len(data)
        if self.length > self._limit:
            raise TooLarge(f"the object is larger than {self._limit} bytes", hint="raise archive.max_object_bytes")
        if self.length >= self._next_check:
            self._next_check += CHECK_EVERY_BYTES
            self._reserve.check()

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of the data set bytes written so far."""
        return self._hash.hexdigest()

    @property
    def file_size(self) -> int:
        """Bytes in the file, group 2 included."""
        return self.offset + self.length

    def relabel(self, labels: Labels) -> None:
        """Rewrite group 2 in place of a differing one. The data set keeps its bytes. Raises as `write` does."""
        self._reserve.check()
        head = encode(labels, self.origin.ae_title)
        old = self.path.with_suffix(".old")
        try:
            os.rename(self.path, old)
            with open(self.descriptor, "rb") as source:
                self.descriptor = -1
                self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
                self._write(head)
                source.seek(self.offset)
                while chunk := source.read(1 << 20):
                    self._write(chunk)
            os.unlink(old)
        except OSError as error:
            raise as_archive_error(error, "write an arriving object") from error
        self.labels, self.offset = labels, len(head)

    def moved(self) -> None:
        """Forget the file: it has been renamed out of the spool and is no longer ours to remove."""
        os.close(self.descriptor)
        self.descriptor = -1
        self._gone = True

    def discard(self) -> None:
        """Remove the file. Safe to repeat, and after `moved`."""
        if self._gone:
            return
        self._gone = True
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        for path in (self.path, self.path.with_suffix(".old")):
            path.unlink(missing_ok=True)

    def _write(self, data: bytes | bytearray | memoryview) -> None:
        try:
            failpoint("ingest.write")
            write_all(self.descriptor, data)
        except OSError as error:
            raise as_archive_error(error, "write an arriving object") from error
