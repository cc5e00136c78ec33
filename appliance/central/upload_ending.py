"""The end of an upload: its bytes are checked against what was announced, and ingested like any other object.

They are read once and copied once, into the spool, because ingest writes a group 2 of its own in front of the
data set. Digest and transfer syntax are checked while they are read, the UIDs before anything is kept: of an
upload that is not what it was announced as, nothing is stored.
"""

from __future__ import annotations

import hashlib
from typing import BinaryIO, Final

from appliance.archive.files import as_archive_error
from appliance.archive.group2 import NotPart10, read_labels
from appliance.archive.upload import Upload
from appliance.errors import Misidentified
from appliance.model.records import Header

BLOCK: Final = 1 << 20


class DigestDiffers(Misidentified):
    """The data set's digest is not the announced one."""


class AnnouncedFile:
    """The bytes of a complete upload, as ingest reads them. A context manager."""

    def __init__(self, upload: Upload) -> None:
        """Take the upload; nothing is opened yet."""
        self._upload = upload
        self._labels = upload.facts.labels
        self._hash = hashlib.sha256()
        self._position = 0
        self._start = 0

    def __enter__(self) -> AnnouncedFile:
        self._file: BinaryIO = self._upload.open()
        self._start = self._data_set_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; at the end, raise DigestDiffers instead of ending on other bytes."""
        try:
            data = self._file.read(size)
        except OSError as error:
            raise as_archive_error(error, "read an upload") from error
        self._hash.update(data[max(0, self._start - self._position) :])
        self._position += len(data)
        if not data and size and self._hash.hexdigest() != self._labels["digest"]:
            raise DigestDiffers("the digest of the data set is not the announced one", hint="it is sent anew")
        return data

    def check(self, header: Header) -> None:
        """Compare a data set's UIDs with the announced ones. Raises Misidentified."""
        for name in ("study_uid", "series_uid", "sop_uid"):
            announced = self._labels.get(name, "")
            if announced and getattr(header, name) != announced:
                raise Misidentified(f"the data set has another {name} than was announced")

    def _data_set_start(self) -> int:
        """Return where the data set begins; 0 for what is no DICOM file, which ingest will say."""
        try:
            labels, rest = read_labels(self._file)
        except NotPart10:
            start = 0
        else:
            start = self._file.tell() - len(rest)
            announced = self._labels.get("transfer_syntax_uid", "")
            if announced and labels.transfer_syntax_uid != announced:
                self._file.close()
                raise Misidentified("the file has another transfer syntax than was announced")
        self._file.seek(0)
        return start
